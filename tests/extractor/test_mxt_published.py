"""MXT over a published T5: a folder of weights and tokenizer is all it takes, and a folder of another kind is named."""

from dataclasses import replace

import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration, T5Tokenizer

from extractor.errors import ModelError
from extractor.models import mxt
from extractor.models.mxt import Published
from tests.extractor import tiny_mxt, tiny_pam
from tests.extractor.same import assert_same

EXAMPLES = tiny_mxt.products(12)
LETTERS = "abcdefghijklmnopqrstuvwxyz:ABCDEFGH"
PIECES = ["<pad>", "</s>", "<unk>", "\u2581", *LETTERS, *(f"\u2581{letter}" for letter in LETTERS)]


def weights(folder, unused=8):
    torch.manual_seed(0)
    config = T5Config(vocab_size=len(PIECES) + unused, d_model=32, d_kv=8, d_ff=48, num_layers=1, num_heads=4)
    T5ForConditionalGeneration(config).save_pretrained(folder)


def tokenizer(folder, pieces=PIECES):
    vocab = [(piece, -float(number)) for number, piece in enumerate(pieces)]
    T5Tokenizer(vocab=vocab, extra_ids=0).save_pretrained(folder)


def model(folder):
    config = replace(
        tiny_mxt.config(longest_answer=6), writer=Published(name=str(folder)), copy_gate=False, smear=False
    )
    return mxt.Model.create(config, tiny_pam.knowledge(EXAMPLES), EXAMPLES, seed=0)


def test_it_learns_answers_and_is_the_same_when_loaded_without_the_folder(tmp_path):
    weights(tmp_path / "t5")
    tokenizer(tmp_path / "t5")
    taught = model(tmp_path / "t5")

    losses = tiny_pam.train(taught, EXAMPLES, steps=10)
    taught.save(tmp_path / "mxt")
    (tmp_path / "t5").rename(tmp_path / "gone")
    loaded = mxt.Model.load(tmp_path / "mxt", taught.config, device=torch.device("cpu"))

    assert losses[-1] < losses[0]
    answered = taught.predict(EXAMPLES)
    assert len(answered) == 36
    assert_same(loaded.predict(EXAMPLES), answered)


def test_a_folder_without_tokenizer_is_named(tmp_path):
    weights(tmp_path / "t5")

    with pytest.raises(ModelError, match=r"t5.*tokenizer"):
        model(tmp_path / "t5")


def test_a_tokenizer_with_more_pieces_than_the_weights_is_named(tmp_path):
    weights(tmp_path / "t5", unused=-1)
    tokenizer(tmp_path / "t5")

    with pytest.raises(ModelError, match=f"found {len(PIECES)} pieces"):
        model(tmp_path / "t5")


def test_a_tokenizer_of_far_fewer_pieces_is_that_of_another_model(tmp_path):
    weights(tmp_path / "t5", unused=1000)
    tokenizer(tmp_path / "t5")

    with pytest.raises(ModelError, match=f"found {len(PIECES)} pieces"):
        model(tmp_path / "t5")
