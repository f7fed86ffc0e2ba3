"""PHOC-604 sets the bits of the reference implementation."""

import numpy as np
import pytest

from extractor.phoc import DIM, phoc


@pytest.mark.parametrize(
    ("word", "bits"),
    [
        ("lava", [0, 11, 36, 57, 83, 108, 129, 144, 191, 216, 273, 288, 335, 360, 453, 468, 552]),
        ("2x", [28, 59, 100, 167, 208, 244, 275, 311]),
        ("a", [0, 36]),  # one letter fills half of each half, and less of anything finer
        ("A!", [0, 36]),
        ("\u6709!", []),
        ("", []),
    ],
)
def test_a_word_sets_these_bits(word, bits):
    assert np.flatnonzero(np.unpackbits(phoc(word), count=DIM)).tolist() == bits


def test_the_bits_of_a_word_cannot_be_changed_by_one_who_reads_them():
    with pytest.raises(ValueError, match="read-only"):
        phoc("lava")[0] = 0
