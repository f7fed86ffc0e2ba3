"""Words that were cut into pieces are written as the page has them, or nothing that was copied would be found again."""

import pytest

from extractor import subwords, text
from extractor.subwords import WordPieces


@pytest.mark.parametrize(
    "value",
    ["1.2 kg", "8,5 fl oz", "Tamsin's", "5's", "Dr. Amund", "Tor & Vale", "zanmontiva", "sugar-free"],
)
def test_a_written_value_has_the_words_that_were_copied(value):
    pieces = WordPieces()

    written = pieces.join(subwords.phrase(pieces, value))

    assert text.keys(written) == text.keys(value)


@pytest.mark.parametrize("value", ["Nestl\u00e9", "\u6709\u673a", "Tamsin\u2019S Rosii\u00f6"])
def test_a_copied_word_keeps_the_letters_that_pieces_lose(value):
    pieces = WordPieces()
    seen = {pieces.units(word.text)[0]: word.text for word in text.words(value)}

    written = pieces.join(subwords.phrase(pieces, value), seen)

    assert text.keys(written) == text.keys(value)
    assert text.keys(pieces.join(subwords.phrase(pieces, value))) != text.keys(value)
