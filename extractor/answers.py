"""From what was decoded to predictions: words, evidence, confidence, state (MODELS 0.4).

B products, Q questions, T steps.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

from extractor import evidence, page
from extractor.candidates import Group
from extractor.nn.inputs import EOS, NUM_SPECIAL, UNKNOWN, Batch
from extractor.page import Slot, Spoken
from extractor.reading import Lexicon, Product
from extractor.records import Example, Prediction, Question
from schemas.enums import Source, State, Support

UNKNOWN_WORD = "unknown"
"""How `unknown` is named where it is the runner-up."""

Shares = npt.NDArray[np.float32]


class Decoded(NamedTuple):
    """What was said, step by step, the category's words included."""

    said_BQT: Tensor
    """Outcomes, as Batch.outcome_BQC numbers them."""
    probability_BQT: Tensor
    unknown_BQT: Tensor
    second_BQT: Tensor
    second_probability_BQT: Tensor
    sigmoid_BQT: Tensor
    """Of the best copy of what was said: the other reading of a score that BCE taught (MODELS 0.4 b)."""


class Steps(NamedTuple):
    """The same of one question, behind the category's words."""

    said: npt.NDArray[np.int64]
    probability: Shares
    unknown: Shares
    second: npt.NDArray[np.int64]
    second_probability: Shares
    sigmoid: Shares


class Numbering(NamedTuple):
    """What the outcomes of one question mean."""

    group: Group
    slots: tuple[Slot, ...]
    """Words of the page, text before OCR."""
    readable: npt.NDArray[np.bool_]
    """Which of them may be copied."""
    num_text: int
    """Text words among them."""
    first_entry: int
    """Outcomes before it: unknown, EOS, the category's words."""
    first_slot: int
    """The slot of [CLS]; outcomes before it are entries of the vocabulary."""
    first_ocr: int

    def spoken(self, outcome: int) -> Spoken:
        """What an outcome says."""
        if outcome < self.first_slot:
            entry = outcome - self.first_entry
            return Spoken(self.group.entries[entry], self.group.vocabulary.words[entry], entry)
        if outcome < self.first_ocr:
            slot = self.slots[outcome - self.first_slot - 1]
        else:
            slot = self.slots[outcome - self.first_ocr + self.num_text]
        return Spoken((slot.key,), slot.word, None)

    def word(self, outcome: int) -> str:
        """How an outcome that can begin an answer is named."""
        return UNKNOWN_WORD if outcome == UNKNOWN else self.spoken(outcome).word


def predictions(
    examples: Sequence[Example], products: Sequence[Product], batch: Batch, decoded: Decoded, lexicon: Lexicon
) -> Iterator[Prediction]:
    """One prediction a question, in the order of examples and their questions."""
    columns = [column.cpu().numpy() for column in decoded]
    first_slot = batch.word_BQL.shape[2]
    b = 0
    for example, product in zip(examples, products, strict=True):
        questions = iter(example.asked)  # one row has them all, or each has a row of its own
        for row, slots in zip(product.encoded.rows, product.slots, strict=True):
            for q, asked in enumerate(row.questions):
                numbering = Numbering(
                    lexicon.groups[asked.group],
                    slots,
                    asked.readable,
                    num_text=row.num_words,
                    first_entry=NUM_SPECIAL + int(batch.prefix_BQ.max()),
                    first_slot=first_slot,
                    first_ocr=first_slot + batch.text_absent_BM.shape[1],
                )
                begin = len(lexicon.rows[asked.group].prefix)
                end = begin + lexicon.longest_answer + 1
                steps = Steps(*(column[b, q, begin:end] for column in columns))
                yield _prediction(example, next(questions), steps, numbering, lexicon.longest_answer)
            b += 1


def _prediction(
    example: Example, question: Question, steps: Steps, numbering: Numbering, longest_answer: int
) -> Prediction:
    state, length = _ending(steps.said.tolist(), longest_answer)
    # The end is part of what was decided: `unknown` ends by itself, a truncated answer has no end.
    num_decided = length if state is State.TRUNCATED else length + 1
    decided = steps.probability[:num_decided]
    second = float(steps.second_probability[0])
    answered = Prediction(
        product_id=example.product_id,
        product_type=example.product_type,
        attribute=question.attribute,
        input_hash=question.input_hash,
        state=state,
        score=_share(math.prod(decided.tolist())),
        sigmoid_score=_share(math.prod(steps.sigmoid[:num_decided].tolist())),
        unknown_probability=_share(float(steps.unknown[0])),
        min_token_probability=_share(float(decided.min())),
        runner_up=numbering.word(int(steps.second[0])) if second > 0 else None,
        margin=_share(float(steps.probability[0]) - second),
        vocab_id=numbering.group.vocab_id,
        vocab_fallback=numbering.group.fallback,
    )
    if state is State.UNKNOWN:
        return answered
    spoken = [numbering.spoken(outcome) for outcome in steps.said[:length].tolist()]
    found = page.trace(spoken, numbering.slots, lambda slot: bool(numbering.readable[slot]))
    printed = all(word.source is not Source.VOCABULARY for word in found)
    return replace(
        answered,
        value=evidence.replay(found, evidence.sources(example, numbering.group.vocabulary)),
        num_words=sum(len(step.keys) for step in spoken),
        support=Support.PRINTED if printed else Support.INFERRED,
        evidence=found,
    )


def _ending(said: Sequence[int], longest_answer: int) -> tuple[State, int]:
    """What kind of answer it is, and how many steps are words."""
    if said[0] == UNKNOWN:
        return State.UNKNOWN, 0
    if EOS in said:
        return State.VALUE, said.index(EOS)
    return State.TRUNCATED, longest_answer


def _share(probability: float) -> float:
    """Rounding may lift a sum of probabilities a hair above 1."""
    return min(1.0, max(0.0, probability))
