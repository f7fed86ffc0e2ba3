"""Which candidates may be said at a step.

B products, Q questions, T steps, K slots that can be copied, C candidates.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from extractor.nn.inputs import EOS, NUM_SPECIAL, UNKNOWN, Batch


def forbidden(batch: Batch, first_step: int, last_step: int) -> Tensor:
    """[B, Q, T, C] candidates that may not be said at steps first..last-1.

    The category's words are open only before the value, `unknown` only in its place, EOS only behind a word.
    """
    step_T = torch.arange(first_step, last_step, device=batch.prefix_BQ.device)
    value_step_BQT = step_T - batch.prefix_BQ[..., None]
    absent_BQTC = batch.absent_BQC[:, :, None].repeat(1, 1, len(step_T), 1)
    absent_BQTC[..., UNKNOWN] = value_step_BQT != 0
    absent_BQTC[..., EOS] = value_step_BQT <= 0
    for place in range(int(batch.prefix_BQ.max())):
        absent_BQTC[..., NUM_SPECIAL + place] |= value_step_BQT >= 0
    return absent_BQTC


def torn(alive_BQK: Tensor, follows_BK: Tensor, num_text: int, num_candidates: int) -> Tensor:
    """[B, Q, C] copies that do not continue the word said last though that word stands in their source.

    `alive` are the places that the answer may have come from; vocabulary words and EOS are never torn.
    """
    next_BQK = F.pad(alive_BQK, (1, -1)) & follows_BK[:, None]
    next_BQK[..., num_text : num_text + 1] = False  # the first OCR word continues no title
    torn_BQK = torch.zeros_like(alive_BQK)
    for source in (slice(None, num_text), slice(num_text, None)):
        torn_BQK[..., source] = alive_BQK[..., source].any(-1, keepdim=True) & ~next_BQK[..., source]
    return F.pad(torn_BQK, (num_candidates - torn_BQK.shape[-1], 0))
