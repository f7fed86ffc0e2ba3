"""Multimodal adaptation gate (MXT, S2 2.2; Rahman et al. 2020): the picture moves each word's embedding a little.

B products, X text pieces, D model width, V width of the picture's vector, P pieces of the embedding table.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from extractor.errors import ConfigError

EPSILON = 1e-6


@dataclass(frozen=True, kw_only=True)
class Config:
    """How far the picture may move a word."""

    beta: float = 1.0
    """Longest move, as a share of the embedding's length (MAG's code: 1.0 by default, 0.001 in its example)."""
    gain: Literal["embed_rms", "one"] = "embed_rms"
    """Start of the norm's gain: the size of the embeddings, which T5's blocks were trained on, or 1."""
    dropout: float = 0.1
    """Share of the gate's output dropped in training, before T5's own dropout (MAG: 0.5, for a tiny data set)."""

    def __post_init__(self) -> None:
        if self.beta < 0:
            raise ConfigError("beta", self.beta, "0 or more")


class AdaptationGate(nn.Module):
    """Embeddings in, embeddings out; stands before the encoder."""

    def __init__(self, config: Config, *, width: int, image_dim: int, embed_rms: float) -> None:
        """`embed_rms` is `rms` of the embedding table; a model that is about to load its weights may say 1."""
        super().__init__()
        self.beta = config.beta
        self.gate = nn.Linear(width + image_dim, width)
        self.image = nn.Linear(image_dim, width, bias=False)
        self.bias = nn.Parameter(torch.zeros(width))  # b_H, outside the gate as in S2; MAG's code has it inside
        # Zeros, and b_H too: at first a product without picture is moved by nothing, so that it is answered by its
        # text. W_H is not zero, so this vector learns from the first step on.
        self.no_image = nn.Parameter(torch.zeros(image_dim))
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(config.dropout)
        nn.init.constant_(self.norm.weight, embed_rms if config.gain == "embed_rms" else 1.0)

    def move(self, text_BXD: Tensor, image_BV: Tensor, absent_B: Tensor) -> Tensor:
        """What the picture adds, alpha H [B, X, D]: never longer than beta times the embedding it is added to."""
        image_BV = torch.where(absent_B[:, None], self.no_image, image_BV)
        of_text_DD, of_image_DV = self.gate.weight.tensor_split([text_BXD.shape[-1]], dim=1)
        # W_g [T; V] without the picture's copy at every word
        gate_BXD = F.relu(F.linear(text_BXD, of_text_DD, self.gate.bias) + F.linear(image_BV, of_image_DV)[:, None])
        move_BXD: Tensor = (gate_BXD * self.image(image_BV)[:, None] + self.bias).float()
        length_BX1 = torch.linalg.vector_norm(move_BXD, dim=-1, keepdim=True)
        allowed_BX1 = self.beta * torch.linalg.vector_norm(text_BXD.float(), dim=-1, keepdim=True)
        length_BX1 = torch.where(length_BX1 == 0, 1.0, length_BX1)
        alpha_BX1: Tensor = (allowed_BX1 / (length_BX1 + EPSILON)).clamp(max=1.0)
        return alpha_BX1 * move_BXD

    def forward(self, text_BXD: Tensor, image_BV: Tensor, absent_B: Tensor) -> Tensor:
        """F = Dropout(LN(T + alpha H)) [B, X, D]; what stands in `image` where it is absent is not read."""
        moved_BXD: Tensor = self.dropout(self.norm(text_BXD + self.move(text_BXD, image_BV, absent_B)))
        return moved_BXD


def rms(table_PD: Tensor) -> float:
    """Size of an embedding table's numbers: the root of their mean square."""
    return float(table_PD.detach().float().square().mean().sqrt())
