"""The combination as a model: its answers are its members' own, its confidence is its own, its file is checked."""

from dataclasses import replace

import pytest
import torch

from extractor import combining
from extractor.combining import Combiner
from extractor.errors import ModelError
from extractor.models import combined
from schemas.enums import State, Support
from tests.extractor import tiny_combined, tiny_pam

TAUGHT = tiny_pam.products(40)
ASKED = tiny_pam.products(40, seed=9)


@pytest.fixture(scope="module")
def model() -> combined.Model:
    return tiny_combined.model(TAUGHT)


def right(model, examples) -> int:
    answers = [question.answer for example in examples for question in example.asked]
    said = model.predict(examples)
    return sum(one.value == answer for one, answer in zip(said, answers, strict=True))


def test_every_answer_is_one_of_its_members_word_for_word(model):
    spans, generator = model.spans.predict(ASKED), model.generator.predict(ASKED)

    both = model.predict(ASKED)

    for one, *theirs in zip(both, spans, generator, strict=True):
        if one.state == State.VALUE:
            assert (one.value, one.evidence, one.support) in [(a.value, a.evidence, a.support) for a in theirs]


def test_it_is_right_as_often_as_the_better_member_and_infers_what_no_span_can(model):
    assert right(model, ASKED) >= max(right(model.spans, ASKED), right(model.generator, ASKED)) - 2
    assert any(one.support == Support.INFERRED for one in model.predict(ASKED))


def test_unfitted_the_surer_member_answers():
    model = tiny_combined.model(TAUGHT, fitted=False)
    spans, generator = model.spans.predict(ASKED), model.generator.predict(ASKED)

    for one, *theirs in zip(model.predict(ASKED), spans, generator, strict=True):
        if all(said.state == State.VALUE for said in theirs) and theirs[0].value != theirs[1].value:
            assert one.value == max(theirs, key=lambda said: said.score or 0.0).value


def test_where_no_answer_is_likely_enough_it_says_unknown_and_what_it_held_back(model):
    held = combined.Model(
        model.config,
        tiny_pam.definitions(),
        spans=model.spans,
        generator=model.generator,
        combiner=replace(model.combiner, least=1.0),
    )

    said = held.predict(ASKED)

    assert {one.state for one in said} == {State.UNKNOWN}
    for one, was in zip(said, model.predict(ASKED), strict=True):
        if was.state == State.VALUE:
            assert one.runner_up == was.value
            assert one.score == pytest.approx(1 - was.score)


def test_nothing_trains_it_by_itself():
    with pytest.raises(ModelError, match=r"jobs\.combine"):
        combined.Model.create(tiny_combined.config(), tiny_pam.knowledge(TAUGHT), TAUGHT, seed=0)


@pytest.mark.parametrize("content", ["", "{}", "null", '{"combiner": {"kind": "luck"}, "definitions": []}'])
def test_a_file_that_is_no_combination_is_named(model, tmp_path, content):
    model.save(tmp_path)
    (tmp_path / combined.FILE).write_text(content, encoding="utf-8")

    with pytest.raises(ModelError, match=combined.FILE):
        combined.Model.load(tmp_path, model.config, device=torch.device("cpu"))


def test_a_member_that_is_missing_is_named(model, tmp_path):
    model.save(tmp_path)
    (tmp_path / "spans" / "knowledge.json").unlink()

    with pytest.raises(ModelError, match="spans"):
        combined.Model.load(tmp_path, model.config, device=torch.device("cpu"))


def test_the_least_chance_of_an_answer_is_what_makes_the_best_f1():
    assert combining.LEASTS[0] == 0.0
    assert Combiner(weights=(), intercept=0.0).least == 0.0
