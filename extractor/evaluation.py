"""Answers held against the truth: figures by slice, curves with their gates, comparisons, worst errors."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from extractor import metrics
from extractor.metrics import Counts, Interval, McNemar, Outcome, Point

TARGET = 0.9
"""The precision of Recall@90P (MODELS 0.3)."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One (product, attribute) of the truth with one system's answer, judged."""

    product_id: str
    product_type: str
    attribute: str
    stands: str
    """Where the value stands: title, bullets, pack, nowhere; unknown without a value."""
    gold: tuple[str, ...]
    said: str | None
    score: float | None
    """What answers are ranked by, 0..1."""
    outcome: Outcome
    gate_id: str = ""
    """The gate that decided; empty for raw answers."""
    threshold: float | None = None
    """Least score that passes the gate; None for raw answers and closed gates."""
    decision: str = ""
    """What was decided about the answer; empty for raw answers."""

    @property
    def passed(self) -> bool:
        """The answer stands at or above its gate."""
        if self.said is None or self.score is None or self.threshold is None:
            return False
        return self.score >= self.threshold


class Slice(NamedTuple):
    """Which cells a figure is of; an empty string means all."""

    product_type: str = ""
    attribute: str = ""
    slice: str = ""
    """stands=..., gate=..., vs=...: any other cut."""


class Figure(NamedTuple):
    """One number with the cells that it was measured on."""

    metric: str
    of: Slice
    value: float
    n: int


SHARES: Mapping[str, tuple[Callable[[Counts], float | None], Callable[[Counts], int]]] = {
    "precision": (lambda c: c.precision, lambda c: c.num_answered),
    "recall": (lambda c: c.recall, lambda c: c.num_with_gold),
    "f1": (lambda c: c.f1, lambda c: c.num),
    "accuracy": (lambda c: c.accuracy, lambda c: c.num),
    "coverage": (lambda c: c.coverage, lambda c: c.num),
    "unknown_recall": (lambda c: c.unknown_recall, lambda c: c.nn + c.nv),
    "unknown_precision": (lambda c: c.unknown_precision, lambda c: c.nn + c.vn),
}
"""Metric to the share and the number of cells in its denominator."""


def counted(cells: Sequence[Cell]) -> Counts:
    """The outcomes of cells."""
    return Counts.of(cell.outcome for cell in cells)


def grouped(cells: Sequence[Cell], key: Callable[[Cell], Slice | None]) -> dict[Slice, list[Cell]]:
    """Cells by a slice, in sorted order; cells whose slice is None are left out."""
    groups: defaultdict[Slice, list[Cell]] = defaultdict(list)
    for cell in cells:
        of = key(cell)
        if of is not None:
            groups[of].append(cell)
    return dict(sorted(groups.items()))


CUTS: tuple[Callable[[Cell], Slice | None], ...] = (
    lambda cell: Slice(),
    lambda cell: Slice(attribute=cell.attribute),
    lambda cell: Slice(product_type=cell.product_type),
)
"""The cuts whose groups are large enough to choose a threshold in."""

FINER_CUTS: tuple[Callable[[Cell], Slice | None], ...] = (
    lambda cell: Slice(product_type=cell.product_type, attribute=cell.attribute),
    lambda cell: Slice(slice=f"stands={cell.stands}"),
    lambda cell: Slice(slice=f"gate={cell.gate_id}") if cell.gate_id else None,
)


SIDES = (CUTS[0], FINER_CUTS[1], CUTS[1])
"""The cuts in which two systems are compared: everything, by where the value stands, by attribute."""


def figures(cells: Sequence[Cell], choosing: Sequence[Cell]) -> Iterator[Figure]:
    """Every figure of one system; `choosing` are its cells on the split that chooses thresholds."""
    for cut in (*CUTS, *FINER_CUTS):
        for of, members in grouped(cells, cut).items():
            yield from shares(of, counted(members))
    yield from macros(cells)
    for cut in CUTS:
        chosen_on = grouped(choosing, cut)
        for of, members in grouped(cells, cut).items():
            yield from recall_at_90p(of, members, chosen_on.get(of, []))
    error = metrics.expected_calibration_error(*_ranked(cells))
    if error is not None:
        yield Figure("calibration_error", Slice(), error, counted(cells).num_answered)


def shares(of: Slice, counts: Counts) -> Iterator[Figure]:
    """The shares of one slice that are defined there."""
    for metric, (value, n) in SHARES.items():
        found = value(counts)
        if found is not None:
            yield Figure(metric, of, found, n(counts))


def macros(cells: Sequence[Cell]) -> Iterator[Figure]:
    """Precision, recall and F1 with one vote a (product type, attribute); n counts the groups."""
    groups = [counted(members) for members in grouped(cells, FINER_CUTS[0]).values()]
    for metric in ("precision", "recall", "f1"):
        value = metrics.macro(SHARES[metric][0](counts) for counts in groups)
        if value is not None:
            yield Figure(f"{metric}_macro", Slice(), value, len(groups))


def recall_at_90p(of: Slice, cells: Sequence[Cell], choosing: Sequence[Cell]) -> Iterator[Figure]:
    """R@90P with the threshold chosen on other cells, and the precision that it really had here.

    Where no threshold reaches 90 % there, or none of these answers passes it, the recall is 0 and has no threshold.
    """
    num_with_gold = counted(cells).num_with_gold
    if not num_with_gold or not choosing:
        return
    chosen = metrics.recall_at_precision(*_ranked(choosing), counted(choosing).num_with_gold, TARGET)
    here = None if chosen is None else metrics.at_threshold(*_ranked(cells), num_with_gold, chosen.threshold)
    yield Figure("recall_at_90p", of, 0.0 if here is None else here.recall, num_with_gold)
    if here is not None:
        yield Figure("precision_at_90p", of, here.precision, here.num_answered)
        yield Figure("threshold_at_90p", of, here.threshold, here.num_answered)


def curve(cells: Sequence[Cell]) -> list[Point]:
    """Precision and recall as the threshold falls."""
    return metrics.curve(*_ranked(cells), counted(cells).num_with_gold)


def at_gates(cells: Sequence[Cell]) -> Point | None:
    """What the gates, each with its own threshold, let through of these cells; None where nothing passes."""
    passed = [cell for cell in cells if cell.passed]
    if not passed:
        return None
    hits = sum(cell.outcome is Outcome.VC for cell in passed)
    least = min(cell.threshold for cell in passed if cell.threshold is not None)
    recall = metrics.share(hits, counted(cells).num_with_gold)
    return Point(least, hits / len(passed), recall or 0.0, len(passed))


class Side(NamedTuple):
    """Two systems on the cells of one slice: where they agree, and who is right."""

    of: Slice
    num: int
    agree: int
    """Cells with the same answer, `unknown` included; two right answers are the same, however they are written."""
    both_right: int
    both_wrong: int
    right: McNemar
    """Cells that only one of them has right."""


class Comparison(NamedTuple):
    """One system against another on the same cells."""

    f1: Interval
    """F1 of the first less F1 of the second, products drawn anew."""
    right: McNemar
    """Cells that only one of them has right."""
    sides: tuple[Side, ...]
    """The same by slice: all cells first, then by where the value stands and by attribute."""


def compare(a: Sequence[Cell], b: Sequence[Cell]) -> Comparison:
    """Two systems on the same cells in the same order."""
    keys = [(cell.product_id, cell.attribute) for cell in a]
    assert keys == [(cell.product_id, cell.attribute) for cell in b], "systems are compared cell by cell"
    counts_a, counts_b = ([counted(group) for group in _by_product(cells)] for cells in (a, b))
    right_a, right_b = (np.array([cell.outcome.right for cell in cells], dtype=bool) for cells in (a, b))
    return Comparison(
        metrics.paired_bootstrap(counts_a, counts_b), metrics.mcnemar(right_a, right_b), tuple(side_by_side(a, b))
    )


def side_by_side(a: Sequence[Cell], b: Sequence[Cell]) -> Iterator[Side]:
    """Two systems on the same cells in the same order, slice by slice."""
    for cut in SIDES:
        others = grouped(b, cut)
        for of, mine in grouped(a, cut).items():
            yield _side(of, list(zip(mine, others[of], strict=True)))


def _side(of: Slice, pairs: Sequence[tuple[Cell, Cell]]) -> Side:
    right_a, right_b = (np.array([pair[i].outcome.right for pair in pairs], dtype=bool) for i in (0, 1))
    return Side(
        of=of,
        num=len(pairs),
        agree=sum(_agree(one, other) for one, other in pairs),
        both_right=int((right_a & right_b).sum()),
        both_wrong=int((~right_a & ~right_b).sum()),
        right=metrics.mcnemar(right_a, right_b),
    )


def _agree(one: Cell, other: Cell) -> bool:
    if one.outcome.right and other.outcome.right:
        return True  # in other words perhaps: the truth holds every acceptable value
    if one.said is None or other.said is None:
        return one.said is other.said
    return metrics.same_keys(one.said, other.said)


def worst(cells: Sequence[Cell], num: int) -> list[Cell]:
    """The surest wrong answers, the surest first."""
    wrong = [cell for cell in cells if cell.outcome in (Outcome.VW, Outcome.NV)]
    return sorted(wrong, key=lambda cell: (-(cell.score or 0.0), cell.product_id, cell.attribute))[:num]


def _by_product(cells: Sequence[Cell]) -> Collection[list[Cell]]:
    groups: defaultdict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[cell.product_id].append(cell)
    return groups.values()


def _ranked(cells: Sequence[Cell]) -> tuple[metrics.Floats, metrics.Bools]:
    """Scores of the answered cells, and whether each is right."""
    answered = [cell for cell in cells if cell.said is not None]
    scores = np.array([cell.score or 0.0 for cell in answered], dtype=float)
    return scores, np.array([cell.outcome is Outcome.VC for cell in answered], dtype=bool)
