"""A gold value is spelt by every candidate that says its next words and lets the rest be said."""

import numpy as np
import pytest

from extractor.candidates import Group, Positive
from extractor.vocabulary import Vocabulary


def group(*words: str):
    return Group(Vocabulary(product_type="tea", attribute="flavor", words=words), fallback=False)


def positives(given, gold, slots, readable=None):
    flags = np.array([True] * len(slots) if readable is None else readable, np.bool_)
    return sorted(given.positives(tuple(gold.split()), slots.split() if isinstance(slots, str) else slots, flags))


def test_every_copy_and_the_vocabulary_word_are_right():
    found = positives(group("mint", "wild"), "mint", ["fresh", "mint", "mint"])

    assert found == [Positive(0, 0), Positive(0, 3), Positive(0, 4)]


def test_a_whole_entry_is_right_beside_its_words_on_the_page():
    found = positives(group("wild mint"), "wild mint", ["wild", "mint"])

    assert found == [Positive(0, 0), Positive(0, 1), Positive(1, 2)]


def test_a_candidate_behind_which_the_rest_cannot_be_said_is_wrong():
    found = positives(group("wild mint"), "wild mint", ["wild"])  # `mint` alone stands nowhere

    assert found == [Positive(0, 0)]


@pytest.mark.parametrize(
    ("gold", "readable"),
    [
        ("wild rose", [True, True]),  # no rose anywhere
        ("wild mint", [True, False]),  # the mint is on a picture that may not be read
        ("", [True, True]),
    ],
)
def test_a_value_out_of_reach_has_no_right_candidate(gold, readable):
    assert positives(group(), gold, ["wild", "mint"], readable) == []


def test_a_slot_is_the_entry_that_says_the_same():
    assert group("mint", "wild mint").entries_of(["wild", "mint"]).tolist() == [-1, 0]


@pytest.mark.parametrize(
    ("page", "breaks", "expected"),
    [
        (["free", "decaf", "tea"], [], [False, True, False]),
        (["caffeine", "free", "tea"], [], [True, True, False]),
        (["caffeine", "tea", "free"], [], [False, False, False]),
        (["caffeine", "free"], [1], [False, False]),  # the end of one field and the beginning of the next
        ([], [], []),
    ],
)
def test_a_word_is_spelt_where_neighbours_make_up_an_entry(page, breaks, expected):
    continues = np.array([number not in breaks for number in range(len(page))], np.bool_)

    assert group("decaf", "caffeine free").spelt(page, continues).tolist() == expected


def test_nearness_goes_by_the_single_words_of_entries():
    assert group("wild mint").nearest(["mint"]).tolist() == [100]
