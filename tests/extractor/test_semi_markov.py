"""Exact sums over segmentations against all of them, listed one by one."""

import itertools
import math

import pytest
import torch

from extractor.nn import semi_markov


def segmentations(num_words, longest, num_labels):
    """Every set of labelled spans (start, length - 1, label) that do not overlap."""
    spans = [
        (start, length, label)
        for start in range(num_words)
        for length in range(min(longest, num_words - start))
        for label in range(num_labels)
    ]
    for count in range(num_words + 1):
        for chosen in itertools.combinations(spans, count):
            words = [word for start, length, _ in chosen for word in range(start, start + length + 1)]
            if len(words) == len(set(words)):
                yield chosen


def scores(num_words, longest, num_labels, seed=0):
    """Random scores [1, N, L, A]; a span that would leave the text is -inf."""
    torch.manual_seed(seed)
    score = 2 * torch.randn(1, num_words, longest, num_labels, dtype=torch.float64)
    behind = torch.arange(num_words)[:, None] + torch.arange(longest) >= num_words
    return score.masked_fill(behind[None, ..., None], -math.inf)


@pytest.mark.parametrize(("num_words", "longest", "num_labels"), [(4, 2, 2), (5, 3, 1), (3, 5, 2), (1, 1, 3)])
def test_sums_and_marginals_are_those_of_all_segmentations(num_words, longest, num_labels):
    score = scores(num_words, longest, num_labels)
    expected = torch.zeros_like(score)
    total = 0.0
    for chosen in segmentations(num_words, longest, num_labels):
        weight = math.exp(sum(score[0][span].item() for span in chosen))
        total += weight
        for span in chosen:
            expected[0][span] += weight

    found = semi_markov.marginals(score)

    assert semi_markov.log_partition(score).item() == pytest.approx(math.log(total))
    torch.testing.assert_close(found, expected / total)


def test_marginals_are_the_gradient_of_the_sum():
    score = scores(12, 4, 3).requires_grad_()

    semi_markov.log_partition(score).sum().backward()

    torch.testing.assert_close(score.grad, semi_markov.marginals(score.detach()))


def test_words_behind_the_end_change_nothing():
    score = scores(6, 3, 2)
    padded = torch.full((1, 9, 3, 2), -math.inf, dtype=score.dtype)
    padded[:, :6] = score

    torch.testing.assert_close(semi_markov.log_partition(padded), semi_markov.log_partition(score))
    torch.testing.assert_close(semi_markov.marginals(padded)[:, :6], semi_markov.marginals(score))


def test_where_no_span_can_be_the_sum_is_that_of_nothing_and_its_gradient_is_zero():
    score = torch.full((1, 3, 2, 1), -math.inf, requires_grad=True)

    total = semi_markov.log_partition(score)
    total.sum().backward()

    assert total.item() == 0.0
    assert score.grad is not None
    assert not score.grad.any()
