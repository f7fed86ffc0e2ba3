"""The words of a product that an answer can be copied from, each with its place, and the places that show an answer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from extractor import text
from extractor.records import Box, Evidence, Example, Picture
from schemas.enums import Source

RANK = {Source.TITLE: 0, Source.BULLET: 1, Source.OCR: 2, Source.VOCABULARY: 3}
"""Among places that show a word equally well, the first in this order is named."""


class Slot(NamedTuple):
    """One word that can be copied; numbers as in records.Evidence."""

    key: str
    word: str
    source: Source
    start: int
    end: int
    continues: bool
    """No word stands between the slot before and this one: same field, or neighbours in one picture's reading order."""
    field_index: int | None = None
    image_hash: str | None = None
    token_index: int | None = None
    position: int = 0
    """Which of the readable pictures; 0 is the main one."""
    box: Box | None = None
    confidence: float = 0.0
    height: float = 0.0
    """Of the OCR token, as a share of the tallest token of its picture."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """What is read of a product: at most so many text words and OCR words."""

    fields: tuple[tuple[Slot, ...], ...]
    """Title, then bullets."""
    ocr: tuple[Slot, ...]

    @property
    def text(self) -> tuple[Slot, ...]:
        """The words of all fields, title first."""
        return tuple(slot for field in self.fields for slot in field)


class Spoken(NamedTuple):
    """One step of an answer: a word, or a whole entry of the vocabulary."""

    keys: tuple[str, ...]
    word: str
    entry: int | None
    """Its number in the vocabulary; None for what only the page holds."""


def read(example: Example, *, max_text: int, max_ocr: int, by_line: bool = False) -> Page:
    """Cut a product into words: the first `max_text` of title and bullets, the first `max_ocr` of its pictures.

    A picture's words come as the OCR engine gave them, or line by line as their boxes lie (`by_line`).
    """
    fields: list[tuple[Slot, ...]] = []
    left = max_text
    for number, content in enumerate((example.title or "", *example.bullets)):
        if left <= 0:
            break
        words = text.words(content)[:left]
        source, index = (Source.TITLE, None) if number == 0 else (Source.BULLET, number - 1)
        fields.append(
            tuple(
                Slot(word.key, word.text, source, word.start, word.end, place > 0, field_index=index)
                for place, word in enumerate(words)
            )
        )
        left -= len(words)
    ocr = _ocr_slots(example, by_line=by_line)
    return Page(fields=tuple(fields), ocr=tuple(slot for slot, _ in zip(ocr, range(max_ocr), strict=False)))


def reading_order(picture: Picture) -> list[int]:
    """The indices of a picture's words line by line: a word whose middle stands within a line's first word joins it."""
    boxes = [token.box for token in picture.tokens]
    lines: list[list[int]] = []
    for index in sorted(range(len(boxes)), key=lambda index: (boxes[index].y1 + boxes[index].y2, boxes[index].x1)):
        middle = (boxes[index].y1 + boxes[index].y2) / 2
        if lines and boxes[lines[-1][0]].y1 <= middle <= boxes[lines[-1][0]].y2:
            lines[-1].append(index)
        else:
            lines.append([index])
    return [index for line in lines for index in sorted(line, key=lambda index: boxes[index].x1)]


def _ocr_slots(example: Example, *, by_line: bool) -> Iterator[Slot]:
    """Words of the OCR tokens, in page and reading order; the words of one token share its box."""
    # Counted among the readable: where picture 0 is broken, the next one is the main one.
    for number, picture in enumerate(example.pictures):
        tallest = max((token.box.y2 - token.box.y1 for token in picture.tokens), default=0.0)
        first = True
        for index in reading_order(picture) if by_line else range(len(picture.tokens)):
            token = picture.tokens[index]
            for word in text.words(token.text):
                yield Slot(
                    word.key,
                    word.text,
                    Source.OCR,
                    word.start,
                    word.end,
                    not first,
                    image_hash=picture.image_hash,
                    token_index=index,
                    position=number,
                    box=token.box,
                    confidence=token.confidence,
                    height=(token.box.y2 - token.box.y1) / tallest if tallest > 0 else 0.0,
                )
                first = False


def stands(keys: Sequence[str], slots: Sequence[Slot], readable: Sequence[bool]) -> bool:
    """Whether a page shows some words side by side where an answer may be read."""
    found = text.find(keys, page := [slot.key for slot in slots])
    while found is not None:
        run = range(found, found + len(keys))
        if all(readable[at] for at in run) and all(slots[at].continues for at in run[1:]):
            return True
        found = text.find(keys, page, found + 1)
    return False


Cost = tuple[int, int, int]
"""Vocabulary entries, breaks between places, summed rank of sources: compared in this order."""

Path = tuple[int, ...]
"""Numbers of slots; ~n is entry n of the vocabulary."""


def trace(spoken: Sequence[Spoken], slots: Sequence[Slot], readable: Callable[[int], bool]) -> tuple[Evidence, ...]:
    """The places that show an answer best: printed before vocabulary, in one piece, title before bullets before OCR.

    `readable` tells whether a slot may be copied from. An entry of several words counts as printed only where its words
    stand side by side.
    """
    places: dict[str, list[int]] = {}
    for number, slot in enumerate(slots):
        if readable(number):
            places.setdefault(slot.key, []).append(number)
    paths: dict[int | None, tuple[Cost, Path]] = {None: ((0, 0, 0), ())}
    for step in spoken:
        reached = paths
        for number, key in enumerate(step.keys):
            reached = _copy(reached, places.get(key, []), slots, joined=number > 0)
        if step.entry is not None:
            (entries, breaks, rank), path = min(paths.values())
            cost = (entries + 1, breaks + 1, rank + RANK[Source.VOCABULARY])
            reached = {**reached, None: (cost, (*path, ~step.entry))}
        assert reached, f"{step} was said but stands nowhere"
        paths = reached
    _, path = min(paths.values())
    entry_words = {~step.entry: step.word for step in spoken if step.entry is not None}
    return tuple(_evidence(number, slots, entry_words) for number in path)


def _copy(
    paths: Mapping[int | None, tuple[Cost, Path]], numbers: Sequence[int], slots: Sequence[Slot], *, joined: bool
) -> dict[int | None, tuple[Cost, Path]]:
    """The cheapest path to each of some slots; `joined` allows only the slot right behind the one before."""
    reached: dict[int | None, tuple[Cost, Path]] = {}
    for number in numbers:
        found = []
        for last, ((entries, breaks, rank), path) in paths.items():
            neighbour = slots[number].continues and last == number - 1
            if neighbour or not joined:
                found.append(((entries, breaks + (not neighbour), rank + RANK[slots[number].source]), (*path, number)))
        if found:
            reached[number] = min(found)
    return reached


def _evidence(number: int, slots: Sequence[Slot], entry_words: Mapping[int, str]) -> Evidence:
    if number < 0:
        return Evidence(word=entry_words[number], source=Source.VOCABULARY, token_index=~number)
    slot = slots[number]
    return Evidence(
        word=slot.word,
        source=slot.source,
        field_index=slot.field_index,
        image_hash=slot.image_hash,
        token_index=slot.token_index,
        start=slot.start,
        end=slot.end,
        box=slot.box,
    )
