"""Vectors of words and states of texts: of each word its own, whatever stands beside it, and the same after loading."""

import json

import numpy as np
import pytest

from extractor.encoders import bert, fasttext
from extractor.errors import ConfigError, ModelError

SPELLS = bert.Config(name="random", layers=1)
LEARNS = fasttext.Config(dim=8, buckets=200, epochs=1)
TEXTS = ["alba green tea", "nivea soap", "green soap by alba"]


@pytest.fixture(scope="module")
def speller():
    return bert.Encoder.create(SPELLS, ())


@pytest.fixture(scope="module")
def learner():
    return fasttext.Encoder.create(LEARNS, TEXTS)


@pytest.mark.parametrize("name", ["speller", "learner"])
def test_a_word_has_one_vector_whatever_stands_beside_it(name, request):
    encoder = request.getfixturevalue(name)

    alone, beside = encoder.vectors(["alba"]), encoder.vectors(["nivea", "alba", "unheardof"])

    assert alone.dtype == np.float32
    assert beside.shape == (3, encoder.dim)
    assert beside[1] == pytest.approx(alone[0], abs=1e-6)
    assert np.abs(beside[0] - beside[1]).max() > 0.01
    assert beside[2].any()  # a word that training never saw still has its spelling


@pytest.mark.parametrize("name", ["speller", "learner"])
def test_no_word_is_all_zeros_and_no_text_is_an_empty_table(name, request):
    encoder = request.getfixturevalue(name)

    nothing, none = encoder.vectors(["", " "]), encoder.vectors([])

    assert not nothing.any()
    assert none.shape == (0, encoder.dim)


def test_a_word_s_state_is_the_mean_of_its_pieces(speller):
    pieces = speller.pieces([["ab", "c"]])

    [state] = speller.states([pieces])
    [loose] = speller.states([pieces._replace(word=tuple(range(len(pieces.ids))))])

    assert pieces.word == (0, 1, 1, 2, -1)
    assert state.shape == (3, speller.dim)
    assert state[0] == pytest.approx(loose[0], abs=1e-5)
    assert state[1] == pytest.approx((loose[1] + loose[2]) / 2, abs=1e-5)
    assert state[2] == pytest.approx(loose[3], abs=1e-5)


def test_a_text_is_cut_between_words_at_the_cap():
    encoder = bert.Encoder.create(bert.Config(name="random", layers=1, max_pieces=6), ())

    cut, whole = encoder.pieces([["ab", "cde"]]), encoder.pieces([["ab", "cd"]])

    assert (cut.num_words, cut.word) == (1, (0, 1, 1, -1))
    assert (whole.num_words, whole.word) == (2, (0, 1, 1, 2, 2, -1))


def test_long_and_short_texts_come_back_in_their_own_order(speller):
    texts = [speller.pieces([word.split()]) for word in ("a b c d e", "a", "b c")]

    together = speller.states(texts)

    for text, found in zip(texts, together, strict=True):
        assert found == pytest.approx(speller.states([text])[0], abs=1e-5)


@pytest.mark.parametrize(
    ("name", "module", "rounding"),
    [
        ("speller", bert, 1e-5),
        ("learner", fasttext, 0.0),
    ],  # kernels may round differently where equal weights lie elsewhere
)
def test_a_loaded_encoder_gives_the_same_vectors(name, module, rounding, request, tmp_path):
    encoder = request.getfixturevalue(name)
    encoder.save(tmp_path)

    loaded = module.Encoder.load(tmp_path, encoder.config)

    assert loaded.vectors(["alba", "unheardof"]) == pytest.approx(encoder.vectors(["alba", "unheardof"]), abs=rounding)


def test_other_settings_and_other_weights_are_refused(speller, tmp_path):
    speller.save(tmp_path)
    with pytest.raises(ModelError, match="settings"):
        bert.Encoder.load(tmp_path, bert.Config(name="random", layers=2))

    saved = json.loads((tmp_path / "encoder.json").read_text())
    (tmp_path / "encoder.json").write_text(json.dumps(saved | {"fingerprint": "0" * 16}))

    with pytest.raises(ModelError, match="fingerprint 0000000000000000"):
        bert.Encoder.load(tmp_path, SPELLS)


def test_fasttext_learns_the_same_from_the_same_texts(learner):
    again = fasttext.Encoder.create(LEARNS, TEXTS)

    other = fasttext.Encoder.create(LEARNS, ["loose leaf", "powder"])

    assert np.array_equal(again.vectors(["tea"]), learner.vectors(["tea"]))
    assert not np.array_equal(other.vectors(["tea"]), learner.vectors(["tea"]))


def test_what_cannot_be_learnt_or_read_is_refused():
    with pytest.raises(ModelError, match="no word in the training texts"):
        fasttext.Encoder.create(LEARNS, ["", "  "])
    with pytest.raises(ModelError, match=r"missing\.bin"):
        fasttext.Encoder.create(fasttext.Config(path="missing.bin"), TEXTS)
    with pytest.raises(ModelError, match="no_such_folder"):
        bert.Encoder.create(bert.Config(name="./no_such_folder"), ())


def test_minilm_comes_in_its_wheel():
    encoder = bert.Encoder.create(bert.Config(layers=1), ())

    [shampoo] = encoder.vectors(["shampoo"])

    assert shampoo.shape == (384,)
    assert encoder.bert.config.num_hidden_layers == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "random", "max_pieces": 513}, "max_pieces.*513.*3 to 512"),
        ({"name": "random", "max_pieces": 2}, "max_pieces.*3 to 512"),
        ({"layers": 7}, "layers.*7.*1 to 6"),
    ],
)
def test_what_a_bert_does_not_have_is_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        bert.Encoder.create(bert.Config(**wrong), ())
