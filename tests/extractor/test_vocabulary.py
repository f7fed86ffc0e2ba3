"""A vocabulary holds what training said often enough, or the options of a closed attribute."""

from dataclasses import replace

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

    chosen, fallback = choose(vocabularies, replace(OPEN, product_type="candle"))

    assert (chosen.product_type, chosen.words, fallback) == (ANY_TYPE, ("mint", "rose"), True)


def test_a_group_that_was_seen_takes_its_own_words():
    vocabularies = build([OPEN], [("tea", "flavor", "mint")], min_count=1)

    chosen, fallback = choose(vocabularies, OPEN)

    assert (chosen.words, fallback) == (("mint",), False)


def test_a_group_without_a_training_value_takes_the_words_of_all_types():
    soap = replace(OPEN, product_type="soap")
    vocabularies = build([OPEN, soap], [("soap", "flavor", "rose")], min_count=1)

    assert vocabularies["tea", "flavor"].words == ()
    assert choose(vocabularies, OPEN) == (vocabularies[ANY_TYPE, "flavor"], True)


def test_a_closed_group_has_the_options_of_today_whatever_was_learnt():
    vocabularies = build([CLOSED], [], min_count=1)

    chosen, fallback = choose(vocabularies, replace(CLOSED, options={"Powder": ("ground",)}))

    assert (chosen.words, fallback) == (("ground", "Powder"), False)


def test_an_attribute_never_seen_has_no_words():
    chosen, fallback = choose({}, replace(OPEN, attribute="color"))

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
