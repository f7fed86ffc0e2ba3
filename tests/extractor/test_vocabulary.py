"""A vocabulary holds what training said often enough, or the options of a closed attribute."""

import pytest

from extractor.records import Definition
from extractor.vocabulary import ANY_TYPE, SHARED, Vocabulary, build, choose

OPEN = Definition(product_type="tea", attribute="flavor", question="what flavor is it?")
CLOSED = Definition(
    product_type="tea",
    attribute="item_form",
    question="what form does it come in?",
    options={"Loose Leaf": ("loose",), "Tea Bag": ()},
)


def test_an_open_vocabulary_holds_the_words_of_values_that_are_frequent_enough():
    answers = [("tea", "flavor", value) for value in ("Wild Mint", "wild mint", "WILD MINT", "Rose")]

    vocabularies = build([OPEN], answers, min_count=2)

    assert vocabularies["tea", "flavor"].words == ("MINT", "WILD")


def test_a_word_is_spelt_as_it_is_most_often():
    answers = [("tea", "flavor", value) for value in ("Mint", "mint", "Mint", "MINT")]

    assert build([OPEN], answers, min_count=1)["tea", "flavor"].words == ("Mint",)


def test_a_word_with_a_hyphen_is_one_entry():
    answers = [("tea", "flavor", "sugar-free mint")]

    assert build([OPEN], answers, min_count=1)["tea", "flavor"].words == ("mint", "sugar-free")


def test_a_closed_vocabulary_holds_whole_options_with_their_aliases_and_nothing_that_training_said():
    answers = [("tea", "item_form", "powder")] * 5

    assert build([CLOSED], answers, min_count=1)["tea", "item_form"].words == ("loose", "Loose Leaf", "Tea Bag")


def test_the_shared_vocabulary_holds_the_words_of_all_groups():
    vocabularies = build([OPEN, CLOSED], [("tea", "flavor", "wild mint")], min_count=1)

    assert vocabularies[SHARED].words == ("loose", "Loose Leaf", "mint", "Tea Bag", "wild")


def test_answers_without_a_definition_are_no_words():
    vocabularies = build([OPEN], [("soap", "flavor", "mint"), ("tea", "brand", "off")], min_count=1)

    assert vocabularies["tea", "flavor"].words == ()
    assert ("soap", "flavor") not in vocabularies


def test_a_product_type_never_seen_takes_the_words_of_all_types():
    soap = Definition(product_type="soap", attribute="flavor", question="?")
    answers = [("tea", "flavor", "mint"), ("soap", "flavor", "rose")]
    vocabularies = build([OPEN, soap], answers, min_count=1)

    chosen, fallback = choose(vocabularies, "candle", "flavor")

    assert (chosen.product_type, chosen.words, fallback) == (ANY_TYPE, ("mint", "rose"), True)


def test_a_group_that_was_seen_takes_its_own_words():
    vocabularies = build([OPEN], [("tea", "flavor", "mint")], min_count=1)

    chosen, fallback = choose(vocabularies, "tea", "flavor")

    assert (chosen.words, fallback) == (("mint",), False)


def test_an_attribute_never_seen_has_no_words():
    chosen, fallback = choose({}, "tea", "color")

    assert (chosen.words, fallback) == ((), True)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (Vocabulary(product_type="tea", attribute="flavor", words=("mint", "rose")), True),
        (Vocabulary(product_type="tea", attribute="flavor", words=("mint",)), False),
        (Vocabulary(product_type="tea", attribute="scent", words=("mint", "rose")), False),
        (Vocabulary(product_type="soap", attribute="flavor", words=("mint", "rose")), False),
    ],
)
def test_an_id_names_the_group_and_its_words(other, same):
    vocabulary = Vocabulary(product_type="tea", attribute="flavor", words=("mint", "rose"))

    assert (vocabulary.vocab_id == other.vocab_id) is same
