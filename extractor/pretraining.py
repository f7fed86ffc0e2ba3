"""Tasks that a catalogue's pages set without any label, asked in the form of questions: what a writing model may learn
before it learns attributes.

Two kinds take turns. Span corruption (Raffel et al. 2020, 3.1.4, one span at a time): some words of the page are
replaced by a mark and asked for. Look-ups: lines `name: value` of words from other pages are put among the bullets, and
one of the names is asked, or one that no line has. Names are words of the catalogue: to be asked for `copper` teaches
to read a question that training never had.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from extractor import text
from extractor.errors import ConfigError
from extractor.records import Definition, Example, Question

MISSING = "missing words"
"""The question about a span."""
MARK = "..."
"""What stands in the place of a span."""
MOST_NAMES = 300
SHORTEST_NAME = 3
LONGEST = 3
"""Words of a span or of a looked-up value, at most."""
MOST_LINES = 4


@dataclass(frozen=True, kw_only=True)
class Config:
    """How much is asked."""

    tasks: int = 4
    """Of each page."""
    lookups: float = 0.5
    """Share of look-ups among the tasks, 0..1."""
    absent: float = 0.15
    """Chance that a look-up asks for a name that no line has: its answer is `unknown`, 0..1."""
    steps: int = 1000
    """Optimiser steps; all else is as in train.loop."""

    def __post_init__(self) -> None:
        if self.tasks < 1:
            raise ConfigError("tasks", self.tasks, "1 or more")
        if self.steps < 1:
            raise ConfigError("steps", self.steps, "1 or more")
        for key in ("lookups", "absent"):
            if not 0 <= getattr(self, key) <= 1:
                raise ConfigError(key, getattr(self, key), "a share, 0..1")


class Tasks(NamedTuple):
    """Pages with what is asked of them, and what that means."""

    examples: list[Example]
    definitions: tuple[Definition, ...]


def tasks(pages: Sequence[Example], config: Config, *, seed: int) -> Tasks:
    """Tasks about some pages, without their pictures' features; the same pages and seed set the same tasks.

    A page without two words side by side sets none.
    """
    setter = _Setter(pages, config, random.Random(f"{seed} pretraining"))
    # By turns and not page by page: the tasks of a page are spread over an epoch.
    examples = [task for turn in range(config.tasks) for page in pages if (task := setter.task(page, turn)) is not None]
    kinds = sorted({page.product_type for page in pages})
    definitions = tuple(
        Definition(product_type=kind, attribute=name, question=f"what is the {name}?")
        for kind in kinds
        for name in (MISSING, *setter.names)
    )
    return Tasks(examples, definitions)


class _Setter:
    """Sets tasks, one after the other."""

    def __init__(self, pages: Sequence[Example], config: Config, rng: random.Random) -> None:
        self.pages, self.config, self.rng = pages, config, rng
        counted = Counter(word.key for page in pages for field in _fields(page) for word in text.words(field))
        known = (word for word, _ in sorted(counted.items(), key=lambda item: (-item[1], item[0])) if word.isalpha())
        fit = [word for word in known if len(word) >= SHORTEST_NAME and word not in MISSING.split()]
        self.names = fit[:MOST_NAMES]
        """Words that serve as names of lines: the frequent ones, letters only."""

    def task(self, page: Example, turn: int) -> Example | None:
        """One task about a page."""
        bare = replace(
            page,
            product_id=f"{page.product_id} task {turn}",
            pictures=tuple(replace(picture, features=None) for picture in page.pictures),
        )
        if len(self.names) > MOST_LINES and self.rng.random() < self.config.lookups:
            return self.looked_up(bare)
        return self.corrupted(bare)

    def corrupted(self, page: Example) -> Example | None:
        """The page without some neighbouring words of its title or of a bullet."""
        fields = _fields(page)
        cuttable = [number for number, field in enumerate(fields) if len(text.words(field)) > 1]
        if not cuttable:
            return None
        number = self.rng.choice(cuttable)
        left, missing = self.cut(fields[number])
        title, bullets = page.title, list(page.bullets)
        if number < len(bullets):
            bullets[number] = left
        else:
            title = left
        return replace(page, title=title, bullets=tuple(bullets), asked=(Question(attribute=MISSING, answer=missing),))

    def looked_up(self, page: Example) -> Example | None:
        """The page with lines of other pages' words, and a question for one of them."""
        num_lines = self.rng.randint(1, MOST_LINES)
        spans = [span for _ in range(num_lines) if (span := self.span(self.rng.choice(self.pages))) is not None]
        if not spans:
            return None
        *chosen, other = self.rng.sample(self.names, len(spans) + 1)
        bullets = list(page.bullets)
        for name, span in zip(chosen, spans, strict=True):
            bullets.insert(self.rng.randrange(len(bullets) + 1), f"{name.capitalize()}: {span}")
        is_absent = self.rng.random() < self.config.absent
        question = Question(attribute=other) if is_absent else Question(attribute=chosen[0], answer=spans[0])
        return replace(page, bullets=tuple(bullets), asked=(question,))

    def span(self, page: Example) -> str | None:
        """Some neighbouring words of a page."""
        fields = [field for field in _fields(page) if len(text.words(field)) > 1]
        return self.cut(self.rng.choice(fields))[1] if fields else None

    def cut(self, field: str) -> tuple[str, str]:
        """A field with a span marked, and the span."""
        words = text.words(field)
        length = min(self.rng.randint(1, LONGEST), len(words) - 1)
        first = self.rng.randrange(len(words) - length + 1)
        start, end = words[first].start, words[first + length - 1].end
        return f"{field[:start]}{MARK}{field[end:]}", field[start:end]


def _fields(page: Example) -> tuple[str, ...]:
    """The texts of a page, the title last."""
    return (*page.bullets, *((page.title,) if page.title else ()))


def held_back(examples: Sequence[Example], share: float) -> tuple[list[Example], list[Example]]:
    """The examples without a share of them, evenly spread, and that share: what validates."""
    every = max(2, round(1 / share))
    kept = [example for number, example in enumerate(examples) if number % every]
    return kept, list(examples[::every])
