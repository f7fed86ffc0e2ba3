"""Attention of the text, question included, to the cells of the picture (MXT's attribute-aware fusion, S2 2.3).

B products, X text pieces, G = side x side cells row by row, D model width, V width of a cell's vector, H heads,
C common width of both, E = C / H.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from extractor.errors import ConfigError
from extractor.nn.norm import RMSNorm


@dataclass(frozen=True, kw_only=True)
class Config:
    """The attention's sizes."""

    width: int = 256
    """Common width C of text and picture (VG-GPLMs' code: 256)."""
    heads: int = 8
    """Attention heads H."""
    dropout: float = 0.1
    """Share of what is added to the text that is dropped in training."""

    def __post_init__(self) -> None:
        if self.heads < 1 or self.width % self.heads:
            raise ConfigError("heads", self.heads, f"a divisor of width, {self.width}")


class Fused(NamedTuple):
    """The text with what it saw, and where it looked."""

    state_BXD: Tensor
    weight_BXG: Tensor
    """Share of each cell, mean over heads: sums to 1 over cells, or is 0 where there is no picture."""


class GridAttention(nn.Module):
    """Stands behind the encoder; what it returns is what T5's decoder reads."""

    def __init__(self, config: Config, *, width: int, cell_dim: int, side: int) -> None:
        super().__init__()
        self.heads = config.heads
        self.query = nn.Linear(width, config.width, bias=False)
        self.key = nn.Linear(cell_dim, config.width, bias=False)
        self.value = nn.Linear(cell_dim, config.width, bias=False)
        self.row, self.column = nn.Parameter(torch.empty(side, cell_dim)), nn.Parameter(torch.empty(side, cell_dim))
        self.norm = RMSNorm(config.width, eps=1e-6)
        self.out = nn.Linear(width + config.width, width, bias=False)
        self.dropout = nn.Dropout(config.dropout)
        for place in (self.row, self.column):
            nn.init.normal_(place, std=0.02)
        # Both halves: at first the decoder reads exactly the text's states. T's half could not start as anything
        # else beside the residual; O's learns from the first step on, and q, k, v from the second.
        nn.init.zeros_(self.out.weight)

    def forward(self, text_BXD: Tensor, cell_BGV: Tensor, absent_B: Tensor) -> Fused:
        """T + Dropout(W_o [T; O]); what stands in `cell` where the picture is absent is not read."""
        saw_BXC, weight_BXG = self.look(text_BXD, cell_BGV, absent_B)
        # S2 and VG-GPLMs norm the sum. T5's decoder expects states of the size that the encoder's last norm gives them,
        # so the norm stands on what is added: pictures' features have any size.
        added_BXD = self.out(torch.cat([text_BXD, self.norm(saw_BXC)], dim=-1))
        return Fused(text_BXD + self.dropout(added_BXD), weight_BXG)

    def look(self, text_BXD: Tensor, cell_BGV: Tensor, absent_B: Tensor) -> tuple[Tensor, Tensor]:
        """O [B, X, C], what each piece sees, and the weights [B, X, G]; zeros where the picture is absent.

        The softmax runs over cells (the public VG-GPLMs code has it over the text). With one cell, a pooled vector, it
        is 1 whatever was asked, and all pieces see the same: S2's "different regions" need a grid.
        """
        place_GV = (self.row[:, None] + self.column).flatten(0, 1)
        assert len(place_GV) == cell_BGV.shape[1], (len(place_GV), cell_BGV.shape)  # one cell would broadcast
        cell_BGV = cell_BGV.masked_fill(absent_B[:, None, None], 0.0) + place_GV
        query_BHXE, key_BHGE, value_BHGE = (
            part.view(*part.shape[:2], self.heads, -1).transpose(1, 2)
            for part in (self.query(text_BXD), self.key(cell_BGV), self.value(cell_BGV))
        )
        score_BHXG = query_BHXE @ key_BHGE.mT / math.sqrt(query_BHXE.shape[-1])
        # A product without picture attends to zeros and forgets it: there, a mask would leave the softmax nothing.
        weight_BHXG = score_BHXG.softmax(-1).masked_fill(absent_B[:, None, None, None], 0.0)
        saw_BXC = (weight_BHXG.to(value_BHGE.dtype) @ value_BHGE).transpose(1, 2).flatten(2)
        return saw_BXC, weight_BHXG.mean(1)
