"""Word boundaries that the catalogue's own values ask for: where sellers say `Men` and titles `Mens`, it is two words.

A value that stands inside a word cannot be answered by words. Where this is the fate of more than a few of the training
values, those that were answered so at least twice, and by a fair share of the pages that hold them so, are cut out.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from extractor import text
from extractor.records import Example

LEAST_PAGES = 2
LEAST_SHARE = 0.3


@dataclass(frozen=True, kw_only=True)
class Part:
    """A value that stood inside words of training pages."""

    product_type: str
    attribute: str
    value: str
    answered: int
    """Products that have it as their answer and show it nowhere as words of its own."""
    held: int
    """Products asked for the attribute that show it inside a word, whatever they answer."""


class Occurrence(NamedTuple):
    """Where a value stands in a text."""

    start: int
    end: int
    whole: bool
    """Both ends are ends of words."""


class Boundaries:
    """The parts of words that are words of this catalogue; without any, words stay as they are."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = tuple(parts)
        self._of_type: dict[str, list[Part]] = defaultdict(list)
        for part in parts:
            self._of_type[part.product_type].append(part)

    @classmethod
    def learn(cls, examples: Sequence[Example], *, least: float) -> "Boundaries":
        """From training products; empty where at most `least` of their printed values stand inside words."""
        printed, answered = 0, Counter[tuple[str, str, str]]()
        for example in examples:
            for question in example.asked:
                places = _places(question.answer or "", example)
                printed += bool(places)
                if places and not any(place.whole for place in places):
                    answered[example.product_type, question.attribute, question.answer or ""] += 1
        if answered.total() <= least * printed:
            return cls(())
        repeated = {key: count for key, count in answered.items() if count >= LEAST_PAGES}
        of_group: dict[tuple[str, str], list[str]] = defaultdict(list)
        for product_type, attribute, value in repeated:
            of_group[product_type, attribute].append(value)
        held = Counter(
            (example.product_type, question.attribute, value)
            for example in examples
            for question in example.asked
            for value in of_group[example.product_type, question.attribute]
            if not all(place.whole for place in _places(value, example))
        )
        return cls(
            [
                Part(product_type=key[0], attribute=key[1], value=key[2], answered=count, held=held[key])
                for key, count in sorted(repeated.items())
            ]
        )

    def cuts(self, product_type: str, content: str, own: Mapping[str, str | None]) -> set[int]:
        """Offsets at which a text's words are cut further.

        `own` are the answers of a product that was learnt from: its part in the counts is left out.
        """
        found: set[int] = set()
        for part in self._of_type[product_type]:
            itself = own.get(part.attribute) == part.value
            answered, held = part.answered - itself, part.held - itself
            if answered >= LEAST_PAGES and answered >= LEAST_SHARE * held:
                for place in occurrences(part.value, content):
                    if not place.whole:
                        found |= {place.start, place.end}
        return found


def occurrences(value: str, content: str) -> Iterator[Occurrence]:
    """Every place where a value stands letter by letter."""
    start = content.find(value) if value else -1
    if start < 0:
        return
    inner = {place for word in text.words(content) for place in range(word.start + 1, word.end)}
    while start >= 0:
        end = start + len(value)
        yield Occurrence(start, end, start not in inner and end not in inner)
        start = content.find(value, start + 1)


def _places(value: str, example: Example) -> list[Occurrence]:
    return [place for content in (example.title or "", *example.bullets) for place in occurrences(value, content)]
