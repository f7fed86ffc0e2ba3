"""Changed copies: another value in every place of a page, the answer with it, and nothing else touched."""

from dataclasses import replace

import pytest

from extractor.augment import Config, augmented, packed
from extractor.errors import ConfigError
from extractor.records import Box, Definition, Example, Picture, Question, Token

ALWAYS = Config(copies=1, exchange=1.0)


def product(title, answer, *, tokens=(), bullets=(), attribute="brand", product_type="tea"):
    words = tuple(Token(token, 0.9, Box(0, number / 10, 1, number / 10 + 0.05)) for number, token in enumerate(tokens))
    return Example(
        product_id=title or "none",
        product_type=product_type,
        title=title,
        bullets=bullets,
        pictures=(Picture(position=0, image_hash="a", tokens=words),),
        asked=(Question(attribute=attribute, input_hash="h", answer=answer),),
    )


def test_the_products_come_first_and_unchanged():
    examples = [product("Alba tea", "Alba"), product("Oru tea", "Oru")]

    found = augmented(examples, [], Config(copies=3, exchange=1.0), seed=0)

    assert found[:2] == examples
    assert len(found) == 8


def test_a_value_is_exchanged_in_all_places_with_its_answer():
    example = product("Alba tea", "Alba", tokens=("ALBA", "mint"), bullets=("by Alba.", "albatross"))
    others = [product("x", "Oru") for _ in range(50)]  # so that one of 51 draws hardly gives Alba again

    changed = augmented([example, *others], [], ALWAYS, seed=0)[51]

    assert changed.title == "Oru tea"
    assert [token.text for token in changed.pictures[0].tokens] == ["ORU", "mint"]
    assert changed.bullets == ("by Oru.", "albatross")
    assert changed.asked[0].answer == "Oru"


def test_only_values_with_as_many_words_take_the_place_so_boxes_stay():
    example = product("Tor & Vale pack", "Tor & Vale", tokens=("TOR", "&", "VALE", "18", "L"))
    others = [product("x", "Oru"), *(product("y", "Reef & Sand") for _ in range(50))]

    changed = augmented([example, *others], [], ALWAYS, seed=1)[52]

    assert changed.title == "Reef & Sand pack"
    assert [token.box for token in changed.pictures[0].tokens] == [token.box for token in example.pictures[0].tokens]
    assert [token.text for token in changed.pictures[0].tokens] == ["REEF", "&", "SAND", "18", "L"]


def test_a_value_within_one_token_is_exchanged_word_by_word():
    example = product(None, "64 g", tokens=("64g", "net"), attribute="net_content")
    others = [product("x", "50 ml", attribute="net_content") for _ in range(50)]

    changed = augmented([example, *others], [], ALWAYS, seed=0)[51]

    assert changed.pictures[0].tokens[0].text == "50ml"
    assert changed.asked[0].answer == "50 ml"


def test_an_answer_that_stands_nowhere_and_an_unknown_one_stay():
    examples = [product("green tea", "Alba"), product("black tea", None), *(product("x", "Oru") for _ in range(50))]

    found = augmented(examples, [], ALWAYS, seed=0)[52:]

    assert found[:2] == examples[:2]


def test_values_of_other_attributes_and_types_do_not_come_in():
    example = product("Alba tea", "Alba")
    others = [product("x", "mint", attribute="flavor"), product("y", "Oru", product_type="cookies")]

    changed = augmented([example, *others], [], Config(copies=20, exchange=1.0), seed=0)[3::3]

    assert {copy.title for copy in changed} == {"Alba tea"}


def test_the_same_seed_makes_the_same_copies_and_another_seed_others():
    examples = [product(f"{name} tea", name) for name in ("Alba", "Oru", "Lumo", "Kes", "Tal")]

    first, again, other = (augmented(examples, [], Config(copies=4, exchange=0.5), seed=seed) for seed in (1, 1, 2))

    assert first == again
    assert first != other


@pytest.mark.parametrize("wrong", [{"copies": -1}, {"exchange": 1.1}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Config(**wrong)


def test_what_a_picture_may_show_is_left_alone():
    examples = [product("Alba spray", "spray", attribute="item_form"), product("x", "stick", attribute="item_form")]
    form = Definition(product_type="tea", attribute="item_form", question="?", inferable=True)

    found = augmented(examples, [form], Config(copies=20, exchange=1.0), seed=0)

    assert {copy.title for copy in found} == {"Alba spray", "x"}


PLAIN = [
    Example(
        product_id=f"p{number}",
        product_type="jam",
        title="home made jam of the house",
        asked=(Question(attribute="flavor", answer=("plum", "wild berry")[number % 2]),),
    )
    for number in range(200)
]


def test_some_products_without_picture_get_a_pack_that_often_says_the_answer():
    given = packed(PLAIN, Config(packs=0.5, printed=0.6, misprinted=0.2), seed=0)

    packs = [(example, example.pictures[0]) for example in given if example.pictures]
    said = [" ".join(token.text for token in picture.tokens) for _, picture in packs]
    right = sum((example.asked[0].answer or "") in words for (example, _), words in zip(packs, said, strict=True))
    wrong = sum(
        ({"plum", "wild berry"} - {example.asked[0].answer}).pop() in words
        for (example, _), words in zip(packs, said, strict=True)
    )
    assert 70 <= len(packs) <= 130
    assert 0.45 <= right / len(packs) <= 0.75
    assert 0 < wrong < right / 2
    assert all(0 <= edge <= 1 for _, picture in packs for token in picture.tokens for edge in token.box)
    assert [example.title for example in given] == [example.title for example in PLAIN]


def test_a_product_with_a_picture_gets_no_other():
    pictured = [replace(example, pictures=(Picture(position=0, image_hash="x"),)) for example in PLAIN]

    assert packed(pictured, Config(packs=1.0), seed=0) == pictured


def test_the_same_seed_prints_the_same_packs():
    config = Config(packs=0.5)

    first, again, other = (packed(PLAIN, config, seed=seed) for seed in (0, 0, 1))

    assert first == again
    assert first != other
