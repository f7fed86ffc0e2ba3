"""A score for every span as the answer to every attribute (all spans at once, no loop).

score(i, j, a) = start_i . a + end_j . a + sum of inside_i..j . a + g(first_i, last_j, mean_i..j, length) . a + what the
dictionary knows: ends and whole spans as in question answering and in named entities (Lee et al., arXiv 1611.01436; Yu,
Bohnet and Poesio, ACL 2020), inside as in semi-Markov CRFs; all bilinear in the attribute's vector.

B products, N words, L longest span, A attributes, U strings, D width of a word, K width of an attribute, F dictionary
features, G definitions, Q width of a question.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from extractor.nn.semi_markov import span_ends


class Attributes(nn.Module):
    """A vector for each definition: its question and product type as texts, and what training added for its name."""

    def __init__(self, *, question_dim: int, width: int, num_named: int, unnamed: float) -> None:
        super().__init__()
        self.unnamed = unnamed
        self.question = nn.Sequential(nn.Linear(question_dim, width), nn.LayerNorm(width))
        self.name = nn.Embedding(num_named + 1, width, padding_idx=0)

    def forward(self, question_GQ: Tensor, name_G: Tensor, group_BA: Tensor) -> Tensor:
        """[B, A, K]; name 0 is an attribute new to the model, as which some training products take all of theirs."""
        name_BA = name_G[group_BA]
        if self.training and self.unnamed:
            hidden_B1 = torch.rand(len(group_BA), 1, device=group_BA.device) < self.unnamed
            name_BA = name_BA.masked_fill(hidden_B1, 0)
        attribute_BAK: Tensor = self.question(question_GQ)[group_BA] + self.name(name_BA)
        return attribute_BAK


class SpanScorer(nn.Module):
    """All spans against all attributes of their product's type."""

    def __init__(
        self, *, word_dim: int, cls_dim: int, width: int, longest: int, num_features: int, dropout: float
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.scale = 1 / math.sqrt(width)
        self.start = nn.Linear(word_dim, width)
        self.end = nn.Linear(word_dim, width)
        self.inside = nn.Linear(word_dim, width)
        self.parts = nn.Linear(word_dim, 3 * width)
        """What the two-layer net reads of a span: its first word, its last, the mean of all."""
        self.length = nn.Embedding(longest, width)
        self.whole = nn.Linear(width, width)
        self.no_answer = nn.Linear(cls_dim, width)
        self.weight_F = nn.Parameter(torch.ones(num_features))
        self.weight = nn.Linear(width, num_features)

    def forward(
        self, word_BND: Tensor, cls_BD: Tensor, attribute_BAK: Tensor, string_BNL: Tensor, feature_BUAF: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Scores [B, N, L, A] of spans, among them such that do not exist, and of no answer [B, A]."""
        num_B, num_N, num_L = string_BNL.shape
        end_NL = span_ends(num_N, num_L, word_BND.device)
        last_NL = end_NL - 1
        by_attribute_BKA = attribute_BAK.mT * self.scale

        start_BNA, end_BNA, inside_BNA = (
            part(word_BND) @ by_attribute_BKA for part in (self.start, self.end, self.inside)
        )
        score_BNLA = start_BNA[:, :, None] + end_BNA[:, last_NL] + _sums(inside_BNA, end_NL)

        first_BNK, last_BNK, mean_BNK = self.parts(word_BND).chunk(3, dim=-1)
        length_L1 = torch.arange(1, num_L + 1, device=word_BND.device)[:, None]
        whole_BNLK = first_BNK[:, :, None] + last_BNK[:, last_NL] + _sums(mean_BNK, end_NL) / length_L1
        whole_BNLK = F.dropout(F.gelu(whole_BNLK + self.length.weight), self.dropout, self.training)
        score_BNLA = score_BNLA + (self.whole(whole_BNLK) + self.length.weight) @ by_attribute_BKA[:, None]

        weight_BAF = self.weight_F + self.weight(attribute_BAK) * self.scale
        known_BUA = (feature_BUAF * weight_BAF[:, None]).sum(-1)
        score_BNLA = score_BNLA + known_BUA[torch.arange(num_B, device=word_BND.device)[:, None, None], string_BNL]
        silent_BA = (self.no_answer(cls_BD)[:, None] @ by_attribute_BKA)[:, 0]
        return score_BNLA, silent_BA


def _sums(value_BNK: Tensor, end_NL: Tensor) -> Tensor:
    """[B, N, L, K] the sum over each span's words, as a difference of running sums."""
    running_BMK = F.pad(value_BNK.cumsum(1), (0, 0, 1, 0))
    return running_BMK[:, end_NL] - running_BMK[:, :-1, None]
