"""A text as word-pieces that know which word they are part of.

B texts, X word-pieces.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Pieces(NamedTuple):
    """A text as a text encoder reads it."""

    ids: tuple[int, ...]
    """[X] rows of the word-piece table."""
    word: tuple[int, ...]
    """[X] 0 for [CLS], the number of the word (from 1) for its pieces, -1 for [SEP]."""

    @property
    def num_words(self) -> int:
        """Words that are inside the cap, [CLS] left out."""
        return max(self.word)


def pad(texts: Sequence[Pieces]) -> tuple[Tensor, Tensor]:
    """Piece ids [B, X] (0 behind the end) and word numbers [B, X] (-1: no word, -2: behind the end)."""
    longest = max(len(text.ids) for text in texts)
    ids_BX = torch.zeros(len(texts), longest, dtype=torch.long)
    word_BX = torch.full((len(texts), longest), -2)
    for row, text in enumerate(texts):
        ids_BX[row, : len(text.ids)] = torch.tensor(text.ids)
        word_BX[row, : len(text.ids)] = torch.tensor(text.word)
    return ids_BX, word_BX
