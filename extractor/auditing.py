"""Where audits are worth most: how many a gate needs, and which gates a budget is spent on.

Everything here sees scores and confidences, never a verdict: a plan that knew verdicts would spoil the certificates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from extractor import certificates

Floats = npt.NDArray[np.floating[Any]]

SIZES = (1.5, 2.0, 3.0, 4.0, 6.0)
"""First attempts that are considered, as multiples of what an error-free test needs: with exactly that many, one wrong
answer anywhere in the group would close it."""
WORTH_TRYING = 0.2
"""A gate that would open with less chance than this gets no audits."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a gate promises and what an attempt may spend."""

    target: float
    level: float
    """Chance of being wrong that this attempt spends."""
    starts: int = 1
    slack: float = 0.05
    """Answers are auditable down to where the confidences promise this much less than the target: catalogues, which
    the confidences were learnt from, are wrong now and then."""


class Plan(NamedTuple):
    """What an attempt at one gate would take and give."""

    audits: int
    thresholds: tuple[float, ...]
    """Raw scores, strictest first."""
    chance: float
    """That the gate opens, if the confidences are right."""
    volume: float
    """Answers that it lets through then."""


def auditable(scores: npt.ArrayLike, confidences: npt.ArrayLike, terms: Terms) -> float | None:
    """The least raw score worth auditing; None where the confidences promise too little everywhere."""
    return _loosest(np.asarray(scores, dtype=np.float64), np.asarray(confidences), terms.target - terms.slack)


def plan(
    scores: npt.ArrayLike, confidences: npt.ArrayLike, population: int, terms: Terms, *, audits: int | None = None
) -> Plan | None:
    """The attempt that opens most per audit, or the one of so many audits; None where none is worth trying.

    Args:
        scores: raw, of the auditable answers or a uniform sample of them.
        confidences: of the same.
        population: auditable answers of the group.
        terms: the gate's.
        audits: where the number is given, as for a second attempt.
    """
    score, confidence = np.asarray(scores, dtype=np.float64), np.asarray(confidences, dtype=np.float64)
    need = certificates.error_free(terms.target, terms.level / terms.starts)
    sizes = sorted({min(round(need * size), population) for size in SIZES}) if audits is None else [audits]
    plans = [_plan(score, confidence, population, terms, size) for size in sizes if need <= size <= population]
    worth = [one for one in plans if one is not None and (audits is not None or one.chance >= WORTH_TRYING)]
    return max(worth, key=lambda one: one.chance * one.volume / one.audits, default=None)


def allocate(plans: Sequence[Plan | None], costs: Sequence[int], budget: int) -> list[bool]:
    """Which plans to carry out: those that are expected to let through most answers an audit, while they fit.

    Args:
        plans: one a gate.
        costs: audits that each would still need; answers judged before cost nothing.
        budget: audits in all.
    """
    gains = [
        (-(one.chance * one.volume) / max(cost, 1), place)
        for place, (one, cost) in enumerate(zip(plans, costs, strict=True))
        if one is not None
    ]
    chosen = [False] * len(plans)
    for _, place in sorted(gains):
        if costs[place] <= budget:
            chosen[place], budget = True, budget - costs[place]
    return chosen


def _plan(scores: Floats, confidences: Floats, population: int, terms: Terms, audits: int) -> Plan | None:
    thresholds = certificates.candidates(scores, audits=audits, target=terms.target, level=terms.level / terms.starts)
    if not thresholds:
        return None
    tried = thresholds[:1] if terms.starts == 1 else (thresholds[0], thresholds[-1])
    chance = max(_chance(confidences[scores >= t], audits / len(scores), terms) for t in tried)
    loosest = _loosest(scores, confidences, terms.target)
    if loosest is None:
        loosest = thresholds[0]
    return Plan(audits, thresholds, chance, population * float((scores >= loosest).mean()))


def _loosest(scores: Floats, confidences: Floats, target: float) -> float | None:
    """The least score above which the confidences promise the target on average."""
    order = np.argsort(-scores, kind="stable")
    promised = np.cumsum(confidences[order]) / np.arange(1, len(order) + 1)
    reaching = np.flatnonzero(promised >= target)
    return float(scores[order][reaching[-1]]) if len(reaching) else None


def _chance(confidences: Floats, share: float, terms: Terms) -> float:
    """That a share of these answers, audited, proves the target, if their confidences are right."""
    n = round(len(confidences) * share)
    wrong = 1 - float(confidences.mean())
    provable = binom.sf(n - np.arange(n + 1) - 1, n, terms.target) <= terms.level / terms.starts
    affordable = int(provable.sum()) - 1
    return float(binom.cdf(affordable, n, wrong)) if affordable >= 0 else 0.0
