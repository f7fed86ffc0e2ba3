"""From what was written to predictions: text, evidence, confidence, state (MODELS 0.4).

R questions, T steps, G cells of the picture.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

from extractor import evidence, page, subwords, text, vocabulary
from extractor.nn.sequences import Encoded
from extractor.page import Page, Slot, Spoken
from extractor.prefix_tree import PrefixTree
from extractor.prompts import Reader, seen, split
from extractor.records import Box, Definition, Evidence, Example, Prediction, Question
from extractor.subwords import Ids, Subwords
from extractor.vocabulary import Vocabulary
from schemas.enums import Source, State, Support

UNKNOWN_WORD = "unknown"
"""How `unknown` is named where it is the runner-up."""
NUM_REGIONS = 3
"""Cells that are named as evidence of an inferred value: those that its attention used most."""

Keys = tuple[str, ...]
Shares = npt.NDArray[np.float32]


class Written(NamedTuple):
    """What was said, step by step, numbered as in nn/sequences.py."""

    said_RT: Tensor
    probability_RT: Tensor
    unknown_R: Tensor
    """Probability of the first unit of `unknown` at the first step."""
    second_R: Tensor
    """The second likeliest first unit."""
    second_probability_R: Tensor
    cell_RG: Tensor
    """How much of its attention each question's source gave each cell; [R, 0] where no cell is read."""


class Said(NamedTuple):
    """The same of one question, as units."""

    units: tuple[Ids, ...]
    shares: list[float]
    unknown: float
    second: Ids
    second_share: float
    cells: Shares


class Options:
    """The values of a closed attribute as units that can be said anywhere."""

    def __init__(self, definition: Definition, pieces: Subwords) -> None:
        self.vocabulary: Vocabulary = vocabulary.closed(definition)
        spelt = [subwords.phrase(pieces, spelling) for spelling in self.vocabulary.words]
        self.entry: Mapping[tuple[Ids, ...], int] = {units: number for number, units in enumerate(spelt)}
        """The option that is spelt by units."""

    def tree(self, number: Mapping[Ids, int], pieces: Subwords) -> PrefixTree:
        """What may be said, `unknown` too, by the numbers of units."""
        return PrefixTree([number[unit] for unit in (*units, pieces.eos)] for units in (*self.entry, pieces.unknown))


class Speaker:
    """Puts what was written into words, and finds where they stand."""

    def __init__(
        self, reader: Reader, said: Sequence[Ids], options: Sequence[Options | None], spellings: Mapping[Keys, str]
    ) -> None:
        self.reader = reader
        self.said = said
        """Units that can be said anywhere, by number."""
        self.options = options
        """By definition; None where the values are open."""
        self.spellings = spellings
        """How training wrote the values that it gave."""

    def predictions(
        self, examples: Sequence[Example], products: Sequence[Encoded], written: Written
    ) -> Iterator[Prediction]:
        """One prediction a question, in the order of examples and their questions."""
        rows = iter(_rows(written))
        for example, product in zip(examples, products, strict=True):
            read = self.reader.page(example)
            for question, asked in zip(example.asked, product.asked, strict=True):
                own = (*self.said, *split(product.sources[asked.source].units))
                numbers, shares, unknown, second, second_share, cells = next(rows)
                units = tuple(own[number] for number in numbers)
                said = Said(units, shares, unknown, own[second], second_share, cells)
                yield self._spoken(self._scored(example, question, said), said, asked.group, example, read=read)

    def _scored(self, example: Example, question: Question, said: "Said") -> Prediction:
        """State and confidence: the end is part of what was decided, a truncated answer has none."""
        state, length = self._ending(said.units)
        decided = said.shares[: length if state is State.TRUNCATED else length + 1]
        runner_up = self._name(said.second)
        return Prediction(
            product_id=example.product_id,
            product_type=example.product_type,
            attribute=question.attribute,
            input_hash=question.input_hash,
            state=state,
            score=_share(math.prod(decided)),
            unknown_probability=_share(said.unknown),
            min_token_probability=_share(min(decided)),
            runner_up=runner_up if said.second_share > 0 and runner_up else None,
            margin=_share(said.shares[0] - said.second_share),
        )

    def _ending(self, said: Sequence[Ids]) -> tuple[State, int]:
        """What kind of answer it is, and how many units come before its end."""
        longest, end = self.reader.config.longest_answer, self.reader.subwords.eos
        if end not in said[: longest + 1]:
            return State.TRUNCATED, longest
        length = said.index(end)
        return (State.UNKNOWN if tuple(said[:length]) == self.reader.subwords.unknown else State.VALUE), length

    def _spoken(self, prediction: Prediction, said: "Said", group: int, example: Example, *, read: Page) -> Prediction:
        """The prediction with its value, and where that stands; without a value as it is."""
        options = self.options[group]
        if options is not None:
            prediction = replace(prediction, vocab_id=options.vocabulary.vocab_id, vocab_fallback=False)
        if prediction.state is State.UNKNOWN:
            return prediction
        units = said.units[: self._ending(said.units)[1]]
        entry = options.entry.get(units) if options else None
        slots = (*read.text, *read.ocr)
        readable = [self.reader.readable(group, slot) for slot in slots]
        value = self._value(units, entry, options, [slot for slot, may in zip(slots, readable, strict=True) if may])
        keys = text.keys(value)
        if not keys:
            return replace(prediction, state=State.UNKNOWN, reason="the model wrote an empty answer")
        printed = page.stands(keys, slots, readable)
        if printed or entry is not None:
            found = page.trace([Spoken(keys, value, entry)], slots, readable.__getitem__)
        else:
            found = (Evidence(word=value, source=Source.WRITTEN),)
        spoken = evidence.replay(found, evidence.sources(example, options.vocabulary if options else None))
        return replace(
            prediction,
            value=spoken,
            num_words=len(keys),
            support=Support.PRINTED if printed else Support.INFERRED,
            evidence=found if printed else (*found, *looked_at(example, said.cells)),
        )

    def _value(self, units: tuple[Ids, ...], entry: int | None, options: Options | None, slots: Sequence[Slot]) -> str:
        if options is not None and entry is not None:
            return options.vocabulary.words[entry]
        cut = ((self.reader.subwords.units(slot.word), slot.word) for slot in reversed(slots))  # the first place wins
        joined = self.reader.subwords.join(units, {one[0]: word for one, word in cut if len(one) == 1})
        return self.spellings.get(text.keys(joined), joined)

    def _name(self, unit: Ids) -> str:
        return UNKNOWN_WORD if unit == self.reader.subwords.unknown[0] else self.reader.subwords.join([unit])


def _rows(written: Written) -> Iterator[tuple[list[int], list[float], float, int, float, Shares]]:
    said_RT, share_RT, unknown_R, second_R, second_share_R, cell_RG = written
    lists = (share_RT.float().tolist(), unknown_R.float().tolist(), second_R.tolist(), second_share_R.float().tolist())
    return zip(said_RT.tolist(), *lists, cell_RG.float().cpu().numpy(), strict=True)


def looked_at(example: Example, cells: Shares) -> Iterator[Evidence]:
    """The cells of the picture that an answer's attention used most."""
    picture = seen(example)
    if picture is None or picture.features is None or not cells.any():
        return
    for cell in np.argsort(-cells, kind="stable")[:NUM_REGIONS].tolist():
        region = 1 + cell if len(cells) > 1 else 0  # the pooled picture comes first, and is the one cell of a grid of 1
        box = Box(*(float(edge) for edge in picture.features.boxes[region]))
        yield Evidence(word="", source=Source.REGION, image_hash=picture.image_hash, token_index=region, box=box)


def _share(probability: float) -> float:
    """Rounding may lift a sum of probabilities a hair above 1."""
    return min(1.0, max(0.0, probability))
