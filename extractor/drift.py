"""Whether answers are like those that a gate was earned on: histograms held against each other.

A difference counts where it is large (total variation distance, the share of answers that stand in another bin) and no
chance (Pearson's chi-square test of homogeneity): few answers differ much by chance, many a little for no reason.
Nothing here knows what is right: drift says that an old promise may not speak of new answers, not that these are wrong.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2_contingency, chisquare

Floats = npt.NDArray[np.floating[Any]]
Counts = Mapping[str, float]
"""Answers by bin."""

CUTS = (0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
"""Of raw confidences, denser where answers are sure: there gates have their thresholds."""
EXPECTED = 5.0
"""Answers that a bin must be expected to hold for the chi-square test; others are taken together (Cochran 1954)."""


class Aspect(StrEnum):
    """What is compared."""

    STATES = "states"
    """Values, `unknown`, and what is neither."""
    CONFIDENCES = "confidences"
    SOURCES = "sources"
    """Where the words of an answer stand: title, bullet, OCR, vocabulary and their mixtures."""
    VALUES = "values"


class Shift(NamedTuple):
    """How far answers have moved in one aspect."""

    distance: float
    """Total variation, 0..1."""
    p: float
    """Chance of such a difference where nothing has changed; 1 where there is too little to tell."""
    bin: str
    """The bin whose share moved most; empty where there is one bin alone."""
    before: float
    now: float
    """Its shares."""


STILL = Shift(0.0, 1.0, "", 0.0, 0.0)


def shift(reference: Counts, batch: Counts) -> Shift:
    """Two samples of answers held against each other."""
    return _compared(
        reference,
        batch,
        expected=lambda counts: counts.sum(axis=0) / counts.sum() * counts.sum(axis=1).min(),
        p=lambda counts: chi2_contingency(counts, correction=False).pvalue,
    )


def shift_of_many(expected: Counts, observed: Counts) -> Shift:
    """Many small samples together, held against what the references of their own groups let expect.

    `expected` sums to as many answers as `observed`: which groups they are of says nothing, then. References count as
    exact, for they are many times larger than samples of this kind.
    """
    return _compared(
        expected, observed, expected=lambda counts: counts[0], p=lambda counts: chisquare(counts[1], counts[0]).pvalue
    )


def _compared(
    before: Counts, now: Counts, *, expected: Callable[[Floats], Floats], p: Callable[[Floats], float]
) -> Shift:
    """Both histograms over the same bins; which bins hold enough, and how likely they are, is the callers'."""
    bins = sorted({*before, *now})
    counts = np.array([[of.get(name, 0.0) for name in bins] for of in (before, now)], dtype=np.float64)
    if not counts.sum(axis=1).all():
        return STILL
    names, merged = _merged(bins, counts, expected(counts))
    if len(names) < 2:
        return STILL
    was, is_ = merged / merged.sum(axis=1, keepdims=True)
    most = int(np.abs(is_ - was).argmax())
    distance = float(np.abs(is_ - was).sum() / 2)
    return Shift(distance, float(p(merged)), names[most], float(was[most]), float(is_[most]))


def _merged(bins: list[str], counts: Floats, expected: Floats) -> tuple[list[str], Floats]:
    """Bins that are expected to hold enough, the others as one; that one joins the least where it is too small, too."""
    enough = expected >= EXPECTED
    names = [name for name, kept in zip(bins, enough, strict=True) if kept]
    kept, rest = counts[:, enough], counts[:, ~enough].sum(axis=1)
    if not rest.any():
        return names, kept
    if expected[~enough].sum() >= EXPECTED or not names:
        return [*names, "others"], np.column_stack([kept, rest])
    kept[:, expected[enough].argmin()] += rest
    return names, kept
