"""What right means and how often answers are: MODELS 0.3, for every model and every table of results.

A cell is one (product, attribute). `score` ranks answers; equal scores are one point of a curve, because no
threshold can tell them apart.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from extractor import text

Floats = npt.NDArray[np.floating[Any]]
Bools = npt.NDArray[np.bool_]
Same = Callable[[str, str], bool]


class Outcome(StrEnum):
    """Gold, then answer: N nothing, V a value, C the correct value, W a wrong one."""

    NN = "NN"
    NV = "NV"
    VN = "VN"
    VC = "VC"
    VW = "VW"

    @property
    def right(self) -> bool:
        """The value where there is one, `unknown` where there is none."""
        return self in (Outcome.VC, Outcome.NN)

    @property
    def answered(self) -> bool:
        """A value was said."""
        return self in (Outcome.VC, Outcome.VW, Outcome.NV)

    @property
    def with_gold(self) -> bool:
        """There is a value to find."""
        return self in (Outcome.VC, Outcome.VW, Outcome.VN)


def same_keys(a: str, b: str) -> bool:
    """Equal word sequences after MODELS 0.2: the rule of our own tables."""
    return text.keys(a) == text.keys(b)


def same_string(a: str, b: str) -> bool:
    """Equal strings: the rule of the tables published for OA-Mine and AE-110k."""
    return a == b


def outcome(gold: Collection[str], said: str | None, same: Same = same_keys) -> Outcome:
    """Judge one answer; `gold` holds every acceptable value and is empty where the page shows none."""
    if said is None:
        return Outcome.VN if gold else Outcome.NN
    if not gold:
        return Outcome.NV
    return Outcome.VC if any(same(said, value) for value in gold) else Outcome.VW


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many cells had which outcome; a share whose denominator is zero is None, never a guess."""

    nn: int = 0
    nv: int = 0
    vn: int = 0
    vc: int = 0
    vw: int = 0

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> "Counts":
        """Count."""
        found = list(outcomes)
        return cls(**{kind.lower(): found.count(kind) for kind in Outcome})

    @property
    def num(self) -> int:
        """Cells."""
        return self.nn + self.nv + self.vn + self.vc + self.vw

    @property
    def num_answered(self) -> int:
        """Cells for which a value was said."""
        return self.vc + self.vw + self.nv

    @property
    def num_with_gold(self) -> int:
        """Cells that have a value."""
        return self.vc + self.vw + self.vn

    @property
    def precision(self) -> float | None:
        """Right answers of all answers."""
        return share(self.vc, self.num_answered)

    @property
    def recall(self) -> float | None:
        """Right answers of all values there are."""
        return share(self.vc, self.num_with_gold)

    @property
    def f1(self) -> float | None:
        """The harmonic mean of precision and recall."""
        return share(2 * self.vc, self.num_answered + self.num_with_gold)

    @property
    def accuracy(self) -> float | None:
        """Cells that are right, `unknown` included."""
        return share(self.vc + self.nn, self.num)

    @property
    def coverage(self) -> float | None:
        """Cells for which a value was said, right or wrong."""
        return share(self.num_answered, self.num)

    @property
    def unknown_recall(self) -> float | None:
        """Of the cells without a value, those answered `unknown`."""
        return share(self.nn, self.nn + self.nv)

    @property
    def unknown_precision(self) -> float | None:
        """Of the answers `unknown`, those that are right."""
        return share(self.nn, self.nn + self.vn)


def share(part: int, whole: int) -> float | None:
    """A share, or None of nothing."""
    return part / whole if whole else None


def macro(values: Iterable[float | None]) -> float | None:
    """The mean over groups, each group one vote; groups in which the figure is undefined have none."""
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None


class Point(NamedTuple):
    """What letting through every answer at or above a threshold would give."""

    threshold: float
    precision: float
    recall: float
    num_answered: int


def curve(scores: Floats, right: Bools, num_with_gold: int) -> list[Point]:
    """One point a distinct score, from the surest down; `scores` and `right` hold the answered cells alone."""
    if not len(scores):
        return []
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)
    hits = np.cumsum(right[order])[last_of_tie]
    return [
        Point(float(falling[last]), int(hit) / (int(last) + 1), (share(int(hit), num_with_gold) or 0.0), int(last) + 1)
        for last, hit in zip(last_of_tie, hits, strict=True)
    ]


def recall_at_precision(scores: Floats, right: Bools, num_with_gold: int, target: float) -> Point | None:
    """The point of largest recall whose precision reaches the target; None where no threshold does.

    Of equal recalls the higher threshold wins. Recall is flattered on the split that chose the threshold: report
    `at_threshold` of another split.
    """
    reaching = [point for point in curve(scores, right, num_with_gold) if point.precision >= target]
    return max(reaching, key=lambda point: (point.recall, point.threshold), default=None)


def at_threshold(scores: Floats, right: Bools, num_with_gold: int, threshold: float) -> Point | None:
    """What a threshold that was chosen elsewhere gives here; None where it lets nothing through."""
    passed = scores >= threshold
    answered, hits = int(passed.sum()), int(right[passed].sum())
    if not answered:
        return None
    return Point(threshold, hits / answered, share(hits, num_with_gold) or 0.0, answered)


class Bin(NamedTuple):
    """Answers of similar confidence: how sure they were on average, and how often right."""

    confidence: float
    accuracy: float
    num: int


def reliability(confidences: Floats, right: Bools, num_bins: int = 10) -> list[Bin]:
    """Answers in bins of equal width; empty bins are left out."""
    bins = np.minimum((confidences * num_bins).astype(int), num_bins - 1)  # 1.0 belongs to the last bin
    members = [bins == index for index in range(num_bins)]
    return [
        Bin(float(confidences[inside].mean()), float(right[inside].mean()), int(inside.sum()))
        for inside in members
        if inside.any()
    ]


def expected_calibration_error(confidences: Floats, right: Bools, num_bins: int = 10) -> float | None:
    """The mean distance between confidence and accuracy, each bin weighed by its answers."""
    bins = reliability(confidences, right, num_bins)
    if not bins:
        return None
    return sum(entry.num * abs(entry.confidence - entry.accuracy) for entry in bins) / sum(entry.num for entry in bins)


class McNemar(NamedTuple):
    """Two systems on the same cells: which of them alone was right, and how surprising that is by chance."""

    only_a: int
    only_b: int
    p: float


def mcnemar(right_a: Bools, right_b: Bools) -> McNemar:
    """The exact two-sided test on the cells where the systems differ."""
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    p = float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0
    return McNemar(only_a, only_b, p)


def cohen_kappa(counts: Mapping[tuple[str, str], int]) -> float | None:
    """Agreement of two judges beyond chance (Cohen 1960), from how often each pair of words was said.

    1 where they always agree, 0 where as often as by chance; None where chance alone would always agree.
    """
    total = sum(counts.values())
    words = {word for pair in counts for word in pair}
    one = {word: sum(num for (said, _), num in counts.items() if said == word) for word in words}
    other = {word: sum(num for (_, said), num in counts.items() if said == word) for word in words}
    by_chance = sum(one[word] * other[word] for word in words)
    if by_chance == total**2:  # nobody was asked, too
        return None
    same = sum(num for (a, b), num in counts.items() if a == b)
    return (same * total - by_chance) / (total**2 - by_chance)


class Interval(NamedTuple):
    """A difference and the interval that holds 95 % of its resamples."""

    difference: float
    low: float
    high: float


def paired_bootstrap(a: Sequence[Counts], b: Sequence[Counts], *, num_samples: int = 2000, seed: int = 0) -> Interval:
    """F1 of `a` less F1 of `b`; both hold the counts of the same products, and products are what is drawn anew.

    Cells of one product share its picture and its seller, so drawing single cells would make intervals too narrow.
    """
    assert len(a) == len(b), "the systems must be counted on the same products"
    rows_a, rows_b = np.array([astuple(c) for c in a]), np.array([astuple(c) for c in b])
    rng = np.random.default_rng(seed)
    differences = [
        _f1(weights @ rows_a) - _f1(weights @ rows_b) for weights in (_draw(rng, len(a)) for _ in range(num_samples))
    ]
    low, high = np.percentile(differences, [2.5, 97.5])
    return Interval(_f1(rows_a.sum(axis=0)) - _f1(rows_b.sum(axis=0)), float(low), float(high))


def _draw(rng: np.random.Generator, num: int) -> npt.NDArray[np.int64]:
    """How often each of `num` products is drawn, with replacement."""
    return np.bincount(rng.integers(num, size=num), minlength=num)


def _f1(counts: npt.NDArray[np.int64]) -> float:
    nn, nv, vn, vc, vw = (int(count) for count in counts)
    return Counts(nn=nn, nv=nv, vn=vn, vc=vc, vw=vw).f1 or 0.0  # a resample without a value to find has no F1: 0
