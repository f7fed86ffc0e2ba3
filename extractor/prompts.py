"""From products to the units that a writing model reads: `question: attribute context: type, locale, text, pack`.

S2 orders question, product type and text so (MODELS 10.1); what is printed on the pack is an optional last part.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from extractor import page, subwords
from extractor.errors import ModelError
from extractor.nn.sequences import FIRST_PLACE, NOT_COPIED, Array, Asked, Encoded, Ints, Source, Units
from extractor.page import Page, Slot
from extractor.records import Definition, Example, Picture, Question
from extractor.subwords import Ids, Subwords
from schemas.enums import Pictures


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is read of a product."""

    max_text: int = 100
    """Words of title and bullets."""
    max_ocr: int = 100
    """OCR words of all pictures."""
    max_units: int = 512
    """Units of an encoder row (S2: 512 pieces); text behind them is not read, the question and the type always are."""
    use_text: bool = True
    """Title and bullets."""
    use_image: bool = True
    """The picture's vectors."""
    use_ocr: bool = True
    """OCR words, which S2 does not read."""
    attribute_in: Literal["encoder", "decoder"] = "encoder"
    """Where the question stands (S2: encoder); `decoder` reads a product once for all its questions (MODELS 10.8)."""
    longest_answer: int = 32
    """Units of the longest answer, the end not counted."""


class Reader:
    """Cuts products into units: a pure function of the product."""

    def __init__(
        self,
        config: Config,
        subwords: Subwords,
        definitions: Sequence[Definition],
        number: Mapping[Ids, int],
        *,
        num_cells: int,
        feature_dim: int,
    ) -> None:
        self.config = config
        self.subwords = subwords
        self.definitions = tuple(definitions)
        self.number = number
        """Units that can be said anywhere."""
        self.num_cells = num_cells
        """Cells that a picture's grid must have; 0 where no grid is read."""
        self.feature_dim = feature_dim
        self._row = {(given.product_type, given.attribute): row for row, given in enumerate(self.definitions)}

    def read(self, example: Example, *, learning: bool) -> Encoded:
        """One product; `learning` makes targets of the answers and leaves out what cannot be said."""
        read = self.page(example)
        asked, sources, left_out = [], [], 0
        once = self.config.attribute_in == "decoder"
        if once:
            sources.append(self._source(example, read, None))
        for question in example.asked:
            group = self.find(example.product_type, question.attribute)
            source = sources[0] if once else self._source(example, read, group)
            target = self._target(question, source) if learning else np.empty(0, np.int64)
            if target is None:
                left_out += 1
                continue
            if not once:
                sources.append(source)
            asked.append(Asked(len(sources) - 1, group, units(self.name(group)), target))
        return Encoded(tuple(sources), tuple(asked), self._regions(example), left_out)

    def page(self, example: Example) -> Page:
        """The words that are read."""
        config = self.config
        return page.read(example, max_text=config.max_text * config.use_text, max_ocr=config.max_ocr * config.use_ocr)

    def find(self, product_type: str, attribute: str) -> int:
        """The number of a definition; ModelError where there is none."""
        row = self._row.get((product_type, attribute))
        if row is None:
            known = sorted(known for kind, known in self._row if kind == product_type)
            raise ModelError(
                f"question {attribute!r} of product type {product_type!r}", "no definition", f"one of {known}"
            )
        return row

    def name(self, group: int) -> tuple[Ids, ...]:
        """The units of an attribute's name."""
        return self._phrase(self.definitions[group].attribute.replace("_", " "))

    def readable(self, group: int, slot: Slot) -> bool:
        """Whether an answer may stand there."""
        return not (self.definitions[group].pictures == Pictures.MAIN and slot.position > 0)

    def _source(self, example: Example, read: Page, group: int | None) -> Source:
        cue = self.subwords.cue
        asked = () if group is None else (*cue("question"), *self.name(group))
        about = (*self._phrase(example.product_type), *self._phrase(example.locale))
        head = [(unit, False) for unit in (*asked, *cue("context"), *about)]
        room = self.config.max_units - len(head) - 1
        if room < 0:
            raise ModelError(
                f"question about product type {example.product_type!r}",
                f"{len(head)} units",
                f"fewer than max_units, {self.config.max_units}: neither question nor type is ever cut",
            )
        body: list[tuple[Ids, bool]] = []
        for field in read.fields:
            body += [(unit, False) for unit in cue("field")] + list(self._words(field))
        ocr = [slot for slot in read.ocr if group is None or self.readable(group, slot)]
        if ocr:
            body += [(unit, False) for unit in cue("ocr")] + list(self._words(ocr))
        row = [*head, *body[:room], (self.subwords.eos, False)]
        first: dict[Ids, int] = {}
        say = [
            self.number.get(unit, FIRST_PLACE - first.setdefault(unit, place)) if own else NOT_COPIED
            for place, (unit, own) in enumerate(row)
        ]
        return Source(units([unit for unit, _ in row]), np.array(say, np.int64))

    def _phrase(self, content: str) -> tuple[Ids, ...]:
        return subwords.phrase(self.subwords, content)

    def _words(self, slots: Sequence[Slot]) -> Iterator[tuple[Ids, bool]]:
        before: Slot | None = None
        for slot in slots:
            joined = before is not None and slot.continues and _same_text(before, slot) and slot.start == before.end
            for unit in self.subwords.units(slot.word, spaced=not joined):
                yield unit, True
            before = slot

    def _target(self, question: Question, source: Source) -> Ints | None:
        """What is to be said; None for an answer that is too long or holds what cannot be said."""
        value = self.subwords.unknown if question.answer is None else self._phrase(question.answer)
        if len(value) > self.config.longest_answer:
            return None
        standing = dict(zip(split(source.units), source.say.tolist(), strict=True))
        said = [self.number.get(unit, standing.get(unit, NOT_COPIED)) for unit in (*value, self.subwords.eos)]
        return None if NOT_COPIED in said else np.array(said, np.int64)

    def _regions(self, example: Example) -> Array:
        """[1 + G, F], the pooled vector first; ModelError where grid or vectors have another shape than the model's."""
        picture = seen(example)
        if not (self.config.use_image and self.feature_dim) or picture is None or picture.features is None:
            return np.zeros((0, self.feature_dim), np.float16)
        regions = picture.features.regions
        if regions.shape[1] != self.feature_dim:
            thing = f"features of product {example.product_id!r}"
            raise ModelError(thing, f"{regions.shape[1]} floats", f"{self.feature_dim} floats")
        if not self.num_cells:
            return regions[:1]
        if len(regions) - 1 != self.num_cells:
            raise ModelError(
                f"features of product {example.product_id!r}",
                f"{len(regions) - 1} cells behind the pooled vector",
                f"{self.num_cells}, the grid that the model reads",
            )
        return regions


def units(given: Sequence[Ids]) -> Units:
    """Units as arrays."""
    pieces = [piece for unit in given for piece in unit]
    return Units(np.array(pieces, np.int64), np.array([len(unit) for unit in given], np.int64))


def split(given: Units) -> list[Ids]:
    """The units of arrays."""
    ends = np.cumsum(given.lengths).tolist()
    pieces = given.pieces.tolist()
    return [tuple(pieces[start:end]) for start, end in zip([0, *ends], ends, strict=False)]


def _same_text(left: Slot, right: Slot) -> bool:
    return _text_of(left) == _text_of(right)


def _text_of(slot: Slot) -> tuple[object, ...]:
    return slot.source, slot.field_index, slot.image_hash, slot.token_index


def seen(example: Example) -> Picture | None:
    """The product's picture that has features."""
    return next((picture for picture in example.pictures if picture.features is not None), None)
