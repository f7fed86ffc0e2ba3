"""Pretraining: tasks that pages set themselves, and a model that goes on from what they taught."""

from dataclasses import replace

import pytest
import torch

from extractor import pretraining
from extractor.errors import ConfigError, ModelError
from extractor.models import mxt
from extractor.models.base import Knowledge
from extractor.pretraining import MARK, MISSING, Config
from extractor.records import Example
from tests.extractor import tiny_mxt, tiny_pam

PAGES = tuple(
    Example(
        product_id=f"p{number}",
        product_type=("tea", "soap")[number % 2],
        title=f"{brand} {flavor} leaves gentle and pure",
        bullets=(f"Made of {flavor} from fields near rivers", "Comes in tins"),
    )
    for number, (brand, flavor) in enumerate((b, f) for b in ("Alba", "Bark", "Cedo") for f in ("mint", "rose", "fig"))
)


def fields_of(example: Example) -> list[str]:
    """What is written on a page."""
    return [example.title or "", *example.bullets]


def test_what_is_missing_is_what_was_cut_and_no_page_is_forgotten():
    set_ = pretraining.tasks(PAGES, Config(tasks=3, lookups=0.0), seed=0)

    assert len(set_.examples) == 27
    originals = {page.product_id: page for page in PAGES}
    for task in set_.examples:
        original = originals[task.product_id.split()[0]]
        [question] = task.asked
        assert question.attribute == MISSING
        answer = question.answer or ""
        fields = zip(fields_of(task), fields_of(original), strict=True)
        [(now, before)] = [(now, before) for now, before in fields if now != before]
        assert now.replace(MARK, answer) == before
        assert 1 <= len(answer.split()) <= pretraining.LONGEST


def test_a_look_up_asks_for_a_line_that_is_there_or_for_one_that_is_not():
    set_ = pretraining.tasks(PAGES, Config(tasks=20, lookups=1.0, absent=0.3), seed=0)

    found = [task for task in set_.examples if task.asked[0].answer is not None]
    lines = [
        f"{question.attribute.capitalize()}: {question.answer}" in task.bullets
        for task in found
        for question in task.asked
    ]
    assert all(lines)
    absent = [task for task in set_.examples if task.asked[0].answer is None]
    assert 0.2 < len(absent) / len(set_.examples) < 0.4
    named = [f"{task.asked[0].attribute.capitalize()}:" for task in absent]
    assert not any(line.startswith(name) for task, name in zip(absent, named, strict=True) for line in task.bullets)


def test_every_question_is_defined_for_its_type_and_the_same_seed_sets_the_same_tasks():
    set_ = pretraining.tasks(PAGES, Config(), seed=3)

    defined = {(one.product_type, one.attribute) for one in set_.definitions}
    assert {(task.product_type, task.asked[0].attribute) for task in set_.examples} <= defined
    assert pretraining.tasks(PAGES, Config(), seed=3) == set_
    assert pretraining.tasks(PAGES, Config(), seed=4) != set_


def test_pictures_lose_their_features_and_keep_their_words():
    pages = tiny_mxt.products(4)

    set_ = pretraining.tasks(pages, Config(), seed=0)

    assert set_.examples
    assert all(picture.features is None for task in set_.examples for picture in task.pictures)
    assert any(picture.tokens for task in set_.examples for picture in task.pictures)


def test_a_page_without_words_sets_no_task():
    bare = Example(product_id="p", product_type="tea", title="Tea")

    assert pretraining.tasks([bare, replace(bare, title=None)], Config(), seed=0).examples == []


def test_held_back_tasks_teach_nothing():
    set_ = pretraining.tasks(PAGES, Config(), seed=0).examples

    taught, validating = pretraining.held_back(set_, 0.1)

    assert len(taught) + len(validating) == len(set_)
    assert {task.product_id for task in taught}.isdisjoint(task.product_id for task in validating)
    assert len(validating) == pytest.approx(len(set_) / 10, abs=1)


@pytest.mark.parametrize(("key", "value"), [("tasks", 0), ("steps", 0), ("lookups", 1.5), ("absent", -0.1)])
def test_settings_out_of_range_are_named(key, value):
    with pytest.raises(ConfigError, match=key):
        Config(**{key: value})


def pretrained(pages, steps):
    set_ = pretraining.tasks(pages, Config(), seed=0)
    knowledge = Knowledge(set_.definitions, {}, feature_schema="", feature_dim=0, ocr_schema="r/1")
    model = mxt.Model.create(tiny_mxt.config(), knowledge, set_.examples, seed=0)
    losses = tiny_pam.train(model, set_.examples, steps=steps)
    return model, losses


def test_a_model_goes_on_from_what_tasks_taught_and_keeps_what_it_measured():
    examples = tiny_mxt.products(16)
    first, losses = pretrained(examples, steps=30)
    model = tiny_mxt.model(examples, seed=1)
    measured = {name: part.clone() for name, part in model.network.state_dict().items() if name.startswith("feature_")}

    model.inherit(first)

    assert losses[-1] < losses[0]
    mine, theirs = model.network.state_dict(), first.network.state_dict()
    query = "writer.encoder.block.0.layer.0.SelfAttention.q.weight"
    for name in (query, "table.project.weight", "smear.before.weight"):
        torch.testing.assert_close(mine[name], theirs[name], rtol=0, atol=0)
    shared = set(model.learnt.pieces) & set(first.learnt.pieces)
    assert shared
    for piece in shared:
        row, other = 1 + model.learnt.pieces.index(piece), 1 + first.learnt.pieces.index(piece)
        torch.testing.assert_close(mine["table.own.weight"][row], theirs["table.own.weight"][other], rtol=0, atol=0)
    for name, part in measured.items():
        torch.testing.assert_close(mine[name], part, rtol=0, atol=0)
    assert len(model.predict(examples)) == 48


def test_a_pretrained_model_of_another_size_is_refused_by_the_weight_that_differs():
    examples = tiny_mxt.products(8)
    first, _ = pretrained(examples, steps=1)
    other = tiny_mxt.model(examples, smear=False)

    with pytest.raises(ModelError, match=r"weight smear"):
        other.inherit(first)
