"""From products to ragged arrays: pages cut into words, words looked up, gold values traced to candidates."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from extractor import page, text
from extractor.candidates import Group
from extractor.encoders import base, bert
from extractor.errors import ModelError
from extractor.nn.inputs import NUM_SPECIAL, Array, Asked, Encoded, GroupRows, Row
from extractor.nn.multimodal import PLACE_DIM
from extractor.page import Slot
from extractor.phoc import phoc
from extractor.pieces import Pieces
from extractor.records import Definition, Example, Features, Question
from extractor.vocabulary import SHARED, Vocabulary, choose
from schemas.enums import Pictures, Source

MAX_COUNTED = 500
"""Examples that tell how many candidates a question has."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is read of a product."""

    max_text: int = 100
    """Words of title and bullets (S0: 100)."""
    max_regions: int = 10
    """Regions of the picture (S0: 10)."""
    max_ocr: int = 100
    """OCR words of all pictures (S0: 100)."""
    use_text: bool = True
    """Title and bullets (S0 Table 5: w/o text)."""
    use_image: bool = True
    """Regions (S0 Table 5: w/o image); OCR words keep the look of their place."""
    use_ocr: bool = True
    """OCR words (S0 Table 5: w/o OCR)."""
    attribute_in: Literal["decoder", "text"] = "decoder"
    """Where the question stands; `text` reads the product anew for every attribute."""
    vocabulary: Literal["dynamic", "shared"] = "dynamic"
    """V[type, attribute], or one for all groups (S0 Table 7: w/o dynamic vocabulary)."""
    target_prefix: bool = False
    """Let the category's words begin the target (S0 5.3.1); in inference they are forced."""
    longest_answer: int = 12
    """Words of the longest answer, the category's and EOS not counted (S0: 10 with them)."""


class Product(NamedTuple):
    """An encoded product with the words that its slots stand for."""

    encoded: Encoded
    slots: tuple[tuple[Slot, ...], ...]
    """A tuple a row."""


class Lexicon:
    """Every group's vocabulary, and the texts that need a vector: entries, category words, questions."""

    def __init__(
        self, definitions: Sequence[Definition], vocabularies: Mapping[tuple[str, str], Vocabulary], config: Config
    ) -> None:
        self.definitions = tuple(definitions)
        self.number = {(given.product_type, given.attribute): row for row, given in enumerate(self.definitions)}
        shared = Group(vocabularies[SHARED], fallback=False) if config.vocabulary == "shared" else None
        chosen = [choose(vocabularies, given) for given in self.definitions]
        own = (Group(vocabulary, fallback=fallback) for vocabulary, fallback in chosen)
        # A closed attribute has its options, whatever others may say.
        self.groups = [
            group if shared is None or given.options is not None else shared
            for given, group in zip(self.definitions, own, strict=True)
        ]
        self.types = {kind: row for row, kind in enumerate(sorted({given.product_type for given in self.definitions}))}
        prefixes = [text.keys(given.product_type) if config.target_prefix else () for given in self.definitions]
        self.longest_answer = config.longest_answer
        self.longest_prefix = max(map(len, prefixes), default=0)
        entries = {" ".join(keys) for group in self.groups for keys in group.entries}
        self.words = sorted(entries.union(*prefixes))
        row = {word: number for number, word in enumerate(self.words)}
        self.rows = [
            GroupRows(_rows(row, (" ".join(keys) for keys in group.entries)), group.lengths, _rows(row, prefix))
            for group, prefix in zip(self.groups, prefixes, strict=True)
        ]

    def find(self, product_type: str, attribute: str) -> int:
        """The number of a definition; ModelError where there is none."""
        number = self.number.get((product_type, attribute))
        if number is None:
            known = sorted(known for kind, known in self.number if kind == product_type)
            raise ModelError(
                f"question {attribute!r} of product type {product_type!r}", "no definition", f"one of {known}"
            )
        return number


class _Draft(NamedTuple):
    """One row to be: a product with all its questions, or with one."""

    product: int
    example: Example
    fields: tuple[tuple[Slot, ...], ...]
    ocr: tuple[Slot, ...]
    questions: tuple[Question, ...]


class Reader:
    """Reads products for one model: a pure function of the product, on the CPU but for the text encoder."""

    def __init__(
        self,
        config: Config,
        lexicon: Lexicon,
        text_encoder: bert.Encoder,
        words: base.Encoder,
        *,
        feature_dim: int,
        tuned: bool,
        learnt: Sequence[str] = (),
    ) -> None:
        self.own = {key: number for number, key in enumerate(learnt, start=1)}
        """Words that have an embedding of their own."""
        self.tuned = tuned
        """The text encoder is part of the model: rows hold word-pieces, for it to read."""
        self.config = config
        self.lexicon = lexicon
        self.text_encoder = text_encoder
        self.words = words
        self.feature_dim = feature_dim

    def read(self, examples: Sequence[Example], *, learning: bool) -> list[Product]:
        """Products in order.

        `learning` traces the answers, leaves out what no candidates spell, and keeps float16 (what a training loop
        holds for all epochs).
        """
        drafts = [draft for number, example in enumerate(examples) for draft in self._drafts(number, example)]
        pieces = [
            self.text_encoder.pieces([[slot.word for slot in field] for field in draft.fields]) for draft in drafts
        ]
        texts: Sequence[Array | Pieces] = pieces if self.tuned else self.text_encoder.states(pieces)
        word_F = self.words.vectors([slot.key for draft in drafts for slot in draft.ocr])
        ends = np.cumsum([len(draft.ocr) for draft in drafts])
        products: list[list[tuple[Row, tuple[Slot, ...]]]] = [[] for _ in examples]
        for draft, piece, read, end in zip(drafts, pieces, texts, ends, strict=True):
            slots = (*_flat(draft.fields)[: piece.num_words], *draft.ocr)
            row = self._row(draft, read, word_F[end - len(draft.ocr) : end], slots, learning=learning)
            products[draft.product].append((row, slots))
        return [
            Product(_encoded([row for row, _ in rows], len(example.asked)), tuple(slots for _, slots in rows))
            for example, rows in zip(examples, products, strict=True)
        ]

    def frequent(self, examples: Sequence[Example], limit: int) -> tuple[str, ...]:
        """The most frequent words of some pages, at most `limit`; a word that stands on one page alone is none."""
        counted = Counter(
            key
            for number, example in enumerate(examples)
            for draft in self._drafts(number, example)
            for key in {slot.key for slot in (*_flat(draft.fields), *draft.ocr) if slot.key}
        )
        known = sorted((key for key, count in counted.items() if count > 1), key=lambda key: (-counted[key], key))
        return tuple(known[:limit])

    def num_candidates(self, examples: Sequence[Example]) -> float:
        """How many candidates a question has, on average over some examples; 1 where there are none."""
        counts = []
        for example in examples[:MAX_COUNTED]:
            slots = sum(len(draft.ocr) + len(_flat(draft.fields)) for draft in self._drafts(0, example))
            for question in example.asked:
                group = self.lexicon.groups[self.lexicon.find(example.product_type, question.attribute)]
                counts.append(NUM_SPECIAL + len(group.entries) + slots)
        return float(np.mean(counts)) if counts else 1.0

    def _drafts(self, number: int, example: Example) -> Iterator[_Draft]:
        config = self.config
        read = page.read(example, max_text=config.max_text * config.use_text, max_ocr=config.max_ocr * config.use_ocr)
        if config.attribute_in == "decoder" or not example.asked:
            yield _Draft(number, example, read.fields, read.ocr, example.asked)
            return
        for question in example.asked:
            definition = self.lexicon.definitions[self.lexicon.find(example.product_type, question.attribute)]
            # No key: the words of the question are read, never copied.
            asked = tuple(
                Slot("", word.text, Source.TITLE, word.start, word.end, continues=False)
                for word in text.words(definition.question)
            )
            yield _Draft(number, example, (asked, *read.fields), read.ocr, (question,))

    def _row(
        self, draft: _Draft, read: Array | Pieces, word_NF: Array, slots: tuple[Slot, ...], *, learning: bool
    ) -> Row:
        features, image_hash = self._features(draft.example)
        regions = features.regions[: self.config.max_regions * self.config.use_image]
        has_vectors = len(features.token_vectors) > 0
        first: dict[str, int] = {}
        asked = (self._ask(draft.example, question, slots, learning=learning) for question in draft.questions)
        return Row(
            text=read.astype(np.float16) if learning and isinstance(read, np.ndarray) else read,
            regions=regions,
            region_boxes=features.boxes[: len(regions)],
            ocr_words=word_NF.astype(np.float16) if learning else word_NF,
            ocr_phoc=np.stack([phoc(slot.key) for slot in draft.ocr]) if draft.ocr else np.empty((0, 76), np.uint8),
            ocr_token=np.array(
                [slot.token_index if has_vectors and slot.image_hash == image_hash else -1 for slot in draft.ocr],
                np.int64,
            ),
            token_vectors=features.token_vectors,
            ocr_place=_places(draft.ocr),
            first=np.array([first.setdefault(slot.key, number) for number, slot in enumerate(slots)], np.int64),
            follows=np.array([slot.continues for slot in slots], np.bool_),
            own=np.array([self.own.get(slot.key, 0) for slot in slots], np.int64),
            type_number=self.lexicon.types.get(draft.example.product_type, -1),
            questions=tuple(question for question in asked if question is not None),
        )

    def _ask(self, example: Example, question: Question, slots: Sequence[Slot], *, learning: bool) -> Asked | None:
        """One question; None where it is to be learnt and its answer is out of reach."""
        number = self.lexicon.find(example.product_type, question.attribute)
        group = self.lexicon.groups[number]
        definition = self.lexicon.definitions[number]
        main_only = definition.pictures == Pictures.MAIN
        keys = [slot.key for slot in slots]
        readable = np.array([bool(slot.key) and not (main_only and slot.position > 0) for slot in slots], np.bool_)
        if definition.options is not None:
            readable &= group.spelt(keys, np.array([slot.continues for slot in slots], np.bool_))
        asked = Asked(number, readable, group.entries_of(keys), group.nearest(keys))
        if not learning or question.answer is None:
            return asked
        gold = text.keys(question.answer)
        positives = group.positives(gold, keys, readable) if len(gold) <= self.config.longest_answer else []
        return asked._replace(num_gold=len(gold), positives=tuple(positives)) if positives else None

    def _features(self, example: Example) -> tuple[Features, str | None]:
        """Features of the product's picture that has them, and its hash; empty arrays where there are none."""
        for picture in example.pictures:
            if picture.features is not None and self.feature_dim:
                found = picture.features.regions.shape[1]
                if found != self.feature_dim:
                    raise ModelError(
                        f"features of product {example.product_id!r}", f"{found} floats", f"{self.feature_dim} floats"
                    )
                return picture.features, picture.image_hash
        nothing = np.empty((0, self.feature_dim), np.float16)
        return Features(np.empty((0, 4), np.float32), nothing, nothing), None


def _encoded(rows: Sequence[Row], num_asked: int) -> Encoded:
    return Encoded(tuple(rows), num_asked - sum(len(row.questions) for row in rows))


def _flat(fields: Sequence[Sequence[Slot]]) -> tuple[Slot, ...]:
    return tuple(slot for field in fields for slot in field)


def _places(slots: Sequence[Slot]) -> npt.NDArray[np.float32]:
    """[N, 7] where and how large a word stands; see nn/multimodal.py."""
    places = [(*(slot.box or ()), slot.confidence, slot.height, float(slot.position > 0)) for slot in slots]
    return np.array(places, np.float32).reshape(len(slots), PLACE_DIM)


def _rows(row: Mapping[str, int], words: Iterable[str]) -> npt.NDArray[np.int64]:
    return np.array([row[word] for word in words], np.int64)
