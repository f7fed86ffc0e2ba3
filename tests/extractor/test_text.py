"""Words are cut and compared as MODELS 0.2 says, and know where they stood."""

import pytest

from extractor import text


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("Corn Flakes", ["corn", "flakes"]),
        ("1,5 l", ["1,5", "l"]),  # never 15 l
        ("1.000.000 g.", ["1.000.000", "g", "."]),
        ("64loads", ["64", "loads"]),
        ("SPF50+", ["spf", "50", "+"]),
        ("Kellogg's", ["kellogg", "'s"]),
        ("Kellogg\u2019S", ["kellogg", "'s"]),
        ("5's", ["5", "'", "s"]),  # no word that could own anything
        ("sugar-free, 100%", ["sugar", "-", "free", ",", "100", "%"]),
        ("a_b", ["a", "_", "b"]),
        ("e\u0301te\u0301", ["\u00e9t\u00e9"]),  # letters with accents of their own
        ("choc\u00adolate", ["chocolate"]),  # a soft hyphen is invisible
        ("\u0633\u0644\u0627\u0645\u200c\u0639", ["\u0633\u0644\u0627\u0645\u0639"]),  # right to left, with a joiner
        ("\u0928\u092e\u0938\u094d\u0924\u0947", ["\u0928\u092e\u0938\u094d\u0924\u0947"]),
        ("\u6709\u673a", ["\u6709", "\u673a"]),
        ("\u2764\ufe0f\U0001f525", ["\u2764\ufe0f", "\U0001f525"]),
        ("m\u00b2", ["m2"]),
        ("\uff34\uff25\uff21", ["tea"]),  # full width
        ("", []),
        (" \t\u00a0\n", []),
        ("\u200b", []),  # nothing that can be seen
    ],
)
def test_a_text_has_these_words(content, expected):
    assert [word.key for word in text.words(content)] == expected


def test_a_word_keeps_its_surface_and_its_place_in_the_original_text():
    content = "\U0001f525 Kellogg\u2019s\u00a0\uff34ea"

    words = text.words(content)

    assert [word.text for word in words] == ["\U0001f525", "Kellogg", "\u2019s", "\uff34ea"]
    assert all(content[word.start : word.end] == word.text for word in words)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("Alba Botanica", "ALBA  botanica", True),
        ("1,5 l", "15 l", False),
        ("sugar-free", "sugar free", False),
        ("64loads", "64 Loads", True),
    ],
)
def test_values_with_equal_keys_are_one_value(left, right, same):
    assert (text.keys(left) == text.keys(right)) is same
