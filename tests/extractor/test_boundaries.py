"""Values inside words: found by a look at the training products, cut out where they were answers often enough."""

import pytest

from extractor.boundaries import Boundaries, occurrences
from extractor.records import Example, Question


def shoe(number, title, answer, attribute="gender"):
    asked = (Question(attribute=attribute, answer=answer),)
    return Example(product_id=f"p{number}", product_type="shoe", title=title, asked=asked)


MENS = [shoe(number, "Mens Shoe", "Men") for number in range(3)]


def test_a_value_that_stands_inside_words_is_cut_out():
    learnt = Boundaries.learn(MENS, least=0.02)

    assert learnt.cuts("shoe", "New Mens Shoe", {}) == {4, 7}
    assert learnt.cuts("hat", "New Mens Hat", {}) == set()


@pytest.mark.parametrize(
    ("others", "why"),
    [
        ([shoe(9, "Men Shoe", "Shoe")] * 147, "two of a hundred are no more than allowed"),
        ([shoe(9, "Womens Mens Shoe", "Womens")] * 8, "most pages that hold it so say something else"),
    ],
)
def test_few_such_values_or_a_small_share_of_pages_cut_nothing(others, why):
    assert Boundaries.learn([*MENS, *others], least=0.02).cuts("shoe", "Mens Shoe", {}) == set(), why


def test_a_product_that_was_learnt_from_does_not_count_for_itself():
    learnt = Boundaries.learn(MENS[:2], least=0.02)

    assert learnt.cuts("shoe", "Mens Shoe", {}) == {0, 3}
    assert learnt.cuts("shoe", "Mens Shoe", {"gender": "Men"}) == set()


def test_a_value_that_also_stands_as_a_word_is_reached_as_it_is():
    assert Boundaries.learn([shoe(n, "Mens Shoe for Men", "Men") for n in range(3)], least=0.02).parts == ()


def test_occurrences_tell_words_from_parts_of_words():
    found = [(place.start, place.whole) for place in occurrences("Men", "Men, Mens, Women")]

    assert found == [(0, True), (5, False)]
    assert list(occurrences("", "Men")) == []
