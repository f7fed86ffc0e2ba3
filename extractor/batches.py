"""Products cut into batches of like length, so that little of a batch is padding."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from extractor.records import Example

Shares = npt.NDArray[np.float64]

WINDOW = 16
"""Training batches whose products are sorted together: enough for even lengths, little enough to stay shuffled."""


def length(example: Example) -> int:
    """About how many rows a product takes in a model: the words of its text and of its pictures, and one."""
    text = sum(len(field.split()) for field in (example.title or "", *example.bullets))
    return 1 + text + sum(len(picture.tokens) for picture in example.pictures)


def by_length(lengths: Sequence[int], *, max_products: int, max_tokens: int) -> list[list[int]]:
    """Every index once, shortest first; a padded batch holds at most `max_tokens`, or one product that is longer."""
    return by_longest([[length] for length in lengths], max_products=max_products, max_tokens=max_tokens)


def by_longest(lengths: Sequence[Sequence[int]], *, max_products: int, max_tokens: int) -> list[list[int]]:
    """The same for products of several rows each, which stay together: those of short rows first."""
    batches: list[list[int]] = [[]]
    num_rows = 0
    longest = [max(rows, default=0) for rows in lengths]
    for index in sorted(range(len(lengths)), key=longest.__getitem__):
        num_rows += len(lengths[index])
        # Sorted, so this product has the longest row: all others are padded to it.
        if batches[-1] and (len(batches[-1]) == max_products or num_rows * longest[index] > max_tokens):
            batches.append([])
            num_rows = len(lengths[index])
        batches[-1].append(index)
    return batches if batches[0] else []


def of_epoch(
    lengths: Sequence[int], shares: Shares | None, *, batch_products: int, seed: int, epoch: int
) -> list[list[int]]:
    """The batches of one epoch: a pure function of its arguments, so a resumed run needs no sampler state.

    Without `shares` every product comes once; with them as many products are drawn with replacement.
    """
    generator = np.random.default_rng([seed, epoch])
    num_products = len(lengths)
    if shares is None:
        order = generator.permutation(num_products)
    else:
        order = generator.choice(num_products, num_products, p=shares)
    window = batch_products * WINDOW
    by_window = np.lexsort((np.asarray(lengths)[order], np.arange(num_products) // window))
    batches = [batch.tolist() for batch in np.array_split(order[by_window], math.ceil(num_products / batch_products))]
    return [batches[place] for place in generator.permutation(len(batches))]


def balanced(groups: Sequence[str], temperature: float) -> Shares:
    """What share of the draws each product has where a group of n is drawn with probability ~ n^(1/temperature).

    At 1 all products are equal; above it rare groups come more often.
    """
    _, group, count = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    share = count[group] ** (1 / temperature - 1)  # n^(1/T) for the group is n^(1/T - 1) for each of its n products
    return np.asarray(share / share.sum(), dtype=np.float64)


def favoured(shares: Shares, members: npt.NDArray[np.bool_], part: float) -> Shares:
    """The same, but some products have a fixed part of all draws; without any, or without others, nothing changes."""
    own = float(shares[members].sum())
    if not 0 < own < 1:
        return shares
    return np.where(members, shares * part / own, shares * (1 - part) / (1 - own))
