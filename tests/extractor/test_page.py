"""A page offers the words that can be copied, and an answer is shown where it stands best."""

import pytest

from extractor import page, text
from extractor.evidence import replay, sources
from extractor.page import Spoken
from extractor.records import Box, Example, Picture, Token
from extractor.vocabulary import Vocabulary
from schemas.enums import Source


def token(word, height=0.1):
    return Token(word, 0.9, Box(0.0, 0.0, 0.5, height))


def product(title=None, bullets=(), front=(), back=()):
    pictures = [("front", front), ("back", back)]
    return Example(
        product_id="p",
        product_type="tea",
        title=title,
        bullets=bullets,
        pictures=tuple(
            Picture(position=position, image_hash=name, tokens=tuple(token(word) for word in words))
            for position, (name, words) in enumerate(pictures)
        ),
    )


def shown(example, spoken, words=()):
    """Evidence and value of an answer; `words` is the vocabulary."""
    read = page.read(example, max_text=100, max_ocr=100)
    found = page.trace(spoken, (*read.text, *read.ocr), lambda _: True)
    vocabulary = Vocabulary(product_type="tea", attribute="a", words=tuple(words))
    return [word.source for word in found], replay(found, sources(example, vocabulary))


def said(value):
    return [Spoken((word.key,), word.text, None) for word in text.words(value)]


def test_a_page_holds_title_bullets_and_all_pictures_in_this_order():
    read = page.read(product("Green Tea", ("Organic",), ["TEA"], ["20bags"]), max_text=100, max_ocr=100)

    assert [slot.key for slot in (*read.text, *read.ocr)] == ["green", "tea", "organic", "tea", "20", "bags"]
    assert [slot.continues for slot in (*read.text, *read.ocr)] == [False, True, False, False, False, True]
    assert [slot.position for slot in read.ocr] == [0, 1, 1]


@pytest.mark.parametrize(("max_text", "max_ocr", "expected"), [(3, 2, 5), (0, 0, 0), (2, 9, 6)])
def test_a_page_stops_at_its_limits(max_text, max_ocr, expected):
    read = page.read(product("a b", ("c d",), ["e", "f"], ["g", "h"]), max_text=max_text, max_ocr=max_ocr)

    assert len(read.text) + len(read.ocr) == expected


def test_a_token_is_as_high_as_its_share_of_the_tallest_one():
    picture = Picture(position=0, image_hash="x", tokens=(token("BIG", 0.4), token("small", 0.1)))

    read = page.read(Example(product_id="p", product_type="t", pictures=(picture,)), max_text=9, max_ocr=9)

    assert [slot.height for slot in read.ocr] == pytest.approx([1.0, 0.25])


@pytest.mark.parametrize(
    ("example", "value", "places", "written"),
    [
        (product("Off", ("OFF",), ["off"]), "off", [Source.TITLE], "Off"),
        (product("Deep", ("OFF",), ["off"]), "off", [Source.BULLET], "OFF"),
        # One piece on the pack is better than the title's half and the pack's half.
        (product("Botanica", (), ["ALBA", "BOTANICA"]), "alba botanica", [Source.OCR] * 2, "ALBA BOTANICA"),
        (product("Botanica Alba", (), ["ALBA"]), "alba botanica", [Source.TITLE] * 2, "Alba Botanica"),
        (product("Kellogg's"), "kellogg's", [Source.TITLE] * 2, "Kellogg's"),
    ],
)
def test_an_answer_is_shown_in_one_piece_and_in_the_title_before_the_pack(example, value, places, written):
    assert shown(example, said(value)) == (places, written)


def test_a_vocabulary_entry_is_shown_on_the_page_where_it_stands_there_in_one_piece():
    example = product("With Pump Bottle")

    assert shown(example, [Spoken(("pump", "bottle"), "pump bottle", 0)], ["pump bottle"]) == (
        [Source.TITLE] * 2,
        "Pump Bottle",
    )


def test_a_vocabulary_entry_whose_words_stand_apart_is_not_printed():
    example = product("Bottle with Pump", (), ["PUMP", "X", "BOTTLE"])

    assert shown(example, [Spoken(("pump", "bottle"), "pump bottle", 0)], ["pump bottle"]) == (
        [Source.VOCABULARY],
        "pump bottle",
    )


def test_words_that_may_not_be_read_show_nothing():
    read = page.read(product("mint"), max_text=9, max_ocr=9)

    found = page.trace([Spoken(("mint",), "mint", 0)], read.text, lambda _: False)

    assert [word.source for word in found] == [Source.VOCABULARY]
