"""The twelve things that MODELS section 12 asks of every generative model, asked of MXT."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from extractor import checkpoint, text
from extractor.errors import ModelError
from extractor.evidence import replay, sources
from extractor.models import mxt
from extractor.nn import t5
from extractor.prompts import split
from extractor.records import Example, Picture, Question
from schemas.enums import Source, State, Support
from tests.extractor import tiny_mxt, tiny_pam
from tests.extractor.same import assert_same

QUESTIONS = (Question(attribute="brand"), Question(attribute="form"), Question(attribute="color"))


def prepared(model, examples):
    """A batch for decoding."""
    return model.collate([model.reader.read(example, learning=False) for example in examples])


def scores(predictions):
    return [prediction.score for prediction in predictions]


def told(predictions):
    """All but the floats."""
    return [(p.product_id, p.attribute, p.state, p.value, p.evidence, p.vocab_id) for p in predictions]


def decoded_naively(model, batch):
    """As Network.decode, but every step reads and writes everything anew."""
    network = model.network
    said_RT = torch.empty(len(batch.source_R), 0, dtype=torch.long)
    guide = mxt.Guide([model.trees[group] for group in batch.group_R.tolist()], network.eos)
    copied_RX = torch.zeros_like(batch.absent_EX[batch.source_R])
    shares = []
    for step in range(network.config.reads.longest_answer + 1):
        memory = network.read(batch)
        crossed = t5.spread(network.writer.cross(memory.state_EXD), batch.source_R)
        input_RTD = torch.cat([network.begin(batch), network.heard(memory, batch, said_RT)], dim=1)
        state_RTD, _ = network.writer.decode(input_RTD, crossed, memory.absent_EX[batch.source_R])
        chances = network.chances(state_RTD[:, -1:], memory, batch, copied_RX)
        share_R, said_R = guide.held(chances.log_RTC[:, 0], step).max(-1)
        shares.append(share_R.exp())
        guide.follow(said_R.tolist())
        says_RX = batch.say_EX[batch.source_R] == said_R[:, None]
        for row in range(len(copied_RX)):
            places = [x for x in range(copied_RX.shape[1]) if says_RX[row, x] and not copied_RX[row, x]]
            if places:
                copied_RX[row, max(places, key=lambda x: float(chances.weight_RTX[row, 0, x]))] = True
        said_RT = torch.cat([said_RT, said_R[:, None]], dim=1)
    return said_RT, torch.stack(shares, dim=1)


@pytest.fixture(scope="module")
def learnt():
    """A model that has seen 120 products."""
    examples = tiny_mxt.products(120)
    model = tiny_mxt.model(examples)
    tiny_pam.train(model, examples, steps=300, lr=5e-3)
    return model, examples


@pytest.mark.parametrize("attribute_in", ["encoder", "decoder"])
@torch.inference_mode()
def test_01_cached_decoding_says_what_full_recomputation_says(attribute_in):
    examples = tiny_mxt.products(3)
    model = tiny_mxt.model(examples, longest_answer=4, attribute_in=attribute_in)
    model.module.train(False)
    batch = prepared(model, examples)

    cached = model.network.decode(batch, model.trees)

    said_RT, share_RT = decoded_naively(model, batch)
    length = cached.said_RT.shape[1]
    end_RT = (cached.said_RT == model.network.eos).long()
    ended_RT = end_RT.cumsum(1) - end_RT > 0
    assert length > 2
    assert torch.equal(cached.said_RT[~ended_RT], said_RT[:, :length][~ended_RT])
    assert (cached.probability_RT - share_RT[:, :length])[~ended_RT].abs().max() <= 1e-5


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
    batch = prepared(model, [examples[0], replace(examples[1], title="a b c d e f g h i j k l", pictures=())])
    none_E = batch.no_picture_E
    num_absent = int(batch.absent_EX.sum())
    dirty = batch._replace(
        source=batch.source._replace(
            piece_N=torch.cat([batch.source.piece_N, torch.full((num_absent,), 2000)]),
            unit_N=torch.cat([batch.source.unit_N, batch.absent_EX.flatten().nonzero()[:, 0]]),
        ),
        pooled_EF=batch.pooled_EF.masked_fill(none_E[:, None], 1e3),
        cell_EGF=batch.cell_EGF.masked_fill(none_E[:, None, None], 1e3),
    )
    assert num_absent
    assert none_E.any()

    clean, dirty = (model.network.decode(given, model.trees) for given in (batch, dirty))

    assert torch.equal(clean.said_RT, dirty.said_RT)
    assert torch.allclose(clean.probability_RT, dirty.probability_RT, atol=1e-6)


@pytest.mark.parametrize(
    "missing",
    [
        Example(product_id="x", product_type="soap", asked=QUESTIONS),
        Example(product_id="x", product_type="soap", title="", bullets=("",), asked=QUESTIONS),
        Example(product_id="x", product_type="soap", title="\U0001f525", asked=QUESTIONS),
        replace(tiny_mxt.products(2)[1], title=None),
        replace(tiny_mxt.products(2)[1], pictures=()),
        replace(tiny_mxt.products(2)[1], pictures=(Picture(position=0, image_hash="x"),)),
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


def test_06_it_copies_words_that_it_never_saw_and_says_words_that_stand_nowhere(learnt):
    model, examples = learnt
    known = {question.answer for example in examples for question in example.asked}
    new = tiny_mxt.products(40, seed=1)

    answered = model.predict(new)

    wanted = [question.answer for example in new for question in example.asked]
    right = [p for p, answer in zip(answered, wanted, strict=True) if p.value is not None and p.value == answer]
    copied = [p for p in right if p.attribute == "brand" and p.value not in known]
    said = [p for p in right if p.attribute == "color"]
    assert len(copied) >= 10
    assert all(p.support == Support.PRINTED for p in copied)
    assert len(said) >= 30
    assert all(p.evidence[0].source == Source.WRITTEN and p.support == Support.INFERRED for p in said)
    assert all(p.evidence[1].source == Source.REGION and p.evidence[1].box is not None for p in said)


def test_06_a_copied_word_is_written_with_the_accents_of_the_page(learnt):
    model, _ = learnt
    new = tiny_mxt.products(40, seed=1)
    brands = {example.product_id: example.asked[0].answer or "" for example in new}
    accented = [
        replace(
            example,
            title=(example.title or "").replace(brand := brands[example.product_id], brand.replace("e", "\u00e9")),
        )
        for example in new
    ]

    plain, marked = (
        {p.product_id: p for p in model.predict(examples) if p.attribute == "brand"} for examples in (new, accented)
    )

    found = [name for name, one in plain.items() if one.value == brands[name] and "e" in one.value]
    read = [name for name in found if plain[name].evidence[0].source == Source.TITLE]
    assert len(read) >= 3
    assert all(marked[name].value == brands[name].replace("e", "\u00e9") for name in read)
    assert all(marked[name].support == Support.PRINTED for name in read)


@pytest.mark.parametrize("seed", range(3))
def test_07_a_closed_attribute_is_answered_by_one_of_its_values_alone(seed):
    examples = tiny_mxt.products(12)
    model = tiny_mxt.model(examples, seed=seed)  # untrained: says anything that it may

    answered = [p for p in model.predict(examples) if p.attribute == "form"]

    assert {p.state for p in answered} <= {State.VALUE, State.UNKNOWN}
    assert all(p.value is None or p.value in tiny_pam.FORMS[p.product_type] for p in answered)


def test_08_another_category_opens_its_values_and_closes_those_of_the_first(learnt):
    model, _ = learnt
    blank = Example(product_id="x", product_type="soap", title="x", asked=(Question(attribute="form"),))

    [as_soap] = model.predict([blank])
    [as_tea] = model.predict([replace(blank, product_type="green tea")])

    assert as_soap.vocab_id != as_tea.vocab_id
    assert as_soap.value in (None, "gel", "pump bottle")
    assert as_tea.value in (None, "loose leaf", "powder")


def test_09_evidence_replays_to_the_value(learnt):
    model, examples = learnt
    closed = {given.vocabulary.vocab_id: given.vocabulary for given in model.speaker.options if given}

    answered = model.predict(examples)

    asked = [example for example in examples for _ in example.asked]
    spoken = [(example, p) for example, p in zip(asked, answered, strict=True) if p.state == State.VALUE]
    assert len(spoken) > 300
    for example, prediction in spoken:
        text_of = sources(example, closed.get(prediction.vocab_id))
        assert replay(prediction.evidence, text_of) == prediction.value


def test_10_a_seed_decides_everything_on_a_cpu():
    examples = tiny_mxt.products(16)

    losses = [tiny_pam.train(tiny_mxt.model(examples, seed=seed), examples, steps=4) for seed in (0, 0, 1)]

    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def test_11_an_option_list_of_the_day_is_answered_without_new_weights(learnt):
    model, examples = learnt
    before = model.knowledge.definitions
    changed = tuple(
        replace(given, options={"bar of soap": ()}) if given.product_type == "soap" and given.options else given
        for given in before
    )

    old = model.predict(examples[:4])

    model.define(changed)
    answered = [p for p in model.predict(examples) if p.product_type == "soap" and p.attribute == "form"]
    model.define(before)

    assert {p.value for p in answered} <= {"bar of soap", None}
    assert_same(model.predict(examples[:4]), old)


def test_12_a_loaded_model_answers_as_before_and_refuses_other_features(learnt, tmp_path):
    model, examples = learnt
    before = model.predict(examples[:8])
    checkpoint.save(
        tmp_path / "mxt",
        model,
        name="mxt",
        config=model.config,
        feature_schema="grid:8",
        ocr_schema="recited",
        examples_id="e",
    )

    loaded = checkpoint.load(tmp_path / "mxt", device="cpu", feature_schema="grid:8").model

    assert_same(loaded.predict(examples[:8]), before)
    with pytest.raises(ModelError, match="feature_schema"):
        checkpoint.load(tmp_path / "mxt", device="cpu", feature_schema="grid:16")


def test_a_grid_of_another_shape_is_refused_by_name(learnt):
    model, examples = learnt
    picture = examples[0].pictures[0]
    cut = picture.features._replace(regions=picture.features.regions[:3], boxes=picture.features.boxes[:3])

    with pytest.raises(ModelError, match=r"features of product 'p0': found 2 cells .* expected 4"):
        model.predict([replace(examples[0], pictures=(replace(picture, features=cut),))])


def test_features_of_another_width_are_refused_by_name(learnt):
    model, examples = learnt
    picture = examples[0].pictures[0]
    wider = picture.features._replace(regions=np.zeros((5, 16), np.float16))

    with pytest.raises(ModelError, match="features of product 'p0': found 16 floats, expected 8 floats"):
        model.predict([replace(examples[0], pictures=(replace(picture, features=wider),))])


def test_a_question_longer_than_the_input_is_refused_and_never_cut():
    examples = tiny_mxt.products(2)
    model = tiny_mxt.model(examples, max_units=4)

    with pytest.raises(ModelError, match="neither question nor type is ever cut"):
        model.predict(examples)


def test_text_that_does_not_fit_is_cut_and_the_question_is_not():
    examples = tiny_mxt.products(1)
    model = tiny_mxt.model(examples, max_units=16)
    long = replace(examples[0], title=" ".join(["word"] * 90))

    read = model.reader.read(long, learning=False)

    starts = [split(source.units)[: len(model.reader.name(one.group))] for source, one in zip(*read[:2], strict=True)]
    assert all(len(source.say) == 16 for source in read.sources)
    assert starts == [list(model.reader.name(one.group)) for one in read.asked]


def test_an_answer_that_does_not_end_is_truncated(learnt, monkeypatch):
    model, examples = learnt
    longest = replace(model.config, reads=replace(model.config.reads, longest_answer=1))

    with monkeypatch.context() as patch:
        patch.setattr(model.network, "config", longest)
        patch.setattr(model.reader, "config", longest.reads)
        answered = [p for p in model.predict(examples[:20]) if p.attribute == "brand"]

    cut = [p for p in answered if p.state == State.TRUNCATED]
    assert cut
    assert all(p.value for p in cut)
