"""From ragged arrays of products to one padded batch of tensors.

B products, Q questions, M text slots ([CLS] first), O regions, N OCR words, K = M + N slots that can be copied,
L vocabulary slots (unknown, EOS, the category's words, the group's entries), C = L + K candidates, W gold words,
U different vocabulary words of the batch, X word-pieces, F word-vector width, V feature width.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from extractor import phoc
from extractor.candidates import Positive
from extractor.nn.multimodal import PLACE_DIM
from extractor.pieces import Pieces, pad

Array = npt.NDArray[Any]  # float16 where the training loop keeps it, float32 where it is used at once

UNKNOWN, EOS = 0, 1
NUM_SPECIAL = 2


class Asked(NamedTuple):
    """One question of a product. K slots of the page, text before OCR."""

    group: int
    """Which definition."""
    readable: npt.NDArray[np.bool_]
    """[K] may be copied for this question."""
    entry: npt.NDArray[np.int64]
    """[K] the vocabulary's entry that is the same word, or -1."""
    edit: npt.NDArray[np.uint8]
    """[K] f_e, 0..100."""
    num_gold: int = 0
    """Words of the gold value; 0: unknown."""
    positives: tuple[Positive, ...] = ()


class Row(NamedTuple):
    """A product once through the encoder, with the questions that share it."""

    text: Array | Pieces
    """[1 + words, text dim] frozen states, or the word-pieces where the text encoder is fine-tuned."""
    regions: Array
    """[O, V]."""
    region_boxes: Array
    """[O, 4]."""
    ocr_words: Array
    """[N, F]."""
    ocr_phoc: npt.NDArray[np.uint8]
    """[N, 76] packed bits."""
    ocr_token: npt.NDArray[np.int64]
    """[N] row of token_vectors; -1 where the word has none."""
    token_vectors: Array
    """[tokens, V] of the picture that has features: the example's own array."""
    ocr_place: Array
    """[N, 7] as in nn/multimodal.py."""
    first: npt.NDArray[np.int64]
    """[K] the first slot that holds the same word."""
    follows: npt.NDArray[np.bool_]
    """[K] right behind the slot before, in one source."""
    own: npt.NDArray[np.int64]
    """[K] number of the word's own embedding; 0 where it has none."""
    type_number: int
    """Of the product type among those of training; -1 for others."""
    questions: tuple[Asked, ...]

    @property
    def num_words(self) -> int:
        """Text words that can be copied."""
        return self.text.num_words if isinstance(self.text, Pieces) else len(self.text) - 1


class Encoded(NamedTuple):
    """A product as arrays: one row, or one a question where the attribute stands in the encoder's text."""

    rows: tuple[Row, ...]
    num_unreachable: int
    """Labelled questions left out because no candidates spell the value."""

    @property
    def num_slots(self) -> int:
        """Encoder positions of the longest row: what a batch pays for."""
        return max(1 + row.num_words + len(row.regions) + len(row.ocr_words) for row in self.rows)


class GroupRows(NamedTuple):
    """The vocabulary of one group as rows of the word table."""

    entries: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    """Words of each entry."""
    prefix: npt.NDArray[np.int64]
    """The category's words; empty where the target has no prefix."""


class Batch(NamedTuple):
    """One padded batch; masks are True where absent."""

    text_BMX: Tensor
    """Frozen states, or zero wide where the text is read from pieces."""
    piece_BX: Tensor
    piece_word_BX: Tensor
    text_absent_BM: Tensor
    region_BOV: Tensor
    region_box_BO4: Tensor
    region_absent_BO: Tensor
    ocr_word_BNF: Tensor
    ocr_phoc_BNP: Tensor
    ocr_visual_BNV: Tensor
    ocr_place_BN7: Tensor
    ocr_absent_BN: Tensor
    own_BK: Tensor
    type_B: Tensor
    follows_BK: Tensor
    asked_BQ: Tensor
    group_BQ: Tensor
    prefix_BQ: Tensor
    """Words of the category that come before the value."""
    word_U: Tensor
    """Rows of the word table that the batch needs."""
    word_BQL: Tensor
    """Each vocabulary slot's place in [unknown, EOS, word_U]."""
    absent_BQC: Tensor
    """Candidates that do not exist; the category's words do."""
    outcome_BQC: Tensor
    """What each candidate says: the slot of the same word that comes first."""
    length_BQC: Tensor
    """Words that each candidate says at once."""
    edit_BQK: Tensor
    positive_BQWC: Tensor
    """After W gold words are said, saying this candidate is right."""

    def to(self, device: torch.device) -> "Batch":
        """The same on a device."""
        return Batch(*(tensor.to(device, non_blocking=True) for tensor in self))


def collate(products: Sequence[Encoded], groups: Sequence[GroupRows], text_dim: int) -> Batch:
    """Pad products to one batch; mixed groups are legal."""
    rows = [row for product in products for row in product.rows]
    num_B, num_Q = len(rows), max(1, *(len(row.questions) for row in rows))
    num_M, num_N = 1 + max(row.num_words for row in rows), max(len(row.ocr_words) for row in rows)
    asked = [(b, q, question) for b, row in enumerate(rows) for q, question in enumerate(row.questions)]
    prefix = max((len(groups[question.group].prefix) for _, _, question in asked), default=0)
    entries = max((len(groups[question.group].entries) for _, _, question in asked), default=0)
    num_L = NUM_SPECIAL + prefix + entries
    num_W = 1 + max((question.num_gold + len(groups[question.group].prefix) for _, _, question in asked), default=0)
    shape_BQC = (num_B, num_Q, num_L + num_M + num_N)
    candidates = _Candidates(shape_BQC, num_L, num_W, first_entry=NUM_SPECIAL + prefix, num_text=num_M)
    for b, q, question in asked:
        candidates.fill(b, q, rows[b], question, groups[question.group])
    return Batch(
        **_text(rows, num_M, text_dim),
        **_regions(rows),
        **_ocr(rows, num_N),
        type_B=torch.tensor([row.type_number for row in rows]),
        follows_BK=_spread(rows, [row.follows for row in rows], num_M, num_N),
        own_BK=_spread(rows, [row.own for row in rows], num_M, num_N),
        **candidates.tensors(),
    )


class _Candidates:
    """The part of a batch that differs from question to question."""

    def __init__(
        self, shape_BQC: tuple[int, int, int], num_L: int, num_W: int, first_entry: int, num_text: int
    ) -> None:
        num_B, num_Q, num_C = shape_BQC
        self.num_L, self.first_entry, self.num_text = num_L, first_entry, num_text
        self.asked_BQ = np.zeros((num_B, num_Q), np.bool_)
        self.group_BQ = np.zeros((num_B, num_Q), np.int64)
        self.prefix_BQ = np.zeros((num_B, num_Q), np.int64)
        self.row_BQL = np.full((num_B, num_Q, num_L), -1)
        self.absent_BQC = np.ones(shape_BQC, np.bool_)
        self.absent_BQC[..., :NUM_SPECIAL] = False  # also where nothing is asked: no softmax over nothing
        self.outcome_BQC = np.broadcast_to(np.arange(num_C), shape_BQC).copy()
        self.length_BQC = np.ones(shape_BQC, np.int64)
        self.edit_BQK = np.zeros((num_B, num_Q, num_C - num_L), np.float32)
        self.positive_BQWC = np.zeros((num_B, num_Q, num_W, num_C), np.bool_)

    def fill(self, b: int, q: int, row: Row, question: Asked, group: GroupRows) -> None:
        """Write one question."""
        prefix, entries = len(group.prefix), len(group.entries)
        said = slice(self.first_entry, self.first_entry + entries)
        slot_K = np.arange(len(question.readable))
        slot_K = self.num_L + np.where(slot_K < row.num_words, 1 + slot_K, self.num_text + slot_K - row.num_words)
        self.asked_BQ[b, q] = True
        self.group_BQ[b, q] = question.group
        self.prefix_BQ[b, q] = prefix
        self.row_BQL[b, q, NUM_SPECIAL : NUM_SPECIAL + prefix] = group.prefix
        self.row_BQL[b, q, said] = group.entries
        self.absent_BQC[b, q, NUM_SPECIAL : NUM_SPECIAL + prefix] = False
        self.absent_BQC[b, q, said] = False
        self.absent_BQC[b, q, slot_K] = ~question.readable
        self.outcome_BQC[b, q, slot_K] = np.where(
            question.entry >= 0, self.first_entry + question.entry, slot_K[row.first]
        )
        self.length_BQC[b, q, said] = group.lengths
        self.edit_BQK[b, q, slot_K - self.num_L] = question.edit
        candidate = np.concatenate([self.first_entry + np.arange(entries), slot_K])
        _fill_gold(self.positive_BQWC[b, q], question, group, candidate)

    def tensors(self) -> dict[str, Tensor]:
        """The fields of Batch."""
        present = self.row_BQL >= 0
        word_U, place = np.unique(self.row_BQL[present], return_inverse=True)
        word_BQL = np.zeros_like(self.row_BQL)
        word_BQL[..., :NUM_SPECIAL] = (UNKNOWN, EOS)
        word_BQL[present] = NUM_SPECIAL + place
        named = vars(self) | {"word_U": word_U, "word_BQL": word_BQL}
        return {
            name: torch.from_numpy(named[name]) for name in Batch._fields if isinstance(named.get(name), np.ndarray)
        }


def _fill_gold(
    positive_WC: npt.NDArray[np.bool_], question: Asked, group: GroupRows, candidate: npt.NDArray[np.int64]
) -> None:
    """Target: category words, value words wherever they stand, EOS; `unknown` is an answer of its own (4.5, 4.6)."""
    prefix = len(group.prefix)
    for place in range(prefix):
        positive_WC[place, NUM_SPECIAL + place] = True
    if question.num_gold == 0:
        positive_WC[prefix, UNKNOWN] = True
        return
    for place, number in question.positives:
        positive_WC[prefix + place, candidate[number]] = True
    positive_WC[prefix + question.num_gold, EOS] = True


def _text(rows: Sequence[Row], num_M: int, text_dim: int) -> dict[str, Tensor]:
    pieces = [row.text for row in rows if isinstance(row.text, Pieces)]
    states_BMX = np.zeros((len(rows), num_M, 0 if pieces else text_dim), np.float32)
    absent_BM = np.ones((len(rows), num_M), np.bool_)
    for b, row in enumerate(rows):
        absent_BM[b, : 1 + row.num_words] = False
        if not isinstance(row.text, Pieces):
            states_BMX[b, : len(row.text)] = row.text
    nothing = torch.zeros(len(rows), 0, dtype=torch.long)
    piece_BX, word_BX = pad(pieces) if pieces else (nothing, nothing)
    return {
        "text_BMX": torch.from_numpy(states_BMX),
        "piece_BX": piece_BX,
        "piece_word_BX": word_BX,
        "text_absent_BM": torch.from_numpy(absent_BM),
    }


def _regions(rows: Sequence[Row]) -> dict[str, Tensor]:
    num_O = max(len(row.regions) for row in rows)
    region_BOV = np.zeros((len(rows), num_O, rows[0].regions.shape[1]), np.float32)
    box_BO4 = np.zeros((len(rows), num_O, 4), np.float32)
    absent_BO = np.ones((len(rows), num_O), np.bool_)
    for b, row in enumerate(rows):
        found = len(row.regions)
        region_BOV[b, :found], box_BO4[b, :found], absent_BO[b, :found] = row.regions, row.region_boxes, False
    return {
        "region_BOV": torch.from_numpy(region_BOV),
        "region_box_BO4": torch.from_numpy(box_BO4),
        "region_absent_BO": torch.from_numpy(absent_BO),
    }


def _ocr(rows: Sequence[Row], num_N: int) -> dict[str, Tensor]:
    word_BNF = np.zeros((len(rows), num_N, rows[0].ocr_words.shape[1]), np.float32)
    phoc_BNP = np.zeros((len(rows), num_N, phoc.DIM), np.float32)
    visual_BNV = np.zeros((len(rows), num_N, rows[0].token_vectors.shape[1]), np.float32)
    place_BN7 = np.zeros((len(rows), num_N, PLACE_DIM), np.float32)
    absent_BN = np.ones((len(rows), num_N), np.bool_)
    for b, row in enumerate(rows):
        found = len(row.ocr_words)
        if not found:
            continue
        word_BNF[b, :found], place_BN7[b, :found], absent_BN[b, :found] = row.ocr_words, row.ocr_place, False
        phoc_BNP[b, :found] = np.unpackbits(row.ocr_phoc, axis=1, count=phoc.DIM)
        seen = np.flatnonzero(row.ocr_token >= 0)
        visual_BNV[b, seen] = row.token_vectors[row.ocr_token[seen]]
    return {
        "ocr_word_BNF": torch.from_numpy(word_BNF),
        "ocr_phoc_BNP": torch.from_numpy(phoc_BNP),
        "ocr_visual_BNV": torch.from_numpy(visual_BNV),
        "ocr_place_BN7": torch.from_numpy(place_BN7),
        "ocr_absent_BN": torch.from_numpy(absent_BN),
    }


def _spread(rows: Sequence[Row], found: Sequence[Array], num_M: int, num_N: int) -> Tensor:
    """Something of each row's words [K], over the padded slots: [CLS], text, OCR."""
    spread_BK = np.zeros((len(rows), num_M + num_N), found[0].dtype)
    for b, (row, own) in enumerate(zip(rows, found, strict=True)):
        spread_BK[b, 1 : 1 + row.num_words] = own[: row.num_words]
        spread_BK[b, num_M : num_M + len(row.ocr_words)] = own[row.num_words :]
    return torch.from_numpy(spread_BK)
