"""The twelve things that MODELS section 12 asks of every generative model, asked of PAM."""

import math
from dataclasses import replace

import pytest
import torch

from extractor import checkpoint, text
from extractor.errors import ModelError
from extractor.evidence import replay, sources
from extractor.records import Example, Picture, Question
from schemas.enums import Source, State
from tests.extractor import reference, tiny_pam
from tests.extractor.same import assert_same

QUESTIONS = (Question(attribute="brand"), Question(attribute="form"), Question(attribute="color"))


def prepared(model, examples):
    """A batch for decoding."""
    return model.collate([product.encoded for product in model.reader.read(examples, learning=False)])


def scores(predictions):
    return [prediction.score for prediction in predictions]


def told(predictions):
    """All but the floats."""
    return [(p.product_id, p.attribute, p.state, p.value, p.evidence, p.vocab_id) for p in predictions]


@pytest.fixture(scope="module")
def learnt():
    """A model that has seen 120 products; no brand occurs ten times, so brand words are in no vocabulary."""
    examples = tiny_pam.products(120)
    model = tiny_pam.model(examples, min_count=10)
    tiny_pam.train(model, examples, steps=240, lr=5e-3)
    return model, examples


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"target_prefix": True},
        {"prev_embeds": "input", "norm": "post", "score_scale": "none"},
        {"merge": "max", "attribute_in": "text"},
    ],
)
@torch.inference_mode()
def test_01_cached_decoding_says_what_full_recomputation_says(changes):
    examples = tiny_pam.products(3)
    model = tiny_pam.model(examples, longest_answer=4, **changes)
    model.module.train(False)
    batch = prepared(model, examples)

    cached, naive = model.network.decode(batch), reference.decode(model.network, batch)

    assert cached.said_BQT.shape[2] > 2
    assert torch.equal(cached.said_BQT, naive.said_BQT)
    for name in ("probability_BQT", "unknown_BQT", "second_probability_BQT", "sigmoid_BQT"):
        assert (getattr(cached, name) - getattr(naive, name)).abs().max() <= 1e-5


def test_02_a_product_alone_is_answered_as_in_a_batch_of_mixed_groups(learnt):
    model, examples = learnt
    long = replace(examples[1], title=" ".join(["word"] * 50))
    batch = [examples[0], long, replace(examples[2], pictures=(), asked=QUESTIONS[:1])]

    together = model.predict(batch)

    alone = [prediction for example in batch for prediction in model.predict([example])]
    assert told(together) == told(alone)
    assert scores(together) == pytest.approx(scores(alone), abs=1e-5)


@torch.inference_mode()
def test_03_garbage_in_padded_slots_changes_nothing(learnt):
    model, examples = learnt
    batch = prepared(model, [examples[0], replace(examples[1], title="a b c d e f g h", pictures=())])
    garbage = {
        "text_BMX": (batch.text_BMX, batch.text_absent_BM),
        "region_BOV": (batch.region_BOV, batch.region_absent_BO),
        "region_box_BO4": (batch.region_box_BO4, batch.region_absent_BO),
        "ocr_word_BNF": (batch.ocr_word_BNF, batch.ocr_absent_BN),
        "ocr_visual_BNV": (batch.ocr_visual_BNV, batch.ocr_absent_BN),
        "ocr_place_BN7": (batch.ocr_place_BN7, batch.ocr_absent_BN),
        "edit_BQK": (batch.edit_BQK, batch.absent_BQC[..., batch.word_BQL.shape[2] :]),
    }
    filled = {
        name: tensor.masked_fill(absent if absent.dim() == tensor.dim() else absent[..., None], 1e3)
        for name, (tensor, absent) in garbage.items()
    }
    assert all(not torch.equal(filled[name], tensor) for name, (tensor, _) in garbage.items())

    clean, dirty = model.network.decode(batch), model.network.decode(batch._replace(**filled))

    assert torch.equal(clean.said_BQT, dirty.said_BQT)
    assert torch.allclose(clean.probability_BQT, dirty.probability_BQT, atol=1e-6)


@pytest.mark.parametrize(
    "missing",
    [
        Example(product_id="x", product_type="soap", asked=QUESTIONS),
        Example(product_id="x", product_type="soap", title="", bullets=("",), asked=QUESTIONS),
        Example(product_id="x", product_type="soap", title="\U0001f525", asked=QUESTIONS),
        replace(tiny_pam.product(1), title=None),
        replace(tiny_pam.product(1), pictures=()),
        replace(tiny_pam.product(1), pictures=(replace(tiny_pam.product(1).pictures[0], features=None),)),
        replace(tiny_pam.product(1), pictures=(Picture(position=0, image_hash="x"),)),
    ],
)
def test_04_what_is_missing_leaves_finite_answers_and_a_finite_loss(learnt, missing):
    model, _ = learnt

    answered = model.predict([missing])

    assert len(answered) == len(missing.asked)
    assert all(0.0 <= prediction.score <= 1.0 for prediction in answered)
    assert math.isfinite(model.loss(model.collate(model.encode([missing]))).item())


def test_05_it_learns_sixty_four_products_by_heart(learnt):
    model, examples = learnt

    answered = model.predict(examples[:64])

    wanted = [text.keys(question.answer or "") for example in examples[:64] for question in example.asked]
    assert [text.keys(prediction.value or "") for prediction in answered] == wanted


def test_06_it_copies_words_of_no_vocabulary_and_says_words_that_stand_nowhere(learnt):
    model, _ = learnt
    words = {word for vocabulary in model.knowledge.vocabularies.values() for word in vocabulary.words}

    answered = model.predict(tiny_pam.products(40, seed=1))

    wanted = [question.answer for example in tiny_pam.products(40, seed=1) for question in example.asked]
    right = [
        p for p, answer in zip(answered, wanted, strict=True) if text.keys(p.value or "") == text.keys(answer or "")
    ]
    copied = [p for p in right if p.attribute == "brand" and p.value is not None]
    said = [p for p in right if p.attribute == "color"]
    assert len(copied) >= 15  # of 40 that training never saw; a page has about seven words
    assert all(not words & set(p.value.split()) and p.support == "printed" for p in copied)
    assert len(said) >= 30
    assert all(p.evidence[0].source == Source.VOCABULARY and p.support == "inferred" for p in said)


@pytest.mark.parametrize("seed", range(4))
def test_07_it_never_says_a_word_from_outside(seed):
    examples = tiny_pam.products(12)
    model = tiny_pam.model(examples, seed=seed, max_text=3)  # untrained: says anything that it may

    answered = model.predict(examples)

    asked = [example for example in examples for _ in example.asked]
    for example, prediction in zip(asked, answered, strict=True):
        vocabulary = model.knowledge.vocabularies[example.product_type, prediction.attribute]
        shown = [
            *text.words(example.title or "")[:3],
            *text.words(" ".join(t.text for t in example.pictures[0].tokens)),
        ]
        allowed = {word.key for word in shown} | {key for word in vocabulary.words for key in text.keys(word)}
        assert set(text.keys(prediction.value or "")) <= allowed


def test_08_another_category_opens_its_words_and_closes_those_of_the_first(learnt):
    model, _ = learnt
    blank = Example(product_id="x", product_type="soap", title="x", asked=(Question(attribute="form"),))

    [as_soap] = model.predict([blank])
    [as_tea] = model.predict([replace(blank, product_type="green tea")])

    assert as_soap.vocab_id != as_tea.vocab_id
    assert {as_soap.value, as_soap.runner_up} <= {None, "gel", "pump bottle", "unknown"}
    assert {as_tea.value, as_tea.runner_up} <= {None, "loose leaf", "powder", "unknown"}
    batch = prepared(model, [replace(blank, product_type="green tea")])
    assert (~batch.absent_BQC).sum() == 2 + 2  # unknown and EOS, two options; no word of the page is one


def test_09_evidence_replays_to_the_value(learnt):
    model, examples = learnt
    vocabularies = {vocabulary.vocab_id: vocabulary for vocabulary in model.knowledge.vocabularies.values()}

    answered = model.predict(examples)

    asked = [example for example in examples for _ in example.asked]
    spoken = [(example, p) for example, p in zip(asked, answered, strict=True) if p.state == State.VALUE]
    assert len(spoken) > 300
    for example, prediction in spoken:
        text_of = sources(example, vocabularies[prediction.vocab_id])
        assert replay(prediction.evidence, text_of) == prediction.value
        assert all(text_of(word)[word.start : word.end] == word.word for word in prediction.evidence)


def test_10_a_seed_decides_everything_on_a_cpu():
    examples = tiny_pam.products(16)

    losses = [tiny_pam.train(tiny_pam.model(examples, seed=seed, dropout=0.1), examples, steps=4) for seed in (0, 0, 1)]

    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def test_11_the_order_of_ocr_tokens_says_nothing(learnt):
    model, examples = learnt
    given = next(example for example in examples if len(example.pictures[0].tokens) == 3)
    picture = given.pictures[0]
    features = picture.features._replace(token_vectors=picture.features.token_vectors[[2, 0, 1]])
    shuffled = replace(picture, tokens=tuple(picture.tokens[place] for place in (2, 0, 1)), features=features)

    before, after = model.predict([given]), model.predict([replace(given, pictures=(shuffled,))])

    assert [p.value for p in after] == [p.value for p in before]
    assert scores(after) == pytest.approx(scores(before), abs=1e-5)


def test_12_a_loaded_model_answers_as_before_and_refuses_other_features(learnt, tmp_path):
    model, examples = learnt
    before = model.predict(examples[:8])
    checkpoint.save(
        tmp_path / "pam",
        model,
        name="pam",
        config=model.config,
        feature_schema="grid:8",
        ocr_schema="recited",
        examples_id="e",
    )

    loaded = checkpoint.load(tmp_path / "pam", device="cpu", feature_schema="grid:8").model

    assert_same(loaded.predict(examples[:8]), before)
    with pytest.raises(ModelError, match="feature_schema"):
        checkpoint.load(tmp_path / "pam", device="cpu", feature_schema="grid:16")
    wider = replace(
        examples[0].pictures[0], features=examples[0].pictures[0].features._replace(regions=torch.zeros(2, 16).numpy())
    )
    with pytest.raises(ModelError, match="features of product 'p0': found 16 floats, expected 8 floats"):
        loaded.predict([replace(examples[0], pictures=(wider,))])
