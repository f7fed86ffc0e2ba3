"""A pointer gate on T5's decoder (See et al. 2017): say a piece of the vocabulary, or copy one of the source.

R decoder rows, X source pieces, T steps, V pieces of the vocabulary, D model width.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from extractor.nn.smear import shifted


class Mixed(NamedTuple):
    """What may be said next, by either way together, and how much of it was copied."""

    log_prob_RTV: Tensor
    """Log-probability of each piece, float32; -inf where it is neither scored nor to be copied."""
    copy_RTX: Tensor
    """Share of each source piece among copies: sums to 1, or is 0 where nothing can be copied."""
    generate_RT: Tensor
    """p_gen, the share of the vocabulary; 1 - p_gen is that of copies."""


class CopyGate(nn.Module):
    """Not in S2, whose T5 learnt to copy from a large corpus; from scratch it does not learn it in a demo's time."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, width)
        self.state = nn.Linear(width, width, bias=False)
        # The piece before: having said it, the decoder goes on where it stands in the source.
        self.previous = nn.Linear(width, width, bias=False)
        self.generate = nn.Linear(width, 1)

    def keys(self, state_BXD: Tensor, piece_BXD: Tensor) -> Tensor:
        """[B, X, D] from the encoder's states and its pieces' embeddings; once a product."""
        key_BXD: Tensor = self.state(state_BXD) + self.previous(shifted(piece_BXD, 1))
        return key_BXD

    def forward(
        self, state_RTD: Tensor, key_RXD: Tensor, score_RTV: Tensor, source_RX: Tensor, barred_RX: Tensor
    ) -> Mixed:
        """p_gen softmax(score) + (1 - p_gen) softmax(q k), copies of one piece added.

        `source` says which piece of the vocabulary stands where. `barred` is True where it must not be copied: padding,
        question, type, specials, and at decoding what was copied already. Where all is barred, p_gen is 1. A piece of
        score -inf is not generated but can be copied; a prefix tree renormalises what is returned. S2 is silent; See et
        al. also give p_gen the context and the input, which T5's state has seen.
        """
        match_RTX = (self.query(state_RTD) @ key_RXD.mT / math.sqrt(key_RXD.shape[-1])).float()
        nothing_R1 = barred_RX.all(-1, keepdim=True)
        hidden_R1X = barred_RX[:, None]
        log_copy_RTX = (
            match_RTX.masked_fill(hidden_R1X & ~nothing_R1[..., None], -math.inf)
            .log_softmax(-1)  # over all of a row that copies nothing, or it would have no softmax
            .masked_fill(hidden_R1X, -math.inf)
        )
        gate_RT = self.generate(state_RTD)[..., 0].float()
        log_generate_RT = F.logsigmoid(gate_RT).masked_fill(nothing_R1, 0.0)
        generated_RTV = log_generate_RT[..., None] + score_RTV.float().log_softmax(-1)
        index_RTX = source_RX[:, None].expand_as(log_copy_RTX)
        copied_RTV = F.logsigmoid(-gate_RT)[..., None] + gathered(log_copy_RTX, index_RTX, score_RTV.shape[-1])
        return Mixed(log_sum(generated_RTV, copied_RTV), log_copy_RTX.exp(), log_generate_RT.exp())


def gathered(log_weight_RTX: Tensor, index_RTX: Tensor, size: int) -> Tensor:
    """[R, T, size] log of the sum of weights that go to each index, -inf where none goes; gradients stay finite."""
    top_RTV = log_weight_RTX.new_full((*log_weight_RTX.shape[:-1], size), -math.inf)
    top_RTV = top_RTV.scatter_reduce(-1, index_RTX, log_weight_RTX.detach(), "amax")
    reached_RTV = top_RTV > -math.inf
    top_RTV = top_RTV.masked_fill(~reached_RTV, 0.0)
    share_RTX = (log_weight_RTX - top_RTV.gather(-1, index_RTX)).exp()
    sum_RTV = torch.zeros_like(top_RTV).scatter_add(-1, index_RTX, share_RTX)  # at least 1 where anything goes
    return (top_RTV + sum_RTV.masked_fill(~reached_RTV, 1.0).log()).masked_fill(~reached_RTV, -math.inf)


def log_sum(left: Tensor, right: Tensor) -> Tensor:
    """Log of the sum of two numbers given by their logs; of nothing and nothing it is -inf without a gradient."""
    neither = (left == -math.inf) & (right == -math.inf)
    return torch.logaddexp(left.masked_fill(neither, 0.0), right.masked_fill(neither, 0.0)).masked_fill(
        neither, -math.inf
    )
