"""Replaying evidence rebuilds the value byte for byte, and evidence that points nowhere is refused."""

import pytest

from extractor.errors import ModelError
from extractor.evidence import replay, sources
from extractor.records import Box, Evidence, Example, Picture, Token
from extractor.vocabulary import Vocabulary
from schemas.enums import Source

BOX = Box(0, 0, 1, 1)
EXAMPLE = Example(
    product_id="p",
    product_type="cereal",
    title="Kellogg's  Corn-Flakes 500g, Off",
    bullets=("Off brand",),
    pictures=(
        Picture(position=0, image_hash="front", tokens=(Token("64loads", 1, BOX), Token("Corn", 1, BOX))),
        Picture(position=1, image_hash="back", tokens=(Token("Corn", 1, BOX),)),
    ),
)
VOCABULARY = Vocabulary(product_type="cereal", attribute="brand", words=("Sugar-Free",))


def title(word, start):
    return Evidence(word=word, source=Source.TITLE, start=start, end=start + len(word))


def bullet(word, start):
    return Evidence(word=word, source=Source.BULLET, field_index=0, start=start, end=start + len(word))


def ocr(word, image_hash, token, start):
    return Evidence(
        word=word, source=Source.OCR, image_hash=image_hash, token_index=token, start=start, end=start + len(word)
    )


SAID = Evidence(word="Sugar-Free", source=Source.VOCABULARY, token_index=0)


@pytest.mark.parametrize(
    ("evidence", "value"),
    [
        ([title("Kellogg", 0), title("'s", 7)], "Kellogg's"),
        ([title("'s", 7), title("Corn", 11)], "'s  Corn"),  # the source's own white space
        ([title("Corn", 11), title("Flakes", 16)], "Corn Flakes"),  # the hyphen between them was not said
        ([title("Corn", 11), title("-", 15), title("Flakes", 16)], "Corn-Flakes"),
        ([title("g", 26), title("Off", 29)], "g Off"),  # a comma between them was not said
        ([title("Corn", 11), title("Kellogg", 0)], "Corn Kellogg"),
        ([title("Kellogg", 0), title("Kellogg", 0)], "Kellogg Kellogg"),
        ([title("Off", 29), bullet("Off", 0)], "Off Off"),
        ([bullet("Off", 0), bullet("brand", 4)], "Off brand"),
        ([ocr("64", "front", 0, 0), ocr("loads", "front", 0, 2)], "64loads"),
        ([ocr("loads", "front", 0, 2), ocr("Corn", "front", 1, 0)], "loads Corn"),
        ([ocr("Corn", "front", 1, 0), ocr("Corn", "back", 0, 0)], "Corn Corn"),
        ([SAID, title("Corn", 11)], "Sugar-Free Corn"),
        ([SAID, SAID], "Sugar-Free Sugar-Free"),
        ([], ""),
    ],
)
def test_evidence_replays_to_the_value(evidence, value):
    assert replay(evidence, sources(EXAMPLE, VOCABULARY)) == value


@pytest.mark.parametrize(
    "evidence",
    [
        ocr("Corn", "side", 0, 0),
        ocr("Corn", "front", 2, 0),
        Evidence(word="x", source=Source.BULLET, field_index=1, start=0, end=1),
        Evidence(word="x", source=Source.VOCABULARY, token_index=1),
        Evidence(word="x", source=Source.OCR),
    ],
)
def test_evidence_that_points_nowhere_is_refused(evidence):
    with pytest.raises(ModelError, match="evidence of product 'p'"):
        replay([evidence], sources(EXAMPLE, VOCABULARY))


def test_a_vocabulary_word_without_a_vocabulary_is_refused():
    with pytest.raises(ModelError, match="a place that exists"):
        replay([SAID], sources(EXAMPLE, None))
