"""Products as a reader of the report sees them: the page with its words marked, the pack with its boxes, the answers.

Each answer has a hue, and what it was read from wears the same: words of the title, boxes on the pack.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from PIL import Image

from extractor.records import Box, Evidence
from jobs.pages import crops
from jobs.pages.crops import Shown
from schemas.enums import Decision, Source, Support

HUES = 6
"""Colours of the style sheet; a seventh attribute begins again."""
Open = Callable[[str], Image.Image | None]
"""Image hash to the picture; None where it cannot be shown."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """What stands on a product's page."""

    product_id: str
    product_type: str
    title: str | None
    bullets: tuple[str, ...]
    pictures: tuple[str, ...]
    """Image hashes of the readable pictures, in page order."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What was read for one attribute, and what became of it."""

    product_id: str
    product_type: str
    attribute: str
    value: str | None
    value_as_read: str | None
    decision: str
    reason: str
    confidence: float | None
    threshold: float | None
    """Of its gate; None where it is closed or there is none."""
    gate_state: str | None
    support: str | None
    seller_value: str | None
    evidence: tuple[Evidence, ...]


class Segment(NamedTuple):
    """A piece of text; `hue` is None outside of evidence."""

    text: str
    hue: int | None


class Boxed(NamedTuple):
    """A box on a picture, in per cent of its sides."""

    x: float
    y: float
    width: float
    height: float
    hue: int
    word: str
    """What is printed there; empty where the picture itself was looked at."""


class Picture(NamedTuple):
    """A picture with the boxes that answers were read from."""

    shown: Shown
    boxes: tuple[Boxed, ...]


class Line(NamedTuple):
    """One answer on a card."""

    answer: Answer
    hue: int
    crop: Shown | None
    """The piece of the pack that it was read from."""
    where: str
    """Where it was read, in words."""


class Card(NamedTuple):
    """One product."""

    page: Page
    title: tuple[Segment, ...]
    bullets: tuple[tuple[Segment, ...], ...]
    """Those bullets alone that something was read from."""
    pictures: tuple[Picture, ...]
    """The main one, and the others that something was read from."""
    lines: tuple[Line, ...]


WHERE = {
    Source.TITLE: "in the title",
    Source.BULLET: "in a bullet point",
    Source.OCR: "printed on the pack",
    Source.VOCABULARY: "a value known from other products",
    Source.WRITTEN: "in the model's own words",
}
"""Sources of an answer's words, in words; mixtures name each."""


def card(page: Page, answers: Sequence[Answer], open_picture: Open) -> Card:
    """Lay out one product."""
    ordered = sorted(answers, key=lambda answer: answer.attribute)
    hues = {answer.attribute: index % HUES for index, answer in enumerate(ordered)}
    shown = [answer for answer in ordered if answer.value_as_read is not None]
    bullets = (marked(text, marks(shown, hues, Source.BULLET, index)) for index, text in enumerate(page.bullets))
    return Card(
        page=page,
        title=marked(page.title or "", marks(shown, hues, Source.TITLE, None)),
        bullets=tuple(bullet for bullet in bullets if any(segment.hue is not None for segment in bullet)),
        pictures=tuple(pictures(page, shown, hues, open_picture)),
        lines=tuple(line(answer, hues[answer.attribute], open_picture) for answer in ordered),
    )


def line(answer: Answer, hue: int, open_picture: Open) -> Line:
    """One answer with the piece of the pack that it was read from."""
    return Line(answer=answer, hue=hue, crop=crop(answer, open_picture), where=where(answer))


def where(answer: Answer) -> str:
    """Where an answer was read, in a few words; empty where nothing was said."""
    if answer.value_as_read is None:
        return ""
    if answer.support == Support.INFERRED and not any(word.source == Source.OCR for word in answer.evidence):
        return "inferred: the page does not print it"
    sources = dict.fromkeys(word.source for word in answer.evidence)
    return ", ".join(WHERE[source] for source in sources if source in WHERE)


def crop(answer: Answer, open_picture: Open) -> Shown | None:
    """The piece of the first picture that the words of an answer were read from."""
    read = [word for word in answer.evidence if word.source == Source.OCR and word.box is not None]
    if answer.value_as_read is None or not read or read[0].image_hash is None:
        return None
    image = open_picture(read[0].image_hash)
    boxes = [word.box for word in read if word.image_hash == read[0].image_hash and word.box is not None]
    return None if image is None else crops.around(image, boxes)


def marks(
    answers: Sequence[Answer], hues: Mapping[str, int], source: Source, index: int | None
) -> list[tuple[int, int, int]]:
    """(start, end, hue) of every word that was read in one field."""
    return [
        (word.start, word.end, hues[answer.attribute])
        for answer in answers
        for word in answer.evidence
        if word.source == source and word.field_index == index and word.start is not None and word.end is not None
    ]


def marked(text: str, spans: Sequence[tuple[int, int, int]]) -> tuple[Segment, ...]:
    """Cut a text at its marks; neighbours of one hue become one mark, and where marks overlap the first wins."""
    hues: list[int | None] = [None] * len(text)
    for start, end, marking in reversed(spans):
        hues[start:end] = [marking] * len(hues[start:end])
    for place in range(1, len(text) - 1):
        if text[place].isspace() and hues[place] is None and hues[place - 1] == hues[place + 1]:
            hues[place] = hues[place - 1]
    segments: list[Segment] = []
    for char, hue in zip(text, hues, strict=True):
        if segments and segments[-1].hue == hue:
            segments[-1] = Segment(segments[-1].text + char, hue)
        else:
            segments.append(Segment(char, hue))
    return tuple(segments)


def pictures(page: Page, answers: Sequence[Answer], hues: Mapping[str, int], open_picture: Open) -> list[Picture]:
    """The main picture and those that something was read from, each with its boxes."""
    boxes: dict[str, list[Boxed]] = {image_hash: [] for image_hash in page.pictures}
    for answer in answers:
        for word in answer.evidence:
            if word.box is not None and word.image_hash in boxes:
                boxes[word.image_hash].append(boxed(word.box, hues[answer.attribute], word.word))
    found = []
    for position, (image_hash, read) in enumerate(boxes.items()):
        image = open_picture(image_hash) if position == 0 or read else None
        if image is not None:
            found.append(Picture(crops.whole(image), tuple(read)))
    return found


def boxed(box: Box, hue: int, word: str) -> Boxed:
    """A box in per cent."""
    x, y, right, bottom = (round(100 * min(max(edge, 0.0), 1.0), 2) for edge in box)
    return Boxed(x, y, round(right - x, 2), round(bottom - y, 2), hue, word)


ORDER = (Decision.PUBLISHED, Decision.CONFIRMED, Decision.REVIEW, Decision.ABSTAINED, Decision.QUARANTINED)
"""What can become of a pair, in the order of the report."""
