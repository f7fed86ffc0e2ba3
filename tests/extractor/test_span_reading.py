"""Pages as a span model reads them: words, strings, answers and what the dictionary tells."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from extractor.boundaries import Boundaries, Part
from extractor.dictionary import Dictionary
from extractor.encoders import bert
from extractor.records import Box, Definition, Example, Picture, Question, Token
from extractor.span_reading import SHAPES, Config, Reader, string_of
from schemas.enums import Source
from tests.extractor import tiny_pam

ENCODER = bert.Encoder.create(tiny_pam.SPELLS, ())
DEFINITIONS = (
    Definition(product_type="tea", attribute="brand", question="which brand?"),
    Definition(product_type="tea", attribute="size", question="how much?"),
    Definition(product_type="tea", attribute="caffeine", question="with?", options={"no": ("decaf",), "yes": ()}),
)
NOTHING = Dictionary(values={}, held={})


def reader(parts=(), dictionary=NOTHING, **config: Any):  # fields of Config
    return Reader(Config(**({"longest": 3} | config)), DEFINITIONS, ENCODER, Boundaries(parts), dictionary)


def tea(title, *, bullets=(), pictures=(), **answers: str | None):
    asked = tuple(Question(attribute=name, answer=answer) for name, answer in answers.items())
    return Example(product_id="p", product_type="tea", title=title, bullets=bullets, pictures=pictures, asked=asked)


def read(example, *, learning=True, **changes: Any):  # as reader takes them
    [product] = reader(**changes).read([example], learning=learning)
    return product


def test_equal_strings_share_a_number_and_no_span_leaves_its_source():
    encoded = read(tea("Mint tea", bullets=("mint 5 g",))).encoded

    mint, tea_, mint_again, five, gram = range(5)
    string = encoded.string
    assert string[mint, 0] == string[mint_again, 0]
    assert string[mint, 1] != string[mint_again, 1]
    assert (string[tea_, 1:] == -1).all()
    assert (string[gram, 1:] == -1).all()
    assert (string[five] >= 0).tolist() == [True, True, False]


def test_all_places_and_spellings_of_an_answer_are_right():
    encoded = read(tea("5g Zen decaf tea, 5 g", size="5 g", caffeine="no", brand=None)).encoded

    right = {attribute: string for string, attribute in encoded.right}
    places = {attribute: np.argwhere(encoded.string == string).tolist() for attribute, string in right.items()}
    assert places == {1: [[0, 1], [6, 1]], 2: [[3, 0]]}
    assert encoded.asked.tolist() == [True, True, True]
    assert encoded.num_unreachable == 0


@pytest.mark.parametrize("size", ["7 g", "one two three four"])
def test_an_answer_that_no_span_spells_is_counted(size):
    encoded = read(tea("Zen one two three four", size=size)).encoded

    assert encoded.num_unreachable == 1
    assert encoded.right.tolist() == []
    assert encoded.asked.tolist() == [False, True, False]


def test_a_segmentation_holds_the_longer_of_two_answers_that_overlap():
    encoded = read(tea("Zen green tea", brand="Zen green", size="green", caffeine="yes")).encoded

    assert encoded.apart.tolist() == [True, False, False]


def test_only_what_spells_an_option_is_spelt():
    encoded = read(tea("decaf tea")).encoded

    assert encoded.known.tolist() == [encoded.string[0, 0]]
    assert encoded.spelt.tolist() == [[False, False, True]]


def test_a_taught_page_is_told_nothing_by_its_own_answer():
    dictionary = Dictionary.count([("tea", "brand", "zen")], [("tea", ["zen"])])
    example = tea("Zen", brand="Zen")

    taught = read(example, dictionary=dictionary).encoded
    asked = read(example, learning=False, dictionary=dictionary).encoded

    assert taught.features[0].tolist() == [[0, 0, 0]] * 3
    assert asked.features[0, 0, 0] > 0
    assert asked.right.tolist() == []


def test_parts_of_words_become_words_with_their_own_places():
    part = Part(product_type="tea", attribute="brand", value="Zen", answered=3, held=3)

    product = read(tea("Zens tea"), parts=[part])

    assert [(slot.word, slot.start, slot.end, slot.continues) for slot in product.slots] == [
        ("Zen", 0, 3, False),
        ("s", 3, 4, True),
        ("tea", 5, 8, True),
    ]
    glued, *_ = product.encoded.layout.T
    assert glued.tolist() == [0, 1, 0]


def test_packs_are_read_line_by_line():
    tokens = tuple(Token(word, 0.9, Box(x, y, x + 0.1, y + 0.1)) for word, x, y in (("b", 0.5, 0.1), ("a", 0.1, 0.1)))
    product = read(tea(None, pictures=(Picture(position=0, image_hash="h", tokens=tokens),)))

    assert [(slot.word, slot.token_index) for slot in product.slots] == [("a", 1), ("b", 0)]
    assert all(slot.source is Source.OCR for slot in product.slots)


def test_the_product_type_is_read_but_answers_nothing():
    product = read(tea("Zen"))

    assert [slot.word for slot in product.slots] == ["Zen"]
    assert product.encoded.pieces.num_words == 1
    assert len(product.encoded.pieces.ids) > len(ENCODER.pieces([["Zen"]]).ids)


@pytest.mark.parametrize("title", [None, "", "...", "tea " * 5000])
def test_odd_titles_are_read_as_far_as_they_go(title):
    product = read(tea(title), max_text=20)

    assert len(product.slots) == product.encoded.pieces.num_words <= 20
    assert len(product.encoded.string) == len(product.slots)


@pytest.mark.parametrize(
    ("word", "shape"),
    [
        ("tea", "lower"),
        ("TEA", "upper"),
        ("Tea", "title"),
        ("iPad", "mixed"),
        ("1,5", "number"),
        ("\u8336", "caseless"),
        ("-", "sign"),
    ],
)
def test_words_have_shapes(word, shape):
    assert SHAPES[read(tea(word)).encoded.shape[0]] == shape


def test_strings_are_named_without_what_stands_between_their_words():
    assert string_of("3.5 G") == string_of("3.5g") == "3.5g"


def test_pages_of_types_without_definitions_have_no_attributes():
    encoded = read(replace(tea("Zen"), product_type="soap")).encoded

    assert encoded.groups.tolist() == []
    assert encoded.features.shape == (0, 0, 3)
