"""Simulate gates whose true precision is known: how often does one open that should not have?

    python -m benchmarks.gate_promise --out benchmarks/results/gate_promise.json

Groups have 30 to 3,000 answers, a precision around the target, confidences that promise too much or too little or say
nothing, and in half of them many answers share one. Each gets the same audits. A gate is false where the precision of
all that it lets through is below the target. Promised is the share of false gates among ALL groups: at most delta.
"""

import argparse
import json
import math
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from extractor import calibration, certificates
from extractor.certificates import Promise

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


class Population(NamedTuple):
    """What groups are like."""

    sizes: tuple[int, int]
    """Answers of a group, as often in each power of ten."""
    spread: tuple[float, float]
    """A group's mean precision, against the target."""
    telling: tuple[float, ...]
    """How much confidence has to do with being right; drawn."""


POPULATIONS = {
    "around the target": Population((30, 3_000), (-0.05, 0.045), (0.0, 0.5, 1.5)),
    "all just below the target, confidence says nothing": Population((2_000, 3_000), (-0.005, -0.002), (0.0,)),
}
NIGHTS = 365
HOPED = 0.05
"""Share of the gates that opens at least, where false discoveries are bounded: thresholds are made for that."""


class Group(NamedTuple):
    """A simulated group: what the model answered, and what nobody sees."""

    score: Floats
    right: Bools
    order: npt.NDArray[np.int64]
    """The order in which answers are audited: uniform."""
    best: float
    """The least threshold that keeps the target, which nobody can know; infinite where none does."""


class Opened(NamedTuple):
    """What a rule did with one group."""

    precision: float | None
    """Of all that is let through; None where the gate stays shut."""
    found: int
    """Right values let through."""
    best: int
    """Right values that the least threshold that keeps the target lets through."""


def main() -> None:
    """Simulate, count, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, default=2_000)
    parser.add_argument("--target", type=float, default=0.95, help="precision promised")
    parser.add_argument("--delta", type=float, default=0.05, help="chance of a false gate that is allowed")
    parser.add_argument("--audits", type=int, default=200, help="of each group, or all of a smaller one")
    parser.add_argument(
        "--a-night", type=int, default=2, help="audits a night where the bound is looked at every night"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/gate_promise.json"))
    asked = parser.parse_args()
    tables = {name: rows(like, asked) for name, like in POPULATIONS.items()}
    machine = f"{platform.processor() or platform.machine()}, {platform.system()}"
    result = {**vars(asked), "machine": machine, "tables": tables, "out": asked.out.name}
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for name, found in tables.items():
        print("\n".join([f"\n{asked.groups:,} groups {name}", *markdown(found)]))


def rows(like: Population, asked: argparse.Namespace) -> list[dict[str, Any]]:
    """What every rule does with the same groups."""
    rng = np.random.default_rng(asked.seed)
    groups = [drawn(rng, like, asked.target) for _ in range(asked.groups)]
    told = (asked.target, asked.delta, asked.audits)
    rules: dict[str, Callable[[], list[Opened]]] = {
        "oracle: the least threshold that keeps the target": lambda: [
            opened(group, group.best if math.isfinite(group.best) else None) for group in groups
        ],
        "naive: the best threshold of the sample": lambda: [naive(group, *told) for group in groups],
        "estimated: provisional gates' rule": lambda: [estimated(group, *told) for group in groups],
        "certified, one attempt": lambda: certified(groups, *told, promise=Promise.PER_GATE),
        "certified, two starts": lambda: certified(groups, *told, promise=Promise.PER_GATE, starts=2),
        "certified, four attempts, audits doubled": lambda: [repeated(group, *told, attempts=4) for group in groups],
        f"certified, looked at on {NIGHTS} nights": lambda: [
            nightly(group, asked.target, asked.delta, asked.a_night) for group in groups
        ],
        "certified, false discoveries bounded": lambda: certified(groups, *told, promise=Promise.FALSE_DISCOVERY),
        "certified, family-wise": lambda: certified(groups, *told, promise=Promise.FAMILY_WISE),
    }
    found = []
    for name, rule in rules.items():
        began = time.process_time()
        found.append({"rule": name} | summary(rule(), asked) | {"cpu_seconds": round(time.process_time() - began, 1)})
    return found


def drawn(rng: np.random.Generator, like: Population, target: float) -> Group:
    """One group."""
    size = round(math.exp(rng.uniform(math.log(like.sizes[0]), math.log(like.sizes[1]))))
    base = logit(np.clip(target + rng.uniform(*like.spread), 0.02, 0.995))
    latent = rng.normal(size=size)
    telling = rng.choice(like.telling)
    right = rng.random(size) < expit(base + telling * latent)
    score = expit(rng.uniform(0, 5) + rng.uniform(0.3, 2.0) * latent)  # monotone, at no honest height
    if rng.random() < 0.5:
        score = np.round(score, 2)  # many answers as sure as each other
    return Group(score, right, rng.permutation(size), least_threshold(score, right, target))


def least_threshold(score: Floats, right: Bools, target: float) -> float:
    """The least threshold whose precision reaches the target."""
    order = np.argsort(-score, kind="stable")
    falling, hits = score[order], np.cumsum(right[order])
    last = np.append(falling[1:] < falling[:-1], True)
    keeps = np.flatnonzero(last & (hits / np.arange(1, len(order) + 1) >= target))
    return float(falling[keeps[-1]]) if len(keeps) else math.inf


def naive(group: Group, target: float, delta: float, audits: int) -> Opened:
    """The least threshold at which the audited precision reaches the target."""
    del delta
    sample = group.order[:audits]
    falling = np.unique(group.score[sample])[::-1]
    kept = [t for t in falling if group.right[sample][group.score[sample] >= t].mean() >= target]
    return opened(group, kept[-1] if kept else None)


def estimated(group: Group, target: float, delta: float, audits: int) -> Opened:
    """What jobs/calibrate.py does without certificates, with the audits in place of the sellers' values."""
    del delta
    sample = group.order[:audits]
    score, right = group.score[sample], group.right[sample]
    confidence = calibration.fit(score, right)
    found = calibration.threshold(confidence(score), right, target, prior_strength=20.0).threshold
    passing = group.score[confidence(group.score) >= found] if found is not None else np.zeros(0)
    return opened(group, float(passing.min()) if len(passing) else None)


def certified(
    groups: Sequence[Group], target: float, delta: float, audits: int, *, promise: Promise, starts: int = 1
) -> list[Opened]:
    """Learn then test, all gates looked at once; thresholds are made for the level that each gate may hope for."""
    hoped = {Promise.PER_GATE: delta, Promise.FAMILY_WISE: delta / len(groups), Promise.FALSE_DISCOVERY: HOPED * delta}
    thresholds = [
        certificates.candidates(
            group.score, audits=min(audits, len(group.score)), target=target, level=hoped[promise] / starts
        )
        for group in groups
    ]
    first = [
        certificates.certify(*sampled(group, audits), ts[:1], target=target, level=delta).tests
        for group, ts in zip(groups, thresholds, strict=True)
    ]
    levels = certificates.levels([tests[0].p if tests else 1.0 for tests in first], promise, delta)
    found = []
    for group, ts, level in zip(groups, thresholds, levels, strict=True):
        told = (
            certificates.certify(*sampled(group, audits), ts, target=target, level=level, starts=starts)
            if level
            else None
        )
        found.append(opened(group, told.threshold if told else None))
    return found


def repeated(group: Group, target: float, delta: float, audits: int, *, attempts: int) -> Opened:
    """Draw twice as many after each failure; each attempt spends its part of delta."""
    for attempt in range(1, attempts + 1):
        level, num = certificates.attempt_level(delta, attempt), min(audits * 2 ** (attempt - 1), len(group.score))
        thresholds = certificates.candidates(group.score, audits=num, target=target, level=level)
        kept = certificates.certify(*sampled(group, num), thresholds, target=target, level=level).threshold
        if kept is not None or num == len(group.score):
            return opened(group, kept)
    return opened(group, None)


def nightly(group: Group, target: float, delta: float, a_night: int) -> Opened:
    """Some audits every night, looked at every night: false is a gate that was so on any of them."""
    num = min(NIGHTS * a_night, len(group.score))
    thresholds = certificates.candidates(group.score, audits=num, target=target, level=delta)
    score, right = sampled(group, num)
    looks = np.minimum(np.arange(1, NIGHTS + 1) * a_night, num) - 1
    held, worst, last = np.ones(NIGHTS, dtype=bool), None, None
    for threshold in thresholds:
        passed = score >= threshold
        n, good = np.cumsum(passed)[looks], np.cumsum(passed & right)[looks]
        held &= certificates.log_wealth(good, n, target) >= -math.log(delta)
        if not held.any():
            break
        now = opened(group, threshold)
        if now.precision is not None and (worst is None or now.precision < worst):
            worst = now.precision
        last = now if held[-1] else last
    return opened(group, None)._replace(precision=worst, found=last.found if last else 0)


def sampled(group: Group, audits: int) -> tuple[Floats, Bools]:
    """The audited answers."""
    sample = group.order[:audits]
    return group.score[sample], group.right[sample]


def opened(group: Group, threshold: float | None) -> Opened:
    """What a threshold lets through, against the best that knows everything."""
    best = int(group.right[group.score >= group.best].sum())
    if threshold is None:
        return Opened(None, 0, best)
    through = group.right[group.score >= threshold]
    return Opened(float(through.mean()), int(through.sum()), best)


def summary(found: Sequence[Opened], asked: argparse.Namespace) -> dict[str, Any]:
    """Shares in percent."""
    opened_ones = [one.precision for one in found if one.precision is not None]
    false = sum(precision < asked.target for precision in opened_ones)
    limit = asked.delta + 2 * math.sqrt(asked.delta * (1 - asked.delta) / len(found))
    return {
        "opened": percent(len(opened_ones) / len(found)),
        "false_of_all": percent(false / len(found)),
        "promised_of_all": percent(limit),
        "false_of_opened": percent(false / len(opened_ones)) if opened_ones else None,
        "worst_precision": percent(min(opened_ones)) if opened_ones else None,
        "found_of_oracle": percent(sum(one.found for one in found) / sum(one.best for one in found)),
    }


def percent(share: float) -> float:
    """With two decimals."""
    return round(100 * share, 2)


def markdown(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """As Markdown."""
    head = [name for name in rows[0] if name != "cpu_seconds"]
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(str(row[name]) for name in head)} |"


if __name__ == "__main__":
    main()
