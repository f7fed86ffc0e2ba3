"""From products to ragged arrays of a span model: words, the strings that their spans spell, where answers stand."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np

from extractor import page, text
from extractor.boundaries import Boundaries
from extractor.dictionary import Dictionary
from extractor.encoders import bert
from extractor.errors import ModelError
from extractor.nn.span_inputs import Encoded, Flags, Floats, Ints
from extractor.page import Slot
from extractor.pieces import Pieces
from extractor.records import Definition, Example
from schemas.enums import Source

Options = Mapping[str, frozenset[str]]
"""Each string that spells an option of a closed attribute, to all that spell the same one; empty for an open one."""

SHAPES = ("lower", "upper", "title", "mixed", "number", "caseless", "sign")
LAYOUT_DIM = 10
"""Glued to the word before, in a bullet, on a pack; then as PAM's OCR words: the box, confidence, height, elsewhere."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is read of a product."""

    max_text: int = 100
    """Words of title and bullets."""
    max_ocr: int = 100
    """OCR words of all pictures, line by line."""
    longest: int = 12
    """Words of the longest span; longer answers are out of reach, and counted."""
    boundaries: Literal["learnt", "plain"] = "learnt"
    """Cut values out of longer words where training values ask for it, or never."""
    least_inside: float = 0.02
    """Share of printed training values that must stand inside words before any is cut out."""


class Product(NamedTuple):
    """An encoded product with the words that its spans are made of."""

    encoded: Encoded
    slots: tuple[Slot, ...]


class Page(NamedTuple):
    """The words of a product and the strings of their spans."""

    slots: tuple[Slot, ...]
    pieces: Pieces
    string: Ints
    """[N, L] as in Encoded."""
    strings: tuple[str, ...]


class Reader:
    """Reads products for one model: a pure function of the product, on the CPU."""

    def __init__(
        self,
        config: Config,
        definitions: Sequence[Definition],
        encoder: bert.Encoder,
        boundaries: Boundaries,
        dictionary: Dictionary | None,
    ) -> None:
        self.config = config
        self.definitions = tuple(definitions)
        self.encoder = encoder
        self.boundaries = boundaries
        self.dictionary = dictionary
        """None while it is being counted."""
        self.groups: dict[str, dict[str, int]] = {}
        """Product type to attribute to the number of its definition."""
        for number, given in enumerate(self.definitions):
            self.groups.setdefault(given.product_type, {})[given.attribute] = number
        self.options = [_spellings(given) for given in self.definitions]

    def find(self, example: Example, attribute: str) -> int:
        """The place of an attribute among those of the product's type; ModelError where nothing defines it."""
        known = list(self.groups.get(example.product_type, {}))
        if attribute not in known:
            raise ModelError(
                f"question {attribute!r} of product type {example.product_type!r}", "no definition", f"one of {known}"
            )
        return known.index(attribute)

    def read(self, examples: Sequence[Example], *, learning: bool) -> list[Product]:
        """Products in order; `learning` traces the answers and leaves them out of what the dictionary tells."""
        return [self._product(example, learning=learning) for example in examples]

    def page(self, example: Example, *, learning: bool) -> Page:
        """Cut a product into words, as many as the encoder takes."""
        own = {question.attribute: question.answer for question in example.asked} if learning else {}
        read = page.read(example, max_text=self.config.max_text, max_ocr=self.config.max_ocr, by_line=True)
        contents = [example.title or "", *example.bullets]
        fields = [
            tuple(_cut(field, self.boundaries.cuts(example.product_type, content, own)))
            for field, content in zip(read.fields, contents, strict=False)
        ]
        parts = [word.text for word in text.words(example.product_type)]
        words = [[slot.word for slot in field] for field in (*fields, read.ocr)]
        pieces = _unspoken(self.encoder.pieces([parts, *words]), len(parts))
        slots = (*(slot for field in fields for slot in field), *read.ocr)[: pieces.num_words]
        return Page(slots, pieces, *_spell(slots, self.config.longest))

    def _product(self, example: Example, *, learning: bool) -> Product:
        assert self.dictionary is not None, "read before counting was done"
        for question in example.asked:
            self.find(example, question.attribute)
        read = self.page(example, learning=learning)
        number = {string: place for place, string in enumerate(read.strings)}
        attributes = self.groups.get(example.product_type, {})
        options = [self.options[group] for group in attributes.values()]
        answers = {question.attribute: question.answer for question in example.asked} if learning else {}
        right = [
            (number[string], place)
            for place, attribute in enumerate(attributes)
            for string in sorted(_meaning(answers.get(attribute), options[place]) & number.keys())
        ]
        known = [s for s in read.strings if s in self.dictionary.values or any(s in spelt for spelt in options)]
        own = {attribute: string_of(answer) for attribute, answer in answers.items() if answer} if learning else None
        encoded = Encoded(
            pieces=read.pieces,
            shape=np.array([_shape(slot.word) for slot in read.slots], np.int64),
            layout=_layout(read.slots),
            string=read.string,
            elsewhere=np.array([slot.position > 0 for slot in read.slots], np.bool_),
            groups=np.array(list(attributes.values()), np.int64),
            known=np.array([number[string] for string in known], np.int64),
            features=self.dictionary.features(example.product_type, list(attributes), known, own),
            spelt=np.array([s in spelt for s in known for spelt in options], np.bool_).reshape(
                len(known), len(options)
            ),
            asked=np.array([attribute in answers for attribute in attributes], np.bool_),
            right=np.array(right, np.int64).reshape(len(right), 2),
            apart=_apart(read.string, right, len(attributes)),
            num_unreachable=sum(a is not None for a in answers.values()) - len({place for _, place in right}),
        )
        return Product(encoded, read.slots)


def string_of(value: str) -> str:
    """How a string is named: the keys of its words, with nothing between them."""
    return "".join(text.keys(value))


def _meaning(answer: str | None, options: Options) -> frozenset[str]:
    """The strings that say an answer: itself, and of a closed attribute all spellings of the same option."""
    string = string_of(answer or "")
    return options.get(string, frozenset([string] if string else []))


def _spellings(definition: Definition) -> Options:
    found: dict[str, frozenset[str]] = {}
    for option, aliases in (definition.options or {}).items():
        strings = frozenset(string_of(spelling) for spelling in (option, *aliases))
        for string in strings:
            found.setdefault(string, strings)
    return found


def _cut(slots: Sequence[Slot], cuts: set[int]) -> Iterator[Slot]:
    """The same words, some of them in two or more parts."""
    for slot in slots:
        edges = sorted({slot.start, slot.end} | {cut for cut in cuts if slot.start < cut < slot.end})
        for start, end in pairwise(edges):
            word = slot.word[start - slot.start : end - slot.start]
            continues = slot.continues or start > slot.start
            yield slot._replace(key=text.key(word), word=word, start=start, end=end, continues=continues)


def _unspoken(pieces: Pieces, num_words: int) -> Pieces:
    """The same pieces, the first words read but not counted among those that can answer."""
    return pieces._replace(
        word=tuple(-1 if 0 < word <= num_words else max(word - num_words, min(word, 0)) for word in pieces.word)
    )


def _spell(slots: Sequence[Slot], longest: int) -> tuple[Ints, tuple[str, ...]]:
    """Number the strings of all spans: [N, L] numbers, and the strings."""
    numbers: dict[str, int] = {}
    string_NL = np.full((len(slots), longest), -1)
    for start in range(len(slots)):
        spelt = ""
        for length, slot in enumerate(slots[start : start + longest]):
            if length and not slot.continues:
                break
            spelt += slot.key
            string_NL[start, length] = numbers.setdefault(spelt, len(numbers))
    return string_NL, tuple(numbers)


def _apart(string_NL: Ints, right: Sequence[tuple[int, int]], num_attributes: int) -> Flags:
    """[A] whose answer stands where no longer answer does: a segmentation cannot hold two that overlap."""
    places = [
        (attribute, start, start + length + 1)
        for string, attribute in right
        for start, length in np.argwhere(string_NL == string)
    ]
    taken: dict[int, int] = {}
    apart = np.zeros(num_attributes, np.bool_)
    apart[[attribute for _, attribute in right]] = True
    for attribute, start, end in sorted(places, key=lambda place: place[1] - place[2]):
        apart[attribute] &= all(taken.setdefault(word, attribute) == attribute for word in range(start, end))
    return apart


def _shape(word: str) -> int:
    if any(char.isdigit() for char in word):
        return SHAPES.index("number")
    if not any(char.isalpha() for char in word):
        return SHAPES.index("sign")
    for name, fits in (("lower", str.islower), ("upper", str.isupper), ("title", str.istitle)):
        if fits(word):
            return SHAPES.index(name)
    return SHAPES.index("caseless" if word.lower() == word.upper() else "mixed")


def _layout(slots: Sequence[Slot]) -> Floats:
    """[N, 10] where each word stands."""
    rows = [
        (
            float(slot.continues and slot.token_index == before.token_index and slot.start == before.end),
            float(slot.source is Source.BULLET),
            float(slot.source is Source.OCR),
            *(slot.box or (0.0, 0.0, 0.0, 0.0)),
            slot.confidence,
            slot.height,
            float(slot.position > 0),
        )
        for before, slot in zip((*slots[:1], *slots), slots, strict=False)
    ]
    return np.array(rows, np.float32).reshape(len(slots), LAYOUT_DIM)
