"""PHOC-604: the spelling of a word as 604 bits, which letter stands in which part of it (Almazan et al., as in M4C)."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

DIM = 604
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
LEVELS = (2, 3, 4, 5)
_PAIRS = (
    "th he in er an re es on st nt en at ed nd to or ea ti ar te ng al it as is ha et se ou of le sa ve ro ra ri hi "
    "ne me de co ta ec si ll so na li la el"
)
BIGRAMS = _PAIRS.split()
BIGRAM_LEVEL = 2
FIRST_BIGRAM_BIT = len(ALPHABET) * sum(LEVELS)


@lru_cache(maxsize=100_000)
def phoc(word: str) -> npt.NDArray[np.uint8]:
    """The 604 bits of a word, packed into 76 bytes (np.unpackbits(..., count=DIM) opens them).

    Signs outside the alphabet are skipped, as M4C does: a word without letters and digits has no bit.
    """
    letters = [char for char in word.lower() if char in ALPHABET]
    bits = np.zeros(DIM, np.uint8)
    offset = 0
    for level in LEVELS:
        for place, letter in enumerate(letters):
            for region in _regions(place, 1, len(letters), level):
                bits[offset + region * len(ALPHABET) + ALPHABET.index(letter)] = 1
        offset += level * len(ALPHABET)
    for place in range(len(letters) - 1):
        bigram = letters[place] + letters[place + 1]
        if bigram in BIGRAMS:
            for region in _regions(place, 2, len(letters), BIGRAM_LEVEL):
                bits[FIRST_BIGRAM_BIT + region * len(BIGRAMS) + BIGRAMS.index(bigram)] = 1
    packed = np.packbits(bits)
    packed.setflags(write=False)  # shared by every caller
    return packed


@lru_cache(maxsize=100_000)
def _regions(place: int, width: int, length: int, level: int) -> tuple[int, ...]:
    """The parts of `level` that hold at least half of the piece; float32, as the reference counts."""
    start, end = np.float32(place) / np.float32(length), np.float32(place + width) / np.float32(length)
    held = []
    for region in range(level):
        left, right = np.float32(region) / np.float32(level), np.float32(region + 1) / np.float32(level)
        overlap = min(end, right) - max(start, left)
        if overlap / (end - start) >= np.float32(0.5):
            held.append(region)
    return tuple(held)
