"""From raw scores to confidences, and from confidences to the thresholds of precision gates.

A group (product type, attribute, support) has a dozen judged answers, so its calibration is a pooled logistic curve
whose height is the group's own as far as its answers outweigh the pool (a prior worth so many answers); the pool is the
attribute over all product types, whose own height is found in the same way among all attributes. Precision above a
threshold is estimated so, too: what was counted, and what the pool expects, by weight.
"""

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, logit

from extractor.errors import ContractError

Floats = npt.NDArray[np.float64]
Group = TypeVar("Group", bound=Hashable)

LEAST = 1e-6
"""Scores are kept this far from 0 and 1: the logit of a certain answer is infinite."""
NEWTON_STEPS = 50
"""Enough to move a height by fifty logits; the scale ends at fourteen."""
DECIMALS = 6
"""Parameters and confidences are rounded, so that an answer at its gate stands at it on every machine."""


@dataclass(frozen=True, kw_only=True)
class Calibrator:
    """Platt's curve: confidence = 1 / (1 + exp(-(intercept + slope * logit(score))))."""

    slope: float = 1.0
    intercept: float = 0.0

    def __call__(self, scores: npt.ArrayLike) -> Floats:
        """Raw scores (0..1) to the probability of being right (0..1)."""
        return _curve(self.intercept, self.slope, scores)

    def to_json(self) -> str:
        """What gates.calibrator stores."""
        return json.dumps({"kind": "logistic", **asdict(self)}, sort_keys=True)


def from_json(text: str) -> Calibrator:
    """Read gates.calibrator."""
    fields = json.loads(text)
    if fields.pop("kind", None) != "logistic" or sorted(fields) != ["intercept", "slope"]:
        raise ContractError("gates.calibrator", text, "kind logistic with slope and intercept")
    return Calibrator(slope=float(fields["slope"]), intercept=float(fields["intercept"]))


def confidences(calibrators: Sequence[Calibrator], scores: npt.ArrayLike) -> Floats:
    """Scores, each by a calibrator of its own."""
    intercepts = np.array([calibrator.intercept for calibrator in calibrators], dtype=np.float64)
    slopes = np.array([calibrator.slope for calibrator in calibrators], dtype=np.float64)
    return _curve(intercepts, slopes, scores)


class Threshold(NamedTuple):
    """The least confidence that passes (None: no threshold keeps the target), and what was counted above it."""

    threshold: float | None
    n: int
    """Judged answers at or above the threshold; all of them where there is none."""
    errors: int


def fit(scores: npt.ArrayLike, right: npt.ArrayLike) -> Calibrator:
    """The logistic curve through judged answers; without any, scores are taken as they are."""
    x, truth = _logit(scores), np.asarray(right, dtype=bool)
    if not len(truth):
        return Calibrator()
    # Platt's targets: as if one more answer were right and one more wrong, so that nothing is ever certain.
    target = np.where(truth, (truth.sum() + 1) / (truth.sum() + 2), 1 / ((~truth).sum() + 2))

    def loss(parameters: Floats) -> tuple[float, Floats]:
        z = parameters[0] + parameters[1] * x
        gap = expit(z) - target
        return float(np.sum(np.logaddexp(0, z) - target * z)), np.array([gap.sum(), gap @ x])

    # A falling curve would call the less sure answer the better one: flat is the least that we accept.
    found = minimize(loss, np.array([0.0, 1.0]), jac=True, method="L-BFGS-B", bounds=[(None, None), (0.0, None)])
    return _rounded(found.x[0], found.x[1])


def fit_groups(
    groups: Sequence[Group],
    scores: npt.ArrayLike,
    right: npt.ArrayLike,
    *,
    pools: Callable[[Group], Calibrator],
    prior_strength: float,
) -> Mapping[Group, Calibrator]:
    """For each group the curve of what it is pooled with, at the group's own height."""
    score, truth = np.asarray(scores, dtype=np.float64), np.asarray(right, dtype=bool)
    rows: dict[Group, list[int]] = {}
    for row, group in enumerate(groups):
        rows.setdefault(group, []).append(row)
    return {group: _shifted(pools(group), score[own], truth[own], prior_strength) for group, own in rows.items()}


def threshold(confidences: npt.ArrayLike, right: npt.ArrayLike, target: float, *, prior_strength: float) -> Threshold:
    """The least threshold whose precision is estimated to reach the target.

    The estimate weighs what was counted above the threshold against what the confidences promise there, which count
    as `prior_strength` answers: three right of three open nothing by luck, one wrong label of ten shuts nothing.
    """
    order = np.argsort(-np.asarray(confidences, dtype=np.float64), kind="stable")
    confidence = np.asarray(confidences, dtype=np.float64)[order]
    num_right = np.cumsum(np.asarray(right, dtype=bool)[order])
    n = np.arange(1, len(order) + 1)
    promised = np.cumsum(confidence) / n
    estimate = (num_right + prior_strength * promised) / (n + prior_strength)
    # Equal confidences pass together: a threshold can only stand below the last of them.
    last = np.append(confidence[1:] < confidence[:-1], True)[: len(order)]
    reached = np.flatnonzero(last & (estimate >= target))
    if not len(reached):
        return Threshold(None, len(order), len(order) - int(num_right[-1]) if len(order) else 0)
    at = reached[-1]
    return Threshold(float(confidence[at]), int(n[at]), int(n[at] - num_right[at]))


def _shifted(pool: Calibrator, scores: Floats, right: npt.NDArray[np.bool_], prior_strength: float) -> Calibrator:
    """The pooled curve, raised or lowered to a group's answers: its most probable height under a normal prior."""
    x = pool.intercept + pool.slope * _logit(scores)
    # One answer informs about the height by p(1 - p): the prior is as informative as so many answers.
    expected = expit(x)
    weight = max(prior_strength * float(np.mean(expected * (1 - expected))), LEAST)
    shift = 0.0
    for _ in range(NEWTON_STEPS):
        confidence = expit(x + shift)
        slope = float(np.sum(confidence - right)) + weight * shift
        step = slope / (float(np.sum(confidence * (1 - confidence))) + weight)
        shift -= float(np.clip(step, -1.0, 1.0))  # far from the answer, full Newton steps overshoot
    return _rounded(pool.intercept + shift, pool.slope)


def _curve(intercept: float | Floats, slope: float | Floats, scores: npt.ArrayLike) -> Floats:
    confidences: Floats = np.round(expit(intercept + slope * _logit(scores)), DECIMALS)
    return confidences


def _logit(scores: npt.ArrayLike) -> Floats:
    clipped: Floats = logit(np.clip(np.asarray(scores, dtype=np.float64), LEAST, 1 - LEAST))
    return clipped


def _rounded(intercept: float, slope: float) -> Calibrator:
    return Calibrator(slope=round(float(slope), DECIMALS), intercept=round(float(intercept), DECIMALS))
