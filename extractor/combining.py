"""One answer and one confidence of two models that were asked the same: a reader of spans and a generator.

Both answers are candidates; where the two agree there is one. A logistic regression on what can be seen of them (own
and other score, margin, agreement, whether the value was read or inferred) tells the chance that a candidate is right,
and the likelier one answers: stacking (Wolpert, Neural Networks 1992). It is fitted on judged answers to questions that
taught neither model; its features let it prefer printed values of the spans and inferred ones of the generator.

N questions, F features of a candidate.
"""

import json
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from extractor.errors import ContractError

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

LEAST = 1e-4
"""Scores are kept this far from 0 and 1."""
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
    """[N] either has a value."""
    by_spans: Flags
    """[N] it is the spans' value, of two equal ones too."""
    confidence: Floats
    """[N] the chance that the value is right; 0 where there is none."""


@dataclass(frozen=True, kw_only=True)
class Combiner:
    """A fitted combination."""

    weights: tuple[float, ...]
    """One a feature."""
    intercept: float

    def __call__(self, spans: Answers, generator: Answers, agree: Flags) -> Combined:
        """Answer N questions; `agree` [N] says whether both values are the same."""
        chances = [
            np.where(own.answered, expit(self.intercept + seen @ np.array(self.weights)), 0.0)
            for own, seen in zip((spans, generator), _candidates(spans, generator, agree), strict=True)
        ]
        by_spans = spans.answered & (agree | (chances[0] >= chances[1]))
        confidence = np.where(by_spans, chances[0], chances[1])
        return Combined(spans.answered | generator.answered, by_spans, confidence)

    def to_json(self) -> str:
        """For a table or a file."""
        return json.dumps({"kind": "stacked", "features": FEATURES, **asdict(self)}, sort_keys=True)


def from_json(content: str) -> Combiner:
    """Read what `to_json` wrote; ContractError where it was fitted on other features."""
    fields = json.loads(content)
    if fields.get("kind") != "stacked" or tuple(fields.get("features", ())) != FEATURES:
        raise ContractError("combiner", content, f"kind stacked with features {', '.join(FEATURES)}")
    return Combiner(weights=tuple(map(float, fields["weights"])), intercept=float(fields["intercept"]))


def fit(
    spans: Answers,
    generator: Answers,
    agree: Flags,
    *,
    right_spans: Flags,
    right_generator: Flags,
    strength: float = 1.0,
) -> Combiner:
    """From N judged questions; `strength` is the inverse of the ridge penalty."""
    first, second = _candidates(spans, generator, agree)
    alone = generator.answered & ~(agree & spans.answered)  # two equal values are one candidate
    seen = np.concatenate([first[spans.answered], second[alone]])
    right = np.concatenate([right_spans[spans.answered], right_generator[alone]])
    if not right.any() or right.all():
        raise ContractError("judged answers", f"{int(right.sum())} right of {len(right)}", "right and wrong ones")
    fitted = LogisticRegression(C=strength, max_iter=1000).fit(seen, right)
    weights = tuple(round(float(weight), 6) for weight in fitted.coef_[0])
    return Combiner(weights=weights, intercept=round(float(fitted.intercept_[0]), 6))


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
