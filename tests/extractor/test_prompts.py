"""What is read of a product, in which order, and what is never cut."""

from dataclasses import replace
from typing import Any

import pytest

from extractor import prompts
from extractor.nn.sequences import NOT_COPIED
from extractor.prompts import split
from extractor.records import Box, Definition, Example, Picture, Question, Token
from extractor.subwords import WordPieces
from schemas.enums import Pictures

PIECES = WordPieces()
DEFINITIONS = (
    Definition(product_type="tea", attribute="pack_form", question="", options=None),
    Definition(product_type="tea", attribute="brand", question="", options=None, pictures=Pictures.MAIN),
)


def picture(position, *words: str):
    tokens = tuple(Token(word, 0.9, Box(0.1, 0.1, 0.2, 0.2)) for word in words)
    return Picture(position=position, image_hash=f"h{position}", tokens=tokens)


PRODUCT = Example(
    product_id="1",
    product_type="tea",
    locale="en-GB",
    title="Alba's tea",
    bullets=("in tins",),
    pictures=(picture(0, "front"), picture(1, "back")),
    asked=(Question(attribute="pack_form", answer="tins"), Question(attribute="brand", answer="Alba Farms")),
)


def reader(number=None, **changes: Any):
    config = replace(prompts.Config(), **changes)
    return prompts.Reader(config, PIECES, DEFINITIONS, number or {}, num_cells=0, feature_dim=0)


def rows(example=PRODUCT, **changes: Any):
    """Each encoder row as text."""
    return [PIECES.join(split(source.units)) for source in reader(**changes).read(example, learning=False).sources]


def test_question_type_locale_text_and_pack_come_in_this_order():
    assert rows()[0] == "pack form [SEP] tea en - gb [SEP] alba's tea [SEP] in tins [SEP] [SEP] front back [SEP]"


@pytest.mark.parametrize(("switch", "gone"), [("use_text", "alba's tea [SEP] in tins"), ("use_ocr", "front back")])
def test_what_is_switched_off_is_not_read(switch, gone):
    assert gone in rows()[0]
    assert gone not in rows(**{switch: False})[0]


def test_an_attribute_of_the_first_picture_reads_no_other():
    assert "back" in rows()[0]
    assert "front" in rows()[1]
    assert "back" not in rows()[1]


def test_with_the_question_in_the_decoder_a_product_is_read_once():
    [row] = rows(attribute_in="decoder")

    assert row.startswith("[SEP] tea en - gb [SEP] alba's tea")


def test_a_long_page_is_cut_at_its_end():
    assert rows(max_units=12)[0] == "pack form [SEP] tea en - gb [SEP] alba's tea [SEP]"


def test_a_word_of_the_page_can_be_copied_and_question_and_type_cannot():
    [unit] = PIECES.units("tea")

    source = reader({unit: 7}).read(PRODUCT, learning=False).sources[0]

    places = [place for place, one in enumerate(split(source.units)) if one == unit]
    assert [int(source.say[place]) for place in places] == [NOT_COPIED, 7]  # the type, the title


def test_an_answer_that_neither_stands_there_nor_can_be_said_is_left_out():
    can_end = {PIECES.eos: 0}

    read = reader(can_end).read(PRODUCT, learning=True)

    [kept] = read.asked
    assert kept.group == 0
    assert read.num_unreachable == 1
    assert int(kept.target[-1]) == 0


def test_an_answer_longer_than_the_longest_is_left_out():
    assert reader({PIECES.eos: 0}, longest_answer=0).read(PRODUCT, learning=True).num_unreachable == 2
