"""The span model: what it learns, what its two decoders make of one set of scores, and what it refuses."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from extractor import checkpoint, span_answers
from extractor.errors import ModelError
from extractor.evidence import replay, sources
from extractor.models import spans
from extractor.records import Definition, Example, Question
from extractor.span_answers import Decoder, Judged, Rule
from schemas.enums import State, Support
from tests.extractor import reference, tiny_pam, tiny_spans
from tests.extractor.same import assert_same

EXAMPLES = tiny_pam.products(48)


@pytest.fixture(scope="module")
def learnt():
    model = tiny_spans.model(EXAMPLES, decoder="joint")
    tiny_pam.train(model, EXAMPLES, steps=120, lr=3e-3)
    return model


@pytest.fixture
def independent(learnt):
    """The same weights under the other decoder."""
    learnt.rule = Rule(decoder="independent")
    yield learnt
    learnt.rule = Rule(decoder="joint")


def printed(model, examples):
    """Share right of the brands and forms that a page prints."""
    right = [
        prediction.value is not None and prediction.value.lower() == question.answer
        for example in examples
        for question, prediction in zip(example.asked, model.predict([example]), strict=True)
        if question.attribute != "color" and question.answer is not None
    ]
    return np.mean(right)


def test_it_learns_what_pages_print(learnt):
    assert printed(learnt, EXAMPLES) > 0.95


def test_brands_that_training_never_saw_are_read(learnt):
    assert printed(learnt, tiny_pam.products(48, seed=9)) > 0.7


def test_what_is_printed_nowhere_is_unknown(independent):
    independent.rule = Rule(decoder="independent", threshold=0.5)

    answers = [prediction for prediction in independent.predict(EXAMPLES) if prediction.attribute == "color"]

    assert np.mean([prediction.state == State.UNKNOWN for prediction in answers]) > 0.9


def test_the_loss_is_that_of_plain_loops():
    model = tiny_spans.model(EXAMPLES)
    model.networks.train(False)
    batch = model.collate(model.encode(EXAMPLES[:5]))
    with torch.no_grad():
        score, silent = model.members[0].score(batch)

    expected = reference.span_loss(score.double(), silent.double(), batch, joint_weight=model.config.joint_weight)

    assert model.loss(batch).item() == pytest.approx(expected, abs=1e-4)


def test_equal_strings_add_up_and_shares_of_the_independent_decoder_make_one(learnt):
    example = replace(EXAMPLES[0], title="by abcd abcd", pictures=())
    [product] = learnt.reader.read([example], learning=False)
    batch = learnt.collate([product.encoded])

    with torch.inference_mode():
        decoded = spans.decode(learnt.shares(batch), batch, "independent")
        score, silent = learnt.members[0].score(batch)

    every = torch.cat([score[0].flatten(0, 1), silent], dim=0).softmax(0)
    by, first, second = range(3)
    brand = 0
    twice = every[first * 4, brand] + every[second * 4, brand]
    alone = {int(batch.string_BNL[0, word, length]) for word in (by, first, second) for length in range(3 - word)}
    assert len(alone) == 5  # six spans, two of them equal
    assert decoded.share_BA[0, brand] >= twice - 1e-6
    assert every.sum(0).tolist() == pytest.approx([1.0] * 3)


def test_members_differ_and_their_probabilities_are_averaged(tmp_path):
    model = tiny_spans.model(EXAMPLES, members=2)
    model.networks.train(False)
    batch = model.collate(model.encode(EXAMPLES[:3]))

    with torch.inference_mode():
        shares, (one, other) = model.shares(batch), [network.shares(batch) for network in model.members]
    model.save(tmp_path)
    again = spans.Model.load(tmp_path, model.config, device=torch.device("cpu"))

    assert not torch.allclose(one.alone_BNLA, other.alone_BNLA)
    torch.testing.assert_close(shares.alone_BNLA, (one.alone_BNLA + other.alone_BNLA) / 2)
    assert_same(again.predict(EXAMPLES[:3]), model.predict(EXAMPLES[:3]))


def test_a_threshold_makes_unsure_answers_unknown(independent):
    example = EXAMPLES[0]
    [value, *_] = independent.predict([example])
    independent.rule = Rule(decoder="independent", threshold=1.1)

    [unknown, *_] = independent.predict([example])

    assert value.state == State.VALUE
    assert value.support == Support.PRINTED
    assert replay(value.evidence, sources(example, None)) == value.value
    assert (unknown.state, unknown.value, unknown.runner_up) == (State.UNKNOWN, None, value.value)
    assert unknown.score == unknown.unknown_probability


def test_decoder_and_threshold_are_chosen_where_f1_is_best():
    right = np.array([True, True, False, True])
    judged: dict[Decoder, Judged] = {
        "joint": Judged(right, np.array([0.9, 0.8, 0.2, 0.7])),
        "independent": Judged(~right, np.array([0.9, 0.8, 0.2, 0.7])),
    }

    assert span_answers.choose(judged, num_answers=4) == Rule(decoder="joint", threshold=0.22)
    assert span_answers.choose({"independent": judged["joint"]}, num_answers=4).decoder == "independent"


def test_what_was_chosen_is_saved_and_pinned_settings_are_kept(learnt, tmp_path):
    chosen = tiny_spans.model(EXAMPLES, decoder="chosen")
    chosen.settle(EXAMPLES[:8])
    chosen.save(tmp_path)
    pinned = tiny_spans.model(EXAMPLES, decoder="joint", threshold=0.3)
    pinned.settle(EXAMPLES[:8])

    again = spans.Model.load(tmp_path, chosen.config, device=torch.device("cpu"))

    assert again.rule == chosen.rule
    assert pinned.rule == Rule(decoder="joint", threshold=0.3)


def test_a_catalogue_of_other_features_is_refused(learnt, tmp_path):
    card = {"name": "spans", "config": learnt.config, "ocr_schema": "recited", "examples_id": "e"}
    checkpoint.save(tmp_path / "model", learnt, feature_schema="grid:8", **card)

    with pytest.raises(ModelError, match="feature_schema"):
        checkpoint.load(tmp_path / "model", device="cpu", feature_schema="other")
    assert checkpoint.load(tmp_path / "model", device="cpu", feature_schema="grid:8").card.model == "spans"


def test_an_attribute_that_joins_is_answered_by_its_question_or_unknown_as_configured():
    scent = Definition(product_type="soap", attribute="scent", question="which brand?", options={"rose": ()})
    example = Example(product_id="x", product_type="soap", title="rose", asked=(Question(attribute="scent"),))
    states = {}
    for unseen in ("answered", "unknown"):
        model = tiny_spans.model(EXAMPLES, decoder="independent", unseen=unseen)
        model.define((*tiny_pam.definitions(), scent))
        [states[unseen]] = model.predict([example])

    assert states["answered"].value == "rose"
    assert (states["unknown"].state, states["unknown"].value) == (State.UNKNOWN, None)
    assert states["unknown"].score == pytest.approx(1.0)


@pytest.mark.parametrize("title", [None, "", "...", "17 + 4", "abc", "abc " * 5000])
def test_odd_titles_are_answered(learnt, title):
    example = Example(product_id="x", product_type="soap", title=title, asked=(Question(attribute="brand"),))

    [answer] = learnt.predict([example])

    assert math.isfinite(answer.score)
    assert (answer.state == State.UNKNOWN) or answer.value in title


def test_a_closed_attribute_says_nothing_but_its_options(learnt):
    answers = learnt.predict(tiny_pam.products(20, seed=4))

    forms = {answer.value.lower() for answer in answers if answer.attribute == "form" and answer.value is not None}
    assert forms <= {form for own in tiny_pam.FORMS.values() for form in own}
    assert forms
