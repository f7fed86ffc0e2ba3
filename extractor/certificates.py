"""Certified thresholds: the precision promise of a gate as a theorem about audits.

Learn then test (Angelopoulos, Bates, Candes, Jordan and Lei 2021, arXiv 2110.01052, theorem 1 with fixed-sequence
testing): thresholds are fixed before any verdict is seen and tested from strict to loose, each hypothesis "precision
above it is below the target" by an exact binomial test at level delta, until the first that is not rejected. Whatever
the confidences are worth, the chance that the threshold kept is one whose precision is below the target is at most
delta. Three things must hold: audits are drawn uniformly above the loosest threshold, they are not chosen by what they
show, and thresholds are fixed without verdicts.

Looking again costs: attempt k may be wrong with chance delta / (k (k + 1)), which sums to delta. A certificate is lost
by `lost_p`, which may be looked at every night; `anytime_bound` would earn one in the same way.
"""

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special
from scipy.optimize import brentq
from scipy.stats import binom, binomtest, false_discovery_control, hypergeom

from extractor.errors import ConfigError

Floats = npt.NDArray[np.floating[Any]]

MOST_CANDIDATES = 10
"""Thresholds that are tested at most: more find little between them."""
ENOUGH = 0.98
"""Chance that the sample holds as many audits above the strictest threshold as it needs."""
PRIOR = (4.0, 0.4)
"""Of the mixture behind `anytime_bound`, as a Beta distribution above the target: most of it close to 1, where the
precision of a gate that deserves its certificate lies."""
LOSS_PRIOR = (1.0, 9.0)
"""Of the mixture behind `lost_p`, as a Beta distribution of the error rate above what the target allows."""


class Promise(StrEnum):
    """What delta bounds."""

    PER_GATE = "per_gate"
    """For each gate the chance to open below its target."""
    FAMILY_WISE = "family_wise"
    """The chance that any of all gates opens below its target."""
    FALSE_DISCOVERY = "false_discovery"
    """The expected share of gates below their target among those that open."""


class Test(NamedTuple):
    """One threshold and what its audits say."""

    threshold: float
    n: int
    """Audits at or above it."""
    errors: int
    p: float
    """Chance of so few errors where precision is just below the target."""


class Certificate(NamedTuple):
    """The outcome of a sequence of tests; `threshold` is None where not even the strictest passes."""

    threshold: float | None
    n: int
    """Audits at or above the threshold; at the strictest one where none passes."""
    errors: int
    bound: float
    """Lower bound of the precision above it, which holds with probability 1 - level."""
    level: float
    """The chance of being wrong that was spent on the sequence that led there."""
    first: float
    """The least p-value among the thresholds that sequences start at."""
    tests: tuple[Test, ...]
    """All that were made, strictest first."""


def check(target: float, delta: float) -> None:
    """Refuse a promise that no number of audits can prove.

    Raises:
        ConfigError: target or delta is not strictly between 0 and 1.
    """
    for name, value in (("precision_target", target), ("delta", delta)):
        if not 0 < value < 1:
            raise ConfigError(name, value, "a number between 0 and 1, both excluded")


def error_free(target: float, delta: float) -> int:
    """How many audits without an error certify: the least n with target ** n <= delta (29 for .90, 59 for .95)."""
    check(target, delta)
    return math.ceil(math.log(delta) / math.log(target) - 1e-12)


def p_value(num_right: int, n: int, target: float) -> float:
    """Chance of so many right of n, or more, at a precision of exactly the target; 1 without audits."""
    return float(binom.sf(num_right - 1, n, target))


def lower_bound(num_right: int, n: int, level: float) -> float:
    """Clopper and Pearson's one-sided lower bound of a share; 0 without audits."""
    if not n:
        return 0.0
    exact = binomtest(num_right, n, alternative="greater").proportion_ci(confidence_level=1 - level, method="exact")
    return float(exact.low)


def attempt_level(delta: float, attempt: int) -> float:
    """What attempt 1, 2, ... may spend of delta: all of them together spend less than delta."""
    assert attempt >= 1, "attempts are counted from 1"
    return delta / (attempt * (attempt + 1))


def candidates(scores: npt.ArrayLike, *, audits: int, target: float, level: float) -> tuple[float, ...]:
    """Thresholds from strict to loose, from the scores of all that could be audited and from no verdict.

    The strictest lets through the share of answers of which a sample of `audits` most likely holds as many as an
    error-free test needs; with a stricter one nothing would ever open. The loosest lets all through. Empty where the
    audits are too few for any.
    """
    falling = -np.sort(-np.asarray(scores, dtype=np.float64))
    need = error_free(target, level)
    if audits < need or not len(falling):
        return ()
    strictest = _least_share(need, audits)
    shares = np.linspace(strictest, 1.0, MOST_CANDIDATES) if strictest < 1 else np.ones(1)
    places = np.minimum(np.ceil(shares * len(falling)).astype(int), len(falling)) - 1
    return tuple(float(score) for score in np.unique(falling[places])[::-1])


def certify(
    scores: npt.ArrayLike,
    right: npt.ArrayLike,
    thresholds: Sequence[float],
    *,
    target: float,
    level: float,
    starts: int = 1,
) -> Certificate:
    """Test thresholds from strict to loose, keep the last one before the first failure.

    Args:
        scores: of the audited answers.
        right: whether an auditor found each right.
        thresholds: from `candidates`, strictest first.
        target: the precision promised.
        level: the chance of being wrong that this attempt spends.
        starts: sequences that begin at evenly spaced thresholds, each at its part of the level; the loosest threshold
            that any of them reaches is kept (Angelopoulos et al. 2021, fixed sequences with several starts). A strict
            threshold has few audits above it and fails by one error, a loose one affords some.
    """
    check(target, level)
    assert list(thresholds) == sorted(thresholds, reverse=True), "thresholds run from strict to loose"
    score, truth = np.asarray(scores, dtype=np.float64), np.asarray(right, dtype=bool)
    spent = level / starts
    tests: dict[float, Test] = {}
    first = 1.0
    for start in np.unique(np.linspace(0, max(len(thresholds) - 1, 0), starts).round().astype(int)):
        for place, threshold in enumerate(thresholds[start:]):
            passed = score >= threshold
            n, num_right = int(passed.sum()), int(truth[passed].sum())
            tests[threshold] = Test(threshold, n, n - num_right, p_value(num_right, n, target))
            if not place:
                first = min(first, tests[threshold].p)
            if tests[threshold].p > spent:
                break
    made = sorted(tests.values(), reverse=True)
    held = [test for test in made if test.p <= spent]
    at = held[-1] if held else made[0] if made else Test(math.nan, 0, 0, 1.0)
    bound = lower_bound(at.n - at.errors, at.n, spent)
    return Certificate(at.threshold if held else None, at.n, at.errors, bound, spent, first, tuple(made))


def levels(first: Sequence[float], promise: Promise, delta: float) -> list[float]:
    """The level that each gate is tested at, so that the promise holds; 0 keeps a gate shut.

    Args:
        first: p-value of every gate's strictest threshold; its further tests run at the same level.
        promise: what delta bounds.
        delta: the operator's.

    Per gate: delta. Family-wise: Bonferroni. False discovery: of m gates Benjamini and Hochberg (1995) select R, and
    each of these is tested at delta R / m (Benjamini and Yekutieli 2005, inference on selected parameters): a gate is
    falsely open only where its first true hypothesis has p <= delta R / m, so the expected share is at most delta for
    gates with audits of their own.
    """
    if promise == Promise.PER_GATE:
        return [delta] * len(first)
    if promise == Promise.FAMILY_WISE:
        return [delta / len(first)] * len(first) if first else []
    selected = false_discovery_control(first) <= delta if len(first) else np.zeros(0, dtype=bool)
    spent = delta * int(selected.sum()) / max(len(first), 1)
    return [spent if chosen else 0.0 for chosen in selected]


def log_wealth(
    num_right: npt.ArrayLike, n: npt.ArrayLike, precision: npt.ArrayLike, prior: tuple[float, float] = PRIOR
) -> Floats:
    """What a bet against "precision is at most this" has made of 1, as a logarithm, after n audits in any order.

    The stakes are a mixture over all better precisions (Robbins 1970; Waudby-Smith and Ramdas 2024, section 4): a
    non-negative supermartingale as long as precision is at most `precision`, so it exceeds 1 / delta at any time with
    chance delta at most (Ville's inequality).
    """
    good, all_, m = (np.asarray(part, dtype=np.float64) for part in (num_right, n, precision))
    a, b = prior
    with np.errstate(divide="ignore"):  # a bet that has lost everything
        mixed = special.betaln(a + good, b + all_ - good) + np.log(special.betaincc(a + good, b + all_ - good, m))
    before = special.betaln(a, b) + np.log(special.betaincc(a, b, m))
    wealth: Floats = mixed - before - special.xlogy(good, m) - special.xlog1py(all_ - good, -m)
    return wealth


def anytime_bound(num_right: int, n: int, delta: float) -> float:
    """A lower bound of precision that holds at all times together, however often one looks; 0 without audits."""

    def gain(precision: float) -> float:
        return float(log_wealth(num_right, n, precision)) + math.log(delta)

    low, high = 1e-9, num_right / n if n else 0.0
    if high <= low or gain(low) <= 0:
        return 0.0
    return float(brentq(gain, low, min(high, 1 - 1e-12)))


def anytime_p(num_right: int, n: int, target: float) -> float:
    """The p-value of `anytime_bound`: below delta exactly where the bound is above the target."""
    return min(1.0, math.exp(-float(log_wealth(num_right, n, target))))


def lost_p(right: Sequence[bool], target: float) -> float:
    """The p-value against "precision is at least the target", the least that it ever was; 1 without audits.

    A certificate whose answers are checked night after night is lost when it has once been below delta, whatever
    comes later: one that is deserved is lost with chance delta at most, however long it is watched (Ville's
    inequality, as in `log_wealth`).

    Args:
        right: verdicts in the order in which they were given.
        target: the precision promised.
    """
    wrong = (~np.asarray(right, dtype=bool)).cumsum()
    wealth = log_wealth(wrong, np.arange(1, len(wrong) + 1), 1 - target, LOSS_PRIOR)
    return min(1.0, math.exp(-float(wealth.max(initial=0.0))))


def agreement_p(num_agree: int, n: int, num_right: int, num_audits: int) -> float:
    """The p-value against "people find as many answers right as sellers agree with"; 1 where either is missing.

    Fisher's exact test, one-sided, with half the probability of what was seen (Lancaster 1961: mid-p, for the exact
    test wastes power on few audits). Small where sellers have copied our answers, or share our errors.
    """
    if not n or not num_audits:
        return 1.0
    like = hypergeom(n + num_audits, num_agree + num_right, n)
    return float(like.sf(num_agree) + like.pmf(num_agree) / 2)


def _least_share(need: int, audits: int) -> float:
    """The least share of a population of which `audits` draws hold `need` with chance ENOUGH."""
    if binom.sf(need - 1, audits, 1 - 1e-9) < ENOUGH or need >= audits:
        return 1.0
    return float(brentq(lambda share: binom.sf(need - 1, audits, share) - ENOUGH, 1e-9, 1 - 1e-9))
