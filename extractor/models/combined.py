"""A reader of spans and a generator, asked together: one answer, one confidence.

Both members answer every question; `extractor/combining.py` makes one answer of the two, and of its chance the score.
Members are models that were trained before, each under a name of its own: `jobs.combine` puts them together, and
chooses how on examples that taught neither. The answer is one of theirs, with its evidence.

N questions.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, Self

import numpy as np
import torch
from pydantic import TypeAdapter

from extractor import combining, components
from extractor.combining import Answers, Combiner
from extractor.errors import ContractError, ModelError
from extractor.models import base
from extractor.models.base import Knowledge
from extractor.normalise import Normaliser
from extractor.records import DEFINITIONS, Definition, Example, Prediction
from schemas.enums import State, Support

FILE = "combined.json"
MEMBERS = ("spans", "generator")
"""Folders of the members."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """A model that answers, as its own card has it."""

    name: str
    """The component."""
    config: dict[str, Any] = field(default_factory=dict)  # the component's own Config, as JSON
    """Its settings."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Who answers; `jobs.combine` fills it from two registered models."""

    spans: Member = field(default_factory=lambda: Member(name="spans"))
    """What reads printed values."""
    generator: Member = field(default_factory=lambda: Member(name="pam"))
    """What may answer with a value that is printed nowhere."""
    strength: float = 1.0
    """Inverse of the ridge penalty on the combination's weights."""


class Judged(NamedTuple):
    """Both members' answers to N questions whose answer is known."""

    spans: list[Prediction]
    generator: list[Prediction]
    gold: list[str | None]


class Model:
    """Two models behind the door of models/base.py."""

    def __init__(
        self,
        config: Config,
        definitions: Sequence[Definition],
        *,
        spans: base.Model,
        generator: base.Model,
        combiner: Combiner | None = None,
    ) -> None:
        self.config = config
        self.spans, self.generator = spans, generator
        self.combiner = combiner or ALONE
        self._take(definitions)

    def _take(self, definitions: Sequence[Definition]) -> None:
        self.definitions = tuple(definitions)
        self.normalisers = {(given.product_type, given.attribute): Normaliser(given) for given in definitions}

    @classmethod
    def create(cls, config: Config, knowledge: Knowledge, examples: Sequence[Example], *, seed: int) -> NoReturn:
        """It is made of models that exist."""
        del config, knowledge, examples, seed
        raise ModelError("model 'combined'", "nothing to train", "two registered models: python -m jobs.combine")

    def define(self, definitions: Sequence[Definition]) -> None:
        """Both members answer by these definitions from now on."""
        self.spans.define(definitions)
        self.generator.define(definitions)
        self._take(definitions)

    def fit(self, examples: Sequence[Sequence[Example]]) -> None:
        """Learn how to combine from batches of examples that taught neither member."""
        judged = [
            Judged(self.spans.predict(batch), self.generator.predict(batch), [q.answer for e in batch for q in e.asked])
            for batch in examples
        ]
        spans = [said for batch in judged for said in batch.spans]
        generator = [said for batch in judged for said in batch.generator]
        gold = [answer for batch in judged for answer in batch.gold]
        self.combiner = combining.fit(
            _answers(spans),
            _answers(generator),
            self._agree(spans, generator),
            right_spans=self._right(spans, gold),
            right_generator=self._right(generator, gold),
            num_with_gold=sum(answer is not None for answer in gold),
            strength=self.config.strength,
        )

    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        """One prediction a question: one of the two members' own, with the combination's confidence."""
        spans, generator = self.spans.predict(examples), self.generator.predict(examples)
        if not spans:
            return []
        both = self.combiner(_answers(spans), _answers(generator), self._agree(spans, generator))
        return [
            _one(*said, answered=bool(answered), by_spans=bool(by_spans), confidence=float(confidence))
            for *said, answered, by_spans, confidence in zip(spans, generator, *both, strict=True)
        ]

    def save(self, folder: Path) -> None:
        """A folder for each member, and how they are combined as JSON."""
        for name, member in zip(MEMBERS, (self.spans, self.generator), strict=True):
            (folder / name).mkdir(parents=True, exist_ok=True)
            member.save(folder / name)
        definitions = DEFINITIONS.dump_python(self.definitions, mode="json")
        content = {"combiner": json.loads(self.combiner.to_json()), "definitions": definitions}
        (folder / FILE).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, config: Config, *, device: torch.device) -> Self:
        """The model that `save` wrote, on a device."""
        file = folder / FILE
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            combiner = combining.from_json(json.dumps(content["combiner"]))
            definitions = DEFINITIONS.validate_python(content["definitions"])
        except (OSError, ValueError, KeyError, TypeError, ContractError) as error:
            raise ModelError(str(file), f"no combination ({error})", "the file that `save` wrote") from error
        spans, generator = (
            _member(folder / name, member, device)
            for name, member in zip(MEMBERS, (config.spans, config.generator), strict=True)
        )
        return cls(config, definitions, spans=spans, generator=generator, combiner=combiner)

    def _agree(self, spans: Sequence[Prediction], generator: Sequence[Prediction]) -> combining.Flags:
        """[N] both say a value, and it is the same one by its definition."""
        return np.array([self._same(one, other.value) for one, other in zip(spans, generator, strict=True)], np.bool_)

    def _right(self, said: Sequence[Prediction], gold: Sequence[str | None]) -> combining.Flags:
        """[N] the value is the known one."""
        return np.array([self._same(one, answer) for one, answer in zip(said, gold, strict=True)], np.bool_)

    def _same(self, said: Prediction, value: str | None) -> bool:
        if said.state != State.VALUE or said.value is None or value is None:
            return False
        return self.normalisers[said.product_type, said.attribute].same(said.value, value)


ALONE = Combiner(weights=tuple(combining.PRIOR.get(name, 0.0) for name in combining.FEATURES), intercept=0.0)
"""What nobody fitted: the surer one answers."""


def _member(folder: Path, member: Member, device: torch.device) -> base.Model:
    module = components.module("models", member.name, key="model.name")
    config = TypeAdapter(module.Config).validate_python(member.config)
    model: base.Model = module.Model.load(folder, config, device=device)
    return model


def _answers(said: Sequence[Prediction]) -> Answers:
    """[N] what a combination looks at."""
    return Answers(
        answered=np.array([one.state == State.VALUE for one in said], np.bool_),
        score=np.array([one.score or 0.0 for one in said], np.float64),
        margin=np.array([one.margin or 0.0 for one in said], np.float64),
        inferred=np.array([one.support == Support.INFERRED for one in said], np.bool_),
    )


def _one(spans: Prediction, generator: Prediction, *, answered: bool, by_spans: bool, confidence: float) -> Prediction:
    """The answer of two."""
    chosen, other = (spans, generator) if by_spans else (generator, spans)
    others = None if other.value == chosen.value else other.value
    if answered:
        return replace(chosen, score=confidence, sigmoid_score=None, runner_up=others or chosen.runner_up)
    if generator.state == State.TRUNCATED:
        return generator
    if State.VALUE in (spans.state, generator.state):
        score = 1 - confidence
    else:
        score = max(spans.score or 0.0, generator.score or 0.0)
    return Prediction(
        product_id=chosen.product_id,
        product_type=chosen.product_type,
        attribute=chosen.attribute,
        input_hash=chosen.input_hash,
        state=State.UNKNOWN,
        score=score,
        unknown_probability=score,
        runner_up=chosen.value or chosen.runner_up,
        margin=chosen.margin,
    )
