"""Words of a text: how everything that matches, copies or counts words cuts and compares them (MODELS 0.2)."""

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple


class Word(NamedTuple):
    """One word with its place; `start` and `end` are code points of the text it was cut from."""

    text: str
    key: str
    start: int
    end: int


def key(text: str) -> str:
    """The form that is compared: NFKC, lower case, no invisible characters, no white space around."""
    plain = unicodedata.normalize("NFKC", text).lower()
    if not plain.isascii():
        plain = "".join(char for char in plain if unicodedata.category(char) != "Cf").replace("\u2019", "'")
    return plain.strip()


def words(text: str) -> list[Word]:
    """Cut a text into words.

    A number keeps its inner points and commas (`1,5`), letters and digits part (`64loads` is two words), `'s` is a
    word, an ideograph is a word, and so is every other visible character. Punctuation is not dropped as in M4C: a
    value such as `Salt, Pepper` can then be copied as it stands.
    """
    found = [Word(match[0], key(match[0]), *match.span()) for match in _WORD.finditer(text)]
    return [word for word in found if word.key]


def keys(value: str) -> tuple[str, ...]:
    """The keys of a value's words: two values with equal keys are one value."""
    return tuple(word.key for word in words(value))


def find(wanted: Sequence[str], keys: Sequence[str], start: int = 0) -> int | None:
    """Where a run of words begins among others, at `start` or behind it; None where it does not, or is empty."""
    run, last = tuple(wanted), len(keys) - len(wanted)
    starts = range(start, last + 1) if run else ()
    return next((at for at in starts if keys[at] == run[0] and tuple(keys[at : at + len(run)]) == run), None)


def _invisible_or_combining() -> str:
    """Characters that belong to the word before them (accents, soft hyphens), which are no word characters to `re`."""
    marks = (chr(code) for code in range(0x10000) if not chr(code).isascii())
    return "".join(char for char in marks if unicodedata.category(char) in ("Mn", "Mc", "Cf"))


_MARKS = _invisible_or_combining()
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(
    rf"""
      \d+ (?:[.,]\d+)*                              # 500, 1,5, 1.000.000
    | [{_HAN}] [{_MARKS}]*
    | [^\W\d_{_HAN}] [^\W\d_{_HAN}]*                # letters, then letters with marks between them
      (?:[{_MARKS}]+ [^\W\d_{_HAN}]*)*
    | (?<=[^\W\d_]) ['\u2019] [sS] \b               # Kellogg's
    | \S [{_MARKS}]*                                # punctuation, signs, emoji
    """,
    re.VERBOSE,
)
