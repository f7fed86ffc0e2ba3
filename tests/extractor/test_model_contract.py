"""What train and enrich rely on, asked of every model in the same words: no job knows which one it runs."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from extractor.errors import ModelError
from extractor.evidence import replay, sources
from extractor.models import combined, mxt, pam, spans, word_matching
from extractor.records import Definition, Example, Question
from extractor.vocabulary import closed
from schemas.enums import State
from tests.extractor import tiny_combined, tiny_mxt, tiny_pam, tiny_spans
from tests.extractor.same import assert_same

EXAMPLES = tiny_mxt.products(40)
CONFIGS = {
    "pam": tiny_pam.config(),
    "mxt": tiny_mxt.config(),
    "mxt, question in the decoder": tiny_mxt.config(attribute_in="decoder"),
    "spans, joint": tiny_spans.config(decoder="joint"),
    "spans, independent": tiny_spans.config(decoder="independent"),
    "combined": tiny_combined.config(),
    "word matching": word_matching.Config(
        order="longest",
        sources=("title", "bullets", "ocr"),
        stop=(),
        options=True,
        prior_precision=0.5,
        prior_weight=2.0,
    ),
}
KINDS: dict[str, Any] = {  # the models' classes
    "pam": pam.Model,
    "spans, joint": spans.Model,
    "spans, independent": spans.Model,
    "combined": combined.Model,
    "word matching": word_matching.Model,
}
LEARNING = [name for name in CONFIGS if name not in ("combined", "word matching")]


def create(name, seed=0):
    kind = KINDS.get(name, mxt.Model)
    return kind.create(CONFIGS[name], tiny_pam.knowledge(EXAMPLES), EXAMPLES, seed=seed)


@pytest.fixture(scope="module", params=list(CONFIGS))
def model(request):
    """Each model; those that learn have done some steps, so that they answer with values and with unknown."""
    if request.param == "combined":
        return tiny_combined.model(EXAMPLES)
    fresh = create(request.param)
    if request.param in LEARNING:
        tiny_pam.train(fresh, EXAMPLES, steps=40, lr=5e-3)
    return fresh


@pytest.mark.parametrize("name", LEARNING)
def test_a_loss_is_finite_and_reaches_every_weight_that_is_learnt(name):
    fresh = create(name)
    groups = fresh.parameter_groups()
    grouped = [id(weight) for group in groups for weight in group["params"]]
    learnt = [id(weight) for weight in fresh.module.parameters() if weight.requires_grad]

    fresh.module.train()
    loss = fresh.loss(fresh.collate(fresh.encode(EXAMPLES)))
    loss.backward()

    assert loss.shape == ()
    assert math.isfinite(loss.item())
    assert sorted(grouped) == sorted(learnt)
    assert all(group["lr_scale"] > 0 for group in groups)
    assert all(weight.grad is not None for group in groups for weight in group["params"])


@pytest.mark.parametrize("name", LEARNING)
def test_encoding_is_pure_and_keeps_the_order(name):
    fresh = create(name)

    together, again = fresh.encode(EXAMPLES[:6]), fresh.encode(EXAMPLES[:6])
    alone = [encoded for example in EXAMPLES[:6] for encoded in fresh.encode([example])]

    assert len(together) == 6
    torch.manual_seed(0)
    losses = []
    for encoded in (together, again, alone):
        torch.manual_seed(0)
        losses.append(fresh.loss(fresh.collate(encoded)).item())
    assert losses[0] == losses[1] == losses[2]


def test_every_question_has_one_answer_in_order_with_what_names_it(model):
    asking = [
        replace(example, asked=tuple(replace(one, input_hash=f"{number} {one.attribute}") for one in example.asked))
        for number, example in enumerate(EXAMPLES[:8])
    ]
    asking.insert(3, replace(EXAMPLES[9], asked=()))

    answered = model.predict(asking)

    wanted = [(e.product_id, e.product_type, q.attribute, q.input_hash) for e in asking for q in e.asked]
    assert [(p.product_id, p.product_type, p.attribute, p.input_hash) for p in answered] == wanted
    assert model.predict([]) == []


def test_states_values_scores_and_evidence_go_together(model):
    options = {closed(given).vocab_id: closed(given) for given in tiny_pam.definitions() if given.options}
    options |= {known.vocab_id: known for known in tiny_pam.knowledge(EXAMPLES).vocabularies.values()}

    answered = model.predict(EXAMPLES)

    asked = [example for example in EXAMPLES for _ in example.asked]
    assert any(prediction.state == State.VALUE for prediction in answered)
    for example, prediction in zip(asked, answered, strict=True):
        assert 0.0 <= prediction.score <= 1.0
        assert (prediction.value is None) == (prediction.state == State.UNKNOWN)
        if prediction.state == State.VALUE:
            assert prediction.support is not None
            assert replay(prediction.evidence, sources(example, options.get(prediction.vocab_id))) == prediction.value


@pytest.mark.parametrize("name", LEARNING)
def test_under_autocast_it_computes_in_bfloat16_and_answers_still(name):
    fresh = create(name)
    seen = set()
    for layer in fresh.module.modules():
        if isinstance(layer, torch.nn.Linear):
            layer.register_forward_hook(lambda _layer, _given, out: seen.add(out.dtype))

    with torch.autocast("cpu", torch.bfloat16):
        answered = fresh.predict(EXAMPLES[:4])

    assert torch.bfloat16 in seen
    assert len(answered) == sum(len(example.asked) for example in EXAMPLES[:4])
    assert all(0.0 <= prediction.score <= 1.001 for prediction in answered)


def test_answers_hang_neither_on_neighbours_nor_on_chance(model):
    torch.manual_seed(5)
    together, state = model.predict(EXAMPLES[:8]), torch.get_rng_state()

    alone = [prediction for example in EXAMPLES[:8] for prediction in model.predict([example])]

    assert_same(alone, together)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(5)
    assert torch.equal(torch.get_rng_state(), state)


def test_definitions_of_today_are_answered_and_the_same_ones_change_nothing(model):
    before = model.predict(EXAMPLES[:8])
    scent = Definition(product_type="soap", attribute="scent", question="how does it smell?", options=None)
    asked = (Question(attribute="scent"),)

    model.define(tiny_pam.definitions())
    same = model.predict(EXAMPLES[:8])
    model.define((*tiny_pam.definitions(), scent))
    [added] = model.predict([Example(product_id="x", product_type="soap", title="rose", asked=asked)])
    model.define(tiny_pam.definitions())

    assert_same(same, before)
    assert added.attribute == "scent"
    assert_same(model.predict(EXAMPLES[:8]), before)


def test_a_question_that_nothing_defines_is_named(model):
    with pytest.raises(ModelError, match="price"):
        model.predict([replace(EXAMPLES[0], asked=(Question(attribute="price"),))])


def test_what_was_saved_answers_as_before_and_damaged_weights_are_named(model, tmp_path):
    model.save(tmp_path)

    loaded = type(model).load(tmp_path, model.config, device=torch.device("cpu"))

    assert_same(loaded.predict(EXAMPLES[:8]), model.predict(EXAMPLES[:8]))
    weights = list(tmp_path.glob("*.safetensors"))
    assert bool(weights) == hasattr(model, "loss")
    for file in weights:
        file.write_bytes(b"{")
        with pytest.raises(ModelError, match=file.name):
            type(model).load(tmp_path, model.config, device=torch.device("cpu"))
