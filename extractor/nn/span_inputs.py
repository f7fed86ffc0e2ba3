"""From ragged pages to one padded batch of a span model.

The strings of a page are numbered, so that what several places say adds up: spans that spell one string share a number.

B products, N words, L longest span, A attributes of a product's type, U different strings of a page, K of them that
training or a definition knows, X word-pieces, F dictionary features, P layout features.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from extractor.pieces import Pieces, pad

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]


class Encoded(NamedTuple):
    """A product as arrays."""

    pieces: Pieces
    """Product type (no words to answer with), then title, bullets and pack."""
    shape: Ints
    """[N] how a word is written (span_reading.SHAPES)."""
    layout: Floats
    """[N, P] where it stands."""
    string: Ints
    """[N, L] the string that a span spells; -1 for what is no span."""
    elsewhere: Flags
    """[N] on another picture than the main one."""
    groups: Ints
    """[A] which definitions."""
    known: Ints
    """[K] strings that dictionary or definitions know."""
    features: Floats
    """[K, A, F] what the dictionary knows of them."""
    spelt: Flags
    """[K, A] they spell an option of a closed attribute."""
    asked: Flags
    """[A] of which the answer is known, be it that there is none."""
    right: Ints
    """[R, 2] string and attribute: what answers; nothing where no span does."""
    apart: Flags
    """[A] the answer stands where no longer answer does: a segmentation can hold both."""
    num_unreachable: int
    """Questions whose answer no span spells: printed nowhere, or longer than the longest span."""


class Batch(NamedTuple):
    """One padded batch; masks are True where absent."""

    piece_BX: Tensor
    piece_word_BX: Tensor
    shape_BN: Tensor
    layout_BNP: Tensor
    string_BNL: Tensor
    """0 where there is no span."""
    group_BA: Tensor
    absent_BA: Tensor
    absent_BNLA: Tensor
    """No span, no attribute, a refused one, a picture that it may not be read from, or no option of a closed one."""
    feature_BUAF: Tensor
    right_BUA: Tensor
    """Strings that answer."""
    asked_BA: Tensor
    """Of which the answer is known, be it that no span answers."""
    apart_BA: Tensor
    """Whose answer overlaps no other one's."""

    def to(self, device: torch.device) -> "Batch":
        """The same on a device."""
        return Batch(*(tensor.to(device, non_blocking=True) for tensor in self))


def collate(products: Sequence[Encoded], *, main_only: Flags, closed: Flags, refused: Flags) -> Batch:
    """Pad products to one batch; the flags [G] are of the definitions, and no span answers those `refused`."""
    num_B, num_L = len(products), products[0].string.shape[1]
    num_N = max(1, *(len(product.string) for product in products))
    num_A = max(1, *(len(product.groups) for product in products))
    num_U = 2 + max(int(product.string.max(initial=0)) for product in products)  # there is always a second best
    num_P, num_F = products[0].layout.shape[1], products[0].features.shape[2]
    shape_BN = np.zeros((num_B, num_N), np.int64)
    layout_BNP = np.zeros((num_B, num_N, num_P), np.float32)
    string_BNL = np.full((num_B, num_N, num_L), -1)
    group_BA = np.zeros((num_B, num_A), np.int64)
    absent_BA = np.ones((num_B, num_A), np.bool_)
    elsewhere_BN = np.zeros((num_B, num_N), np.bool_)
    feature_BUAF = np.zeros((num_B, num_U, num_A, num_F), np.float32)
    spelt_BUA = np.zeros((num_B, num_U, num_A), np.bool_)
    right_BUA = np.zeros((num_B, num_U, num_A), np.bool_)
    asked_BA = np.zeros((num_B, num_A), np.bool_)
    apart_BA = np.zeros((num_B, num_A), np.bool_)
    for b, product in enumerate(products):
        words, asked = len(product.string), len(product.groups)
        shape_BN[b, :words], layout_BNP[b, :words] = product.shape, product.layout
        string_BNL[b, :words], elsewhere_BN[b, :words] = product.string, product.elsewhere
        group_BA[b, :asked], absent_BA[b, :asked] = product.groups, False
        feature_BUAF[b, product.known, :asked] = product.features
        spelt_BUA[b, product.known, :asked] = product.spelt
        right_BUA[b, product.right[:, 0], product.right[:, 1]] = True
        asked_BA[b, :asked], apart_BA[b, :asked] = product.asked, product.apart
    no_span_BNL = string_BNL < 0
    string_BNL[no_span_BNL] = 0
    barred_BUA = ~spelt_BUA & closed[group_BA][:, None]
    absent_BNLA = no_span_BNL[..., None] | (absent_BA | refused[group_BA])[:, None, None]
    absent_BNLA |= (elsewhere_BN[..., None] & main_only[group_BA][:, None])[:, :, None]
    absent_BNLA |= barred_BUA[np.arange(num_B)[:, None, None], string_BNL]
    piece_BX, piece_word_BX = pad([product.pieces for product in products])
    return Batch(
        piece_BX=piece_BX,
        piece_word_BX=piece_word_BX,
        shape_BN=torch.from_numpy(shape_BN),
        layout_BNP=torch.from_numpy(layout_BNP),
        string_BNL=torch.from_numpy(string_BNL),
        group_BA=torch.from_numpy(group_BA),
        absent_BA=torch.from_numpy(absent_BA),
        absent_BNLA=torch.from_numpy(absent_BNLA),
        feature_BUAF=torch.from_numpy(feature_BUAF),
        right_BUA=torch.from_numpy(right_BUA),
        asked_BA=torch.from_numpy(asked_BA),
        apart_BA=torch.from_numpy(apart_BA),
    )
