"""One answer and one confidence of two models that were asked the same: a reader of spans and a generator.

Both answers are candidates; where the two agree there is one. A logistic regression on what can be seen of them (own
and other score, margin, agreement, whether the value was read or inferred) tells the chance that a candidate is right,
and the likelier one answers: stacking (Wolpert, Neural Networks 1992). It is fitted on judged answers to questions that
taught neither model, which may be few: its weights are drawn towards a prior. Its features let it prefer printed values
of the spans and inferred ones of the generator.

N questions, F features of a candidate.
"""

import json
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, logit

from extractor.errors import ContractError

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

LEAST = 1e-4
"""Scores are kept this far from 0 and 1."""
LEASTS = np.arange(0, 20) / 20
"""Chances that are tried as the least of an answer."""
FEATURES = (
    "score",
    "margin",
    "spans",
    "spans_score",
    "inferred",
    "agrees",
    "agreeing_score",
    "contradicted",
    "contradicting_score",
    "other_unknown_score",
)
"""Scores as logits; of the other model's one, according to what it says."""
PRIOR = {"score": 1.0, "agrees": 1.0, "agreeing_score": 0.5, "contradicted": -1.0}
"""Weights where nothing was judged: a score is what it says, and two that agree are right more often."""


class Answers(NamedTuple):
    """What one model said to N questions."""

    answered: Flags
    """[N] with a value; else unknown."""
    score: Floats
    """[N] 0..1, of the value or of unknown."""
    margin: Floats
    """[N] 0..1."""
    inferred: Flags
    """[N] the value is printed nowhere."""


class Combined(NamedTuple):
    """What both say together."""

    answered: Flags
    """[N] with a value: either has one, and it is likely enough."""
    by_spans: Flags
    """[N] the likelier value is the spans', of two equal ones too."""
    confidence: Floats
    """[N] the chance that the likelier value is right; 0 where neither has one."""


@dataclass(frozen=True, kw_only=True)
class Combiner:
    """A fitted combination."""

    weights: tuple[float, ...]
    """One a feature."""
    intercept: float
    least: float = 0.0
    """Below this chance unknown is the answer."""

    def __call__(self, spans: Answers, generator: Answers, agree: Flags) -> Combined:
        """Answer N questions; `agree` [N] says whether both values are the same."""
        chances = [
            np.where(own.answered, expit(self.intercept + seen @ np.array(self.weights)), 0.0)
            for own, seen in zip((spans, generator), _candidates(spans, generator, agree), strict=True)
        ]
        by_spans = spans.answered & (agree | (chances[0] >= chances[1]))
        confidence = np.where(by_spans, chances[0], chances[1])
        answered = (spans.answered | generator.answered) & (confidence >= self.least)
        return Combined(answered, by_spans, confidence)

    def to_json(self) -> str:
        """For a table or a file."""
        return json.dumps({"kind": "stacked", "features": FEATURES, **asdict(self)}, sort_keys=True)


def from_json(content: str) -> Combiner:
    """Read what `to_json` wrote; ContractError where it was fitted on other features."""
    fields = json.loads(content)
    if fields.get("kind") != "stacked" or tuple(fields.get("features", ())) != FEATURES:
        raise ContractError("combiner", content, f"kind stacked with features {', '.join(FEATURES)}")
    weights = tuple(map(float, fields["weights"]))
    return Combiner(weights=weights, intercept=float(fields["intercept"]), least=float(fields["least"]))


def fit(
    spans: Answers,
    generator: Answers,
    agree: Flags,
    *,
    right_spans: Flags,
    right_generator: Flags,
    num_with_gold: int,
    strength: float = 1.0,
) -> Combiner:
    """From N judged questions, `num_with_gold` of them with a value; `strength` is the inverse of the penalty."""
    first, second = _candidates(spans, generator, agree)
    alone = generator.answered & ~(agree & spans.answered)  # two equal values are one candidate
    seen = np.concatenate([first[spans.answered], second[alone]])
    right = np.concatenate([right_spans[spans.answered], right_generator[alone]])
    intercept, *weights = (round(float(weight), 6) for weight in _logistic(seen, right, strength))
    combiner = Combiner(weights=tuple(weights), intercept=intercept)
    both = combiner(spans, generator, agree)
    right_both = np.where(both.by_spans, right_spans, right_generator) & both.answered
    return replace(combiner, least=_best_least(both, right_both, num_with_gold))


def _logistic(seen: Floats, right: Flags, strength: float) -> Floats:
    """[1 + F] intercept and weights of logistic regression on candidates [C, F], drawn towards PRIOR by a ridge."""
    prior = np.array([0.0, *(PRIOR.get(name, 0.0) for name in FEATURES)])
    seen = np.column_stack([np.ones(len(seen)), seen])
    sign = np.where(right, 1.0, -1.0)

    def loss(weights: Floats) -> tuple[float, Floats]:
        margin, off = sign * (seen @ weights), weights - prior
        gradient = (-sign * expit(-margin)) @ seen + off / strength
        return float(np.logaddexp(0.0, -margin).sum() + off @ off / (2 * strength)), gradient

    found: Floats = minimize(loss, prior, jac=True, method="BFGS").x
    return found


def _best_least(both: Combined, right: Flags, num_with_gold: int) -> float:
    """The chance from which on answering gives the best F1; of equals the lowest."""
    best, chosen = -1.0, 0.0
    for least in LEASTS:
        kept = both.answered & (both.confidence >= least)
        f1 = 2 * int((right & kept).sum()) / max(int(kept.sum()) + num_with_gold, 1)
        if f1 > best:
            best, chosen = f1, float(least)
    return chosen


def _candidates(spans: Answers, generator: Answers, agree: Flags) -> tuple[Floats, Floats]:
    """[N, F] of each model's answers."""
    return _features(spans, generator, agree, by_spans=True), _features(generator, spans, agree, by_spans=False)


def _features(own: Answers, other: Answers, agree: Flags, *, by_spans: bool) -> Floats:
    score, others = (logit(np.clip(said.score, LEAST, 1 - LEAST)) for said in (own, other))
    agrees = agree & other.answered
    contradicted = other.answered & ~agree
    columns = {
        "score": score,
        "margin": own.margin,
        "spans": np.full(len(score), float(by_spans)),
        "spans_score": score * by_spans,
        "inferred": own.inferred,
        "agrees": agrees,
        "agreeing_score": others * agrees,
        "contradicted": contradicted,
        "contradicting_score": others * contradicted,
        "other_unknown_score": others * ~other.answered,
    }
    return np.stack([np.asarray(columns[name], np.float64) for name in FEATURES], axis=1)
