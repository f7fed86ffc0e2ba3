"""Token selection (S0 section 5.2): which candidate to say next, and how sure, whatever its source.

B products, Q questions, T steps, D model width, F word-vector width, U vocabulary words of the batch,
L vocabulary slots of a question, M text slots, N OCR words, K = M + N slots that can be copied, C = L + K candidates.
"""

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

Scale = Literal["sqrt_d", "none"]
Merge = Literal["logsumexp", "max"]


class Keys(NamedTuple):
    """What a step's query is compared with: constant over all steps."""

    word_UD: Tensor
    """The vocabulary words of all groups of the batch, each once."""
    word_BQL: Tensor
    """Which of them each question's vocabulary holds."""
    copy_BKD: Tensor
    """The words of the page, shared by the product's questions."""
    bonus_BQK: Tensor
    """lambda f_e, nearness in spelling to a known value."""


class TokenSelector(nn.Module):
    """Scores every candidate, whatever its source, on one scale (eqs. 5-7)."""

    def __init__(self, *, width: int, word_dim: int, scale: Scale, edit_weight: float, bias: float) -> None:
        super().__init__()
        self.step = nn.Linear(width, width)
        self.word = nn.Linear(word_dim, width)
        self.text = nn.Linear(width, width)
        self.ocr = nn.Linear(width, width)
        self.scale = 1 / math.sqrt(width) if scale == "sqrt_d" else 1.0
        self.edit_weight = edit_weight
        # Not in the paper: with C candidates, bce starts at C ln 2 and long stays there; at -ln C it starts near ln C.
        self.bias = nn.Parameter(torch.full((3,), bias))

    def words(self, word_UF: Tensor) -> Tensor:
        """W_voc z_voc [U, D]: keys of vocabulary words, and their embedding once said (eq. 1)."""
        key_UD: Tensor = self.word(word_UF)
        return key_UD

    def keys(self, word_UD: Tensor, word_BQL: Tensor, text_BMD: Tensor, ocr_BND: Tensor, edit_BQK: Tensor) -> Keys:
        """What is compared: the vocabulary's words and the transformer's outputs for the words of the page."""
        copy_BKD = torch.cat([self.text(text_BMD), self.ocr(ocr_BND)], dim=1)
        # "all" and "off" are stop words in English and brands on a shelf: nearness in spelling to a known
        # value is evidence that the embeddings do not carry. It is added after the scale, which would shrink it.
        bias_K = torch.cat([self.bias[1].expand(text_BMD.shape[1]), self.bias[2].expand(ocr_BND.shape[1])])
        return Keys(word_UD, word_BQL, copy_BKD, self.edit_weight * edit_BQK + bias_K)

    def forward(self, step_BQTD: Tensor, keys: Keys) -> Tensor:
        """Score [B, Q, T, C] float32; absent candidates are the caller's to mask."""
        query_BQTD = self.step(step_BQTD) * self.scale
        # Groups of a batch share words: scoring each word once and picking is cheaper than gathering vectors.
        word_BQTU = query_BQTD @ keys.word_UD.mT + self.bias[0]  # eq. 5
        word_BQTL = word_BQTU.gather(-1, keys.word_BQL[:, :, None].expand(-1, -1, query_BQTD.shape[2], -1))
        copied_BRK = query_BQTD.flatten(1, 2) @ keys.copy_BKD.mT  # eqs. 6 and 7, first terms
        copied_BQTK = copied_BRK.unflatten(1, query_BQTD.shape[1:3]) + keys.bonus_BQK[:, :, None]
        return torch.cat([word_BQTL, copied_BQTK], dim=-1).float()


def merge(score: Tensor, outcome: Tensor, how: Merge) -> Tensor:
    """Probability [..., C] of each outcome: copies of one word are one outcome (MODELS 0.4).

    `outcome` [..., C] numbers what each candidate says; a score of -inf is absent. By logsumexp a word's copies add
    their probabilities; by max only the best copy counts.
    """
    if how == "logsumexp":
        return torch.zeros_like(score).scatter_add(-1, outcome, score.softmax(-1))
    best = torch.full_like(score, -math.inf).scatter_reduce(-1, outcome, score, "amax")
    return best.softmax(-1)
