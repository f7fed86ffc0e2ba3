"""Semi-Markov CRF: exact sums over all ways to cut a text into labelled spans (Sarawagi and Cohen, NIPS 2004).

A segmentation is a set of spans that do not overlap. Its score is the sum of its spans' scores; words outside count 0,
and no label depends on the label before it. A span that cannot be has score -inf, so padded words change nothing.

B texts, N words, L longest span, A labels; span [i, l] holds the words i .. i + l.
"""

import math

import torch
from torch import Tensor


def log_partition(score_BNLA: Tensor) -> Tensor:
    """[B] the logarithm of the summed exp(score) of all segmentations: their log Z, by the forward recursion."""
    return _prefixes(_by_end(log_sum(score_BNLA, (-1,))))[:, -1]


def marginals(score_BNLA: Tensor) -> Tensor:
    """[B, N, L, A] the probability that a span is part of the segmentation: forward and backward sums around it."""
    num_N, num_L = score_BNLA.shape[1:3]
    span_BNL = log_sum(score_BNLA, (-1,))
    before_BM = _prefixes(_by_end(span_BNL))
    after_BM = _prefixes(span_BNL.flip(1)).flip(1)  # read backwards, a span ends where it began
    end_NL = span_ends(num_N, num_L, score_BNLA.device)
    around_BNL = before_BM[:, :num_N, None] + after_BM[:, end_NL] - before_BM[:, -1:, None]
    return (score_BNLA + around_BNL[..., None]).exp()


def span_ends(num_words: int, longest: int, device: torch.device) -> Tensor:
    """[N, L] the place right behind each span, N for those that would end behind the text."""
    start_N1 = torch.arange(num_words, device=device)[:, None]
    return (start_N1 + torch.arange(1, longest + 1, device=device)).clamp(max=num_words)


def log_sum(score: Tensor, dims: tuple[int, ...]) -> Tensor:
    """The logsumexp over some dimensions; where all is -inf, -inf with a gradient of 0 (logsumexp's own is NaN)."""
    nothing = (score == -math.inf).all(dims, keepdim=True)
    return score.masked_fill(nothing, 0.0).logsumexp(dims).masked_fill(nothing.squeeze(dims), -math.inf)


def _by_end(span_BNL: Tensor) -> Tensor:
    """[B, N, L] the same spans, placed at their last word instead of their first."""
    num_N, num_L = span_BNL.shape[1:]
    length_L = torch.arange(num_L, device=span_BNL.device)
    start_NL = torch.arange(num_N, device=span_BNL.device)[:, None] - length_L
    return span_BNL[:, start_NL.clamp(min=0), length_L].masked_fill(start_NL < 0, -math.inf)


def _prefixes(ending_BNL: Tensor) -> Tensor:
    """[B, N + 1] log sums over the segmentations of the first 0 .. N words."""
    num_L = ending_BNL.shape[2]
    sums = [ending_BNL.new_zeros(len(ending_BNL))]
    last_BL = ending_BNL.new_full((len(ending_BNL), num_L), -math.inf)  # the sums before the spans that end here
    for ending_BL in ending_BNL.unbind(1):
        last_BL = torch.cat([sums[-1][:, None], last_BL[:, :-1]], dim=1)
        sums.append(torch.cat([sums[-1][:, None], last_BL + ending_BL], dim=1).logsumexp(-1))
    return torch.stack(sums, dim=1)
