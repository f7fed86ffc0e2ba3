"""Word Matching finds known values where they stand, and nothing else."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from extractor.errors import ModelError
from extractor.evidence import replay, sources
from extractor.models.base import Knowledge
from extractor.models.word_matching import Config, Model, Stop
from extractor.page import reading_order
from extractor.records import Box, Definition, Example, Picture, Question, Token
from schemas.enums import Pictures, Source, State, Support

CONFIG = Config(
    order="longest",
    sources=("title", "bullets", "ocr"),
    stop=(),
    options=True,
    prior_precision=0.5,
    prior_weight=2.0,
)
FLAVOR = Definition(product_type="tea", attribute="flavor", question="What flavor?")
FORM = Definition(
    product_type="tea", attribute="form", question="What form?", options={"Loose Leaf": ("loose",), "Bags": ()}
)


def knowledge(*definitions: Definition) -> Knowledge:
    return Knowledge(definitions, {}, "", 0, "")


def tea(title: str | None, *, answer: str | None = None, attribute: str = "flavor", **fields: Any) -> Example:
    asked = (Question(attribute=attribute, input_hash="h", answer=answer),)
    return Example(product_id="1", product_type="tea", title=title, asked=asked, **fields)


def printed(*words: tuple[str, float, float], position: int = 0) -> Picture:
    """A picture of words at (x, y), each 0.1 wide and high."""
    tokens = tuple(Token(word, 0.9, Box(x, y, x + 0.1, y + 0.1)) for word, x, y in words)
    return Picture(position=position, image_hash=f"picture {position}", tokens=tokens)


def learnt(*taught: Example, config: Config = CONFIG, definitions: tuple[Definition, ...] = (FLAVOR, FORM)) -> Model:
    return Model.create(config, knowledge(*definitions), taught, seed=0)


TAUGHT = (
    *(tea("mint tea", answer="mint") for _ in range(3)),
    *(tea("peppermint tea", answer="pepper mint") for _ in range(2)),
    tea("lemon tea", answer="lemon"),
)


@pytest.mark.parametrize(
    ("order", "value"),
    [("longest", "Pepper-Mint"), ("asc", "LEMON"), ("desc", "Mint")],
)
def test_the_order_of_the_dictionary_decides_between_matches(order, value):
    taught = (*TAUGHT[:5], tea("x", answer="pepper-mint"), tea("x", answer="pepper-mint"), TAUGHT[5])
    model = learnt(*taught, config=replace(CONFIG, order=order))

    [found] = model.predict([tea("LEMON with Pepper-Mint")])

    assert found.value == value


def test_a_value_keeps_the_spelling_of_the_page_and_its_evidence_replays():
    example = tea(None, bullets=("A tea", "with Kellogg's  Frosted mint"))
    model = learnt(tea("x", answer="KELLOGG's frosted"))

    [found] = model.predict([example])

    assert (found.state, found.value, found.support) == (State.VALUE, "Kellogg's  Frosted", Support.PRINTED)
    assert [(word.source, word.field_index) for word in found.evidence] == [(Source.BULLET, 1)] * 3
    assert replay(found.evidence, sources(example, None)) == found.value


@pytest.mark.parametrize(
    ("places", "source"), [(("title", "bullets"), Source.TITLE), (("bullets", "title"), Source.BULLET)]
)
def test_of_several_places_the_first_named_is_the_evidence(places, source):
    model = learnt(tea("x", answer="mint"), config=replace(CONFIG, sources=places))

    [found] = model.predict([tea("mint", bullets=("mint",))])

    assert [word.source for word in found.evidence] == [source]


@pytest.mark.parametrize(
    ("title", "bullets"),
    [("pepper and mint", ()), ("black pepper", ("mint tea",)), ("peppermint", ()), (None, ())],
)
def test_words_that_do_not_stand_together_in_one_text_are_no_match(title, bullets):
    model = learnt(tea("x", answer="pepper mint"))

    [found] = model.predict([tea(title, bullets=bullets)])

    assert (found.state, found.value, found.evidence) == (State.UNKNOWN, None, ())


def test_words_on_a_pack_are_read_line_by_line():
    picture = printed(("mint", 0.5, 0.12), ("tea", 0.1, 0.5), ("pepper", 0.1, 0.1))
    example = tea("tea", pictures=(picture,))
    model = learnt(tea("x", answer="pepper mint"))

    [found] = model.predict([example])

    assert found.value == "pepper mint"
    assert [word.token_index for word in found.evidence] == [2, 0]
    assert found.evidence[0].box == Box(0.1, 0.1, 0.2, 0.2)
    assert replay(found.evidence, sources(example, None)) == found.value


def test_words_of_two_lines_follow_line_after_line():
    picture = printed(("c", 0.1, 0.5), ("b", 0.6, 0.13), ("d", 0.5, 0.48), ("a", 0.2, 0.1))

    assert [picture.tokens[index].text for index in reading_order(picture)] == ["a", "b", "c", "d"]


def test_words_of_two_pictures_never_make_one_value():
    pictures = (printed(("pepper", 0.1, 0.1)), printed(("mint", 0.1, 0.1), position=1))
    model = learnt(tea("x", answer="pepper mint"))

    [found] = model.predict([tea("tea", pictures=pictures)])

    assert found.state == State.UNKNOWN


@pytest.mark.parametrize(("pictures", "value"), [(Pictures.ALL, "mint"), (Pictures.MAIN, None)])
def test_a_definition_decides_which_pictures_are_read(pictures, value):
    model = learnt(tea("x", answer="mint"), definitions=(replace(FLAVOR, pictures=pictures),))

    two = (printed(("tea", 0.1, 0.1)), printed(("mint", 0.1, 0.1), position=1))
    [found] = model.predict([tea("tea", pictures=two)])

    assert found.value == value


def test_where_the_first_picture_cannot_be_read_the_next_is_the_main_one():
    model = learnt(tea("x", answer="mint"), definitions=(replace(FLAVOR, pictures=Pictures.MAIN),))

    [found] = model.predict([tea("tea", pictures=(printed(("mint", 0.1, 0.1), position=1),))])

    assert found.value == "mint"


def test_the_text_only_variant_reads_no_pack():
    model = learnt(tea("x", answer="mint"), config=replace(CONFIG, sources=("title",)))

    found = model.predict([tea("tea", pictures=(printed(("mint", 0.1, 0.1)),)), tea("tea", bullets=("mint",))])

    assert [prediction.value for prediction in found] == [None, None]


@pytest.mark.parametrize(("product_type", "value"), [("tea", None), ("*", None), ("soap", "mint")])
def test_a_stop_list_empties_the_dictionary_of_its_own_type(product_type, value):
    config = replace(CONFIG, stop=(Stop(product_type=product_type, words=("MINT",)),))

    [found] = learnt(tea("x", answer="mint"), config=config).predict([tea("mint tea")])

    assert found.value == value


@pytest.mark.parametrize(("options", "value"), [(True, "LOOSE"), (False, None)])
def test_closed_values_and_aliases_are_entries_though_training_never_saw_them(options, value):
    model = learnt(config=replace(CONFIG, options=options))

    [found] = model.predict([tea("LOOSE tea", attribute="form")])

    assert found.value == value


def test_a_score_is_the_smoothed_precision_with_the_product_itself_left_out():
    model = learnt(
        tea("mint tea", answer="mint"),
        tea("mint tea", answer="mint"),
        tea("mint tea with lemon", answer="lemon"),  # alone with lemon: without itself, mint wins and is wrong
        tea("plain tea", answer=None),
    )

    mint, lemon, plain = model.predict([tea("mint"), tea("lemon"), tea("plain")])

    assert mint.score == pytest.approx((2 + 1) / (3 + 2))
    assert lemon.score == pytest.approx(0.5)
    assert plain.state == State.UNKNOWN
    assert plain.score == pytest.approx((1 + 1) / (1 + 2))


def test_an_alias_is_as_right_as_the_value_that_it_stands_for():
    model = learnt(*(tea("loose tea", answer="Loose Leaf", attribute="form") for _ in range(2)))

    [found] = model.predict([tea("loose", attribute="form")])

    assert found.score == pytest.approx((2 + 1) / (2 + 2))


def test_a_question_without_a_definition_is_named():
    with pytest.raises(ModelError, match=r"question: found \('tea', 'brand'\)"):
        learnt().predict([tea("tea", attribute="brand")])


def test_definitions_of_today_bring_options_and_attributes_and_keep_what_was_counted():
    model = learnt(*TAUGHT)
    before = model.predict([tea("mint")])

    model.define([FLAVOR, replace(FORM, options={"Powder": ("ground",)}), replace(FLAVOR, attribute="brand")])

    loose, ground = model.predict([tea("loose bags", attribute="form"), tea("Ground tea", attribute="form")])
    [brand] = model.predict([tea("Alba", attribute="brand")])
    assert model.predict([tea("mint")]) == before
    assert (loose.value, ground.value, brand.value) == (None, "Ground", None)


def test_what_was_saved_answers_as_before(tmp_path):
    model = learnt(*TAUGHT)
    model.save(tmp_path)

    loaded = Model.load(tmp_path, CONFIG, device=torch.device("cpu"))

    examples = [tea("pepper mint"), tea("nothing"), tea("loose", attribute="form")]
    assert loaded.predict(examples) == model.predict(examples)


def test_a_file_that_holds_no_dictionaries_is_refused(tmp_path):
    (tmp_path / "word_matching.json").write_text('[{"product_type": "tea"}]', encoding="utf-8")

    with pytest.raises(ModelError, match=r"word_matching\.json: found no dictionaries"):
        Model.load(tmp_path, CONFIG, device=torch.device("cpu"))
