"""From what was written, step by step, to a prediction: state, confidence, words and evidence."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from extractor import subwords
from extractor.records import Question
from extractor.writing import NUM_REGIONS, Written, looked_at
from schemas.enums import Source, State, Support
from tests.extractor import tiny_mxt

EXAMPLES = tiny_mxt.products(8)
MODEL = tiny_mxt.model(EXAMPLES)


def spoken(value, shares, *, attribute="color", ends=True, cells=(0.1, 0.4, 0.2, 0.3), example=EXAMPLES[0]):
    """The prediction that the speaker makes of one written answer; `value` None says `unknown`."""
    example = replace(example, asked=(Question(attribute=attribute),))
    encoded = MODEL.reader.read(example, learning=False)
    units = MODEL.pieces.unknown if value is None else subwords.phrase(MODEL.pieces, value)
    numbers = [MODEL.reader.number[unit] for unit in units]
    padding = [MODEL.network.eos] * (len(shares) - len(numbers)) if ends else []
    written = Written(
        said_RT=torch.tensor([[*numbers, *padding]]),
        probability_RT=torch.tensor([shares]),
        unknown_R=torch.tensor([0.05]),
        second_R=torch.tensor([MODEL.reader.number[subwords.phrase(MODEL.pieces, "green")[0]]]),
        second_probability_R=torch.tensor([0.1]),
        cell_RG=torch.tensor([cells]),
    )
    [prediction] = MODEL.speaker.predictions([example], [encoded], written)
    return prediction


def test_confidence_is_the_product_with_the_end_and_the_weakest_unit_stands_beside_it():
    prediction = spoken("red", [0.8, 0.5])

    assert prediction.state is State.VALUE
    assert prediction.value == "red"
    assert prediction.score == pytest.approx(0.4)
    assert prediction.min_token_probability == pytest.approx(0.5)
    assert prediction.runner_up == "green"
    assert prediction.margin == pytest.approx(0.7)
    assert prediction.unknown_probability == pytest.approx(0.05)


def test_what_is_said_after_the_end_counts_for_nothing():
    assert spoken("red", [0.8, 0.5, 0.1, 0.1]).score == pytest.approx(0.4)


def test_a_value_that_stands_nowhere_is_inferred_and_names_the_cells_that_were_looked_at_most():
    prediction = spoken("red", [0.8, 0.5])

    assert prediction.support is Support.INFERRED
    first, *seen = prediction.evidence
    assert (first.source, first.word) == (Source.WRITTEN, "red")
    assert [one.source for one in seen] == [Source.REGION] * NUM_REGIONS
    assert [one.token_index for one in seen] == [2, 4, 3]
    assert all(one.box is not None and one.image_hash for one in seen)


def test_a_value_that_the_title_prints_rests_on_its_words_alone():
    example = replace(EXAMPLES[0], title="a red thing")

    prediction = spoken("red", [0.8, 0.5], example=example)

    assert prediction.support is Support.PRINTED
    [one] = prediction.evidence
    assert (one.source, one.word, one.start, one.end) == (Source.TITLE, "red", 2, 5)


def test_unknown_has_no_value_and_no_evidence():
    prediction = spoken(None, [0.6, 0.9])

    assert prediction.state is State.UNKNOWN
    assert prediction.value is None
    assert prediction.evidence == ()
    assert prediction.score == pytest.approx(0.54)


def test_an_answer_without_an_end_keeps_its_beginning_and_says_so():
    longest = MODEL.reader.config.longest_answer

    prediction = spoken(" ".join(["red"] * (longest + 1)), [0.9] * (longest + 1), ends=False)

    assert prediction.state is State.TRUNCATED
    assert prediction.value == " ".join(["red"] * longest)
    assert prediction.score == pytest.approx(0.9**longest)


def test_without_a_picture_or_without_attention_no_cell_is_named():
    bare = replace(EXAMPLES[0], pictures=())

    assert list(looked_at(bare, np.array([0.5, 0.5, 0.0, 0.0], np.float32))) == []
    assert list(looked_at(EXAMPLES[0], np.zeros(4, np.float32))) == []
    assert list(looked_at(EXAMPLES[0], np.zeros(0, np.float32))) == []


def test_the_only_cell_of_a_grid_of_one_is_the_whole_picture():
    [whole] = looked_at(EXAMPLES[0], np.ones(1, np.float32))

    assert whole.token_index == 0
    assert whole.box == (0, 0, 1, 1)
