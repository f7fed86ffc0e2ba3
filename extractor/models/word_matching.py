"""Word Matching (PAM section 6.5.5): the first known value of the dictionary that stands on the page.

Each (product type, attribute) has a dictionary of the values that training gave it. An entry matches a run of
neighbouring words of one text, or of one picture's words in reading order. The paper goes through the dictionary "in
ascending popularity"; `longest` first is the stronger baseline (MODELS 7).
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple, Self

import torch
from pydantic import TypeAdapter, ValidationError

from extractor import page, text
from extractor.errors import ModelError
from extractor.evidence import replay, sources
from extractor.models.base import Knowledge
from extractor.records import Definition, Evidence, Example, Picture, Prediction, Question
from schemas.enums import Pictures, Source, State, Support

Keys = tuple[str, ...]
Group = tuple[str, str]
FILE = "word_matching.json"


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Values that a product type's dictionary must not hold."""

    product_type: str
    """The product type; * for all."""
    words: tuple[str, ...]
    """The values, in any spelling."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Word Matching's settings."""

    order: Literal["asc", "longest", "desc"] = "longest"
    """Which matching entry wins: the rarest (asc, as the paper says), the longest, or the most frequent."""
    sources: tuple[Literal["title", "bullets", "ocr"], ...] = ("title", "bullets", "ocr")
    """Where to look; of several places that hold an entry, the first named is its evidence."""
    stop: tuple[Stop, ...] = ()
    """The stop-list of each product type (the paper's is made by hand)."""
    options: bool = True
    """Closed values and their aliases are entries too, with popularity 0 where training never saw them."""
    prior_precision: float = 0.5
    """Precision of an entry that never matched a training product, 0..1."""
    prior_weight: float = 2.0
    """How many matches that prior weighs."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A value of a dictionary."""

    keys: Keys
    option: str | None
    """The closed value that it stands for; None where values are open."""
    count: int
    """Training products that have it."""
    matched: int = 0
    """Training products where it wins, the product's own answer left out of the dictionary."""
    right: int = 0
    """Of these, the ones that have it."""


@dataclass(frozen=True, kw_only=True)
class Dictionary:
    """What is known of one (product type, attribute)."""

    product_type: str
    attribute: str
    pictures: Pictures
    """Which pictures may be read."""
    entries: tuple[Entry, ...]
    """In order: the first that stands on the page wins."""
    unmatched: int = 0
    """Training products on which nothing matches."""
    unknown: int = 0
    """Of these, the ones whose answer is unknown."""


class Run(NamedTuple):
    """Words that may match together: one text, or the words of one picture in reading order."""

    keys: Keys
    evidence: tuple[Evidence, ...]


class Hit(NamedTuple):
    """An entry that stands on the page."""

    entry: Entry
    evidence: tuple[Evidence, ...]


class Model:
    """Dictionaries; nothing is learnt by gradient."""

    def __init__(self, config: Config, dictionaries: Iterable[Dictionary]) -> None:
        self.config = config
        self._take(dictionaries)

    def _take(self, dictionaries: Iterable[Dictionary]) -> None:
        self.dictionaries = {(known.product_type, known.attribute): known for known in dictionaries}
        self.ranks = {
            group: {entry.keys: rank for rank, entry in enumerate(known.entries)}
            for group, known in self.dictionaries.items()
        }

    @classmethod
    def create(cls, config: Config, knowledge: Knowledge, examples: Sequence[Example], *, seed: int) -> Self:
        """Count values, then how often each is right; nothing is random."""
        del seed
        counts: dict[Group, Counter[Keys]] = defaultdict(Counter)
        for example in examples:
            for question in example.asked:
                counts[example.product_type, question.attribute][text.keys(question.answer or "")] += 1
        unmeasured = cls(
            config,
            (
                _dictionary(config, definition, counts[definition.product_type, definition.attribute])
                for definition in knowledge.definitions
            ),
        )
        return cls(config, unmeasured._measured(examples))

    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        """One prediction a question."""
        return [self._answer(example, question) for example in examples for question in example.asked]

    def define(self, definitions: Sequence[Definition]) -> None:
        """Look up by these definitions: what was counted stays, options come and go."""
        self._take(_defined(self.config, definition, self.dictionaries) for definition in definitions)

    def save(self, folder: Path) -> None:
        """Write the dictionaries as JSON."""
        content = [asdict(known) for known in self.dictionaries.values()]
        (folder / FILE).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, config: Config, *, device: torch.device) -> Self:
        """Read what `save` wrote; there is nothing to put on a device."""
        del device
        try:
            return cls(config, TypeAdapter(list[Dictionary]).validate_json((folder / FILE).read_bytes()))
        except (OSError, ValidationError) as error:
            raise ModelError(str(folder / FILE), f"no dictionaries ({error})", "the file that `save` wrote") from error

    def _known(self, example: Example, question: Question) -> Dictionary:
        group = (example.product_type, question.attribute)
        if group not in self.dictionaries:
            raise ModelError("word_matching, question", group, "a (product type, attribute) with a definition")
        return self.dictionaries[group]

    def _measured(self, examples: Iterable[Example]) -> Iterator[Dictionary]:
        """The same dictionaries with their precision on the training products, each left out in its turn."""
        matched: Counter[tuple[Group, Keys | None]] = Counter()
        right: Counter[tuple[Group, Keys | None]] = Counter()
        for example in examples:
            for question in example.asked:
                own = text.keys(question.answer) if question.answer is not None else None
                hits = self._hits(example, question, without=own)
                winner = hits[0].entry.keys if hits else None
                group = (example.product_type, question.attribute)
                matched[group, winner] += 1
                right[group, winner] += self._meaning(group, winner) == self._meaning(group, own)
        for group, known in self.dictionaries.items():
            entries = tuple(
                replace(entry, matched=matched[group, entry.keys], right=right[group, entry.keys])
                for entry in known.entries
            )
            yield replace(known, entries=entries, unmatched=matched[group, None], unknown=right[group, None])

    def _meaning(self, group: Group, keys: Keys | None) -> object:
        """The closed value where the words stand for one: an alias is as right as the value itself."""
        rank = self.ranks[group].get(keys) if keys is not None else None
        option = None if rank is None else self.dictionaries[group].entries[rank].option
        return keys if option is None else option

    def _hits(self, example: Example, question: Question, *, without: Keys | None = None) -> list[Hit]:
        """Entries that stand on the page, the winner first; `without` hides a value that one product alone has."""
        known = self._known(example, question)
        ranks = self.ranks[known.product_type, known.attribute]
        lengths = sorted({len(keys) for keys in ranks})
        found: dict[int, tuple[Evidence, ...]] = {}
        for run in _runs(example, self.config.sources, known.pictures):
            for start in range(len(run.keys)):
                for length in lengths:
                    rank = ranks.get(run.keys[start : start + length])
                    if rank is not None:
                        found.setdefault(rank, run.evidence[start : start + length])
        hits = [Hit(known.entries[rank], found[rank]) for rank in sorted(found)]
        return [hit for hit in hits if hit.entry.keys != without or hit.entry.option is not None or hit.entry.count > 1]

    def _answer(self, example: Example, question: Question) -> Prediction:
        known, hits = self._known(example, question), self._hits(example, question)
        prediction = Prediction(
            product_id=example.product_id,
            product_type=example.product_type,
            attribute=question.attribute,
            input_hash=question.input_hash,
            state=State.UNKNOWN,
        )
        if not hits:
            score = self._precision(known.unknown, known.unmatched)
            return replace(prediction, score=score, unknown_probability=score)
        values = [replay(hit.evidence, sources(example, None)) for hit in hits[:2]]
        return replace(
            prediction,
            state=State.VALUE,
            value=values[0],
            score=self._precision(hits[0].entry.right, hits[0].entry.matched),
            num_words=len(hits[0].evidence),
            runner_up=values[1] if len(values) > 1 else None,
            support=Support.PRINTED,
            evidence=hits[0].evidence,
        )

    def _precision(self, right: int, matched: int) -> float:
        weight = self.config.prior_weight
        return (right + weight * self.config.prior_precision) / max(matched + weight, 1e-9)


def _dictionary(config: Config, definition: Definition, counts: Counter[Keys]) -> Dictionary:
    options: dict[Keys, str] = {}
    if config.options and definition.options is not None:
        spellings = [(value, value) for value in definition.options]
        spellings += [(alias, value) for value, aliases in definition.options.items() for alias in aliases]
        for spelling, value in spellings:
            options.setdefault(text.keys(spelling), value)
    stopped = {
        text.keys(word)
        for stop in config.stop
        if stop.product_type in (definition.product_type, "*")
        for word in stop.words
    }
    entries = [
        Entry(keys=keys, option=options.get(keys), count=counts[keys])
        for keys in counts.keys() | options.keys()
        if keys and keys not in stopped
    ]
    return Dictionary(
        product_type=definition.product_type,
        attribute=definition.attribute,
        pictures=definition.pictures,
        entries=tuple(sorted(entries, key=ORDERS[config.order])),
    )


def _defined(config: Config, definition: Definition, known: Mapping[Group, Dictionary]) -> Dictionary:
    """The dictionary of a definition that may have changed since the counting."""
    old = known.get((definition.product_type, definition.attribute))
    if old is None:
        return _dictionary(config, definition, Counter())
    before = {entry.keys: entry for entry in old.entries}
    counts = Counter({keys: entry.count for keys, entry in before.items() if entry.count})
    fresh = _dictionary(config, definition, counts)
    entries = (replace(before.get(entry.keys, entry), option=entry.option) for entry in fresh.entries)
    return replace(fresh, entries=tuple(entries), unmatched=old.unmatched, unknown=old.unknown)


def _longest(entry: Entry) -> tuple[int, int, int, Keys]:
    return -len(entry.keys), -sum(map(len, entry.keys)), -entry.count, entry.keys


ORDERS = {
    "asc": lambda entry: (entry.count, *_longest(entry)),
    "longest": _longest,
    "desc": lambda entry: (-entry.count, *_longest(entry)),
}
"""What comes first in a dictionary; the rest of each key breaks ties the same way every time."""


def _runs(example: Example, wanted: Iterable[str], pictures: Pictures) -> Iterator[Run]:
    for source in wanted:
        if source == "title" and example.title is not None:
            yield _run(example.title, Evidence(word="", source=Source.TITLE))
        elif source == "bullets":
            for index, bullet in enumerate(example.bullets):
                yield _run(bullet, Evidence(word="", source=Source.BULLET, field_index=index))
        elif source == "ocr":
            for number, picture in enumerate(example.pictures):
                if pictures == Pictures.ALL or number == 0:
                    yield _printed(picture)


def _run(content: str, place: Evidence) -> Run:
    found = text.words(content)
    evidence = tuple(replace(place, word=word.text, start=word.start, end=word.end) for word in found)
    return Run(tuple(word.key for word in found), evidence)


def _printed(picture: Picture) -> Run:
    runs = []
    for index in page.reading_order(picture):
        token = picture.tokens[index]
        place = Evidence(word="", source=Source.OCR, image_hash=picture.image_hash, token_index=index, box=token.box)
        runs.append(_run(token.text, place))
    return Run(tuple(key for run in runs for key in run.keys), tuple(word for run in runs for word in run.evidence))
