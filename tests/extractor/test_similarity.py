"""f_e is the ratio to the nearest known word, from 0 to 100."""

import pytest

from extractor.similarity import Nearest


@pytest.mark.parametrize(
    ("word", "expected"),
    [("cream", 100), ("creamy", 91), ("the", 33), ("xyz", 0)],
)
def test_a_word_is_as_near_as_its_ratio_to_the_nearest_known_word(word, expected):
    assert Nearest(["cream", "gel"])([word]).tolist() == [expected]


def test_nothing_is_near_where_nothing_is_known():
    assert Nearest([])(["cream"]).tolist() == [0]


def test_a_word_asked_again_among_others_is_as_near_as_before():
    nearest = Nearest(["cream"])
    first = nearest(["creamy", "the"]).tolist()

    again = nearest(["gel", "the", "creamy"]).tolist()

    assert again[2:0:-1] == first
