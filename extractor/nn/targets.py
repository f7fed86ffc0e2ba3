"""What should have been said: a walk through the gold value, all that was right on it, and the loss (MODELS 4.6).

B products, Q questions, T steps, W gold words, C candidates.
"""

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from extractor.nn.inputs import EOS, UNKNOWN, Batch

Loss = Literal["bce", "softmax_multi"]


class Targets(NamedTuple):
    """One way to say the gold values, with all that would have been right at each step."""

    said_BQT: Tensor
    right_BQTC: Tensor
    active_BQT: Tensor


def sample_targets(batch: Batch) -> Targets:
    """Walk through each gold value by a random right candidate a step, and note all right ones (MODELS 4.6).

    Candidates may say several words at once, so what is right depends on how far the walk has come.
    """
    num_W, num_C = batch.positive_BQWC.shape[2:]
    place_BQ, active_BQ = torch.zeros_like(batch.group_BQ), batch.asked_BQ
    steps = []
    for _ in range(num_W):
        place = place_BQ.clamp(max=num_W - 1)[..., None, None].expand(-1, -1, 1, num_C)
        right_BQC = batch.positive_BQWC.gather(2, place)[:, :, 0] & active_BQ[..., None]
        said_BQ = torch.rand(right_BQC.shape, device=right_BQC.device).masked_fill(~right_BQC, -1.0).argmax(-1)
        steps.append((said_BQ, right_BQC, active_BQ))
        place_BQ = place_BQ + batch.length_BQC.gather(2, said_BQ[..., None])[..., 0]
        active_BQ = active_BQ & (said_BQ != EOS) & (said_BQ != UNKNOWN)
        if not bool(active_BQ.any()):
            break
    return Targets(*(torch.stack(column, dim=2) for column in zip(*steps, strict=True)))


def step_loss(score: Tensor, right: Tensor, absent: Tensor, active: Tensor, kind: Loss) -> Tensor:
    """Loss of each step [...] from scores [..., C]: summed over all present candidates (bce), or marginal."""
    if kind == "bce":
        wrong = F.binary_cross_entropy_with_logits(
            score.masked_fill(absent, 0.0), right.to(score.dtype), reduction="none"
        )
        return wrong.masked_fill(absent, 0.0).sum(-1)
    # Not the uniform target over copies: it would make a word's scores in title, OCR and vocabulary equal.
    right = right | ~active[..., None]
    mass = score.masked_fill(absent, -math.inf).logsumexp(-1)
    return mass - score.masked_fill(~right, -math.inf).logsumexp(-1)


def mean(value: Tensor, active: Tensor) -> Tensor:
    """Mean over what is active; 0 where nothing is."""
    return value.masked_fill(~active, 0.0).sum() / active.sum().clamp(min=1)
