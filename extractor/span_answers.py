"""From span probabilities to predictions, and the rule that says which probabilities answer.

B products, A attributes of the product's type.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

from extractor import evidence
from extractor.page import Slot
from extractor.records import Evidence, Example, Prediction, Question
from extractor.span_reading import Product, Reader
from schemas.enums import State, Support

UNKNOWN_WORD = "unknown"
"""How `no answer` is named where it is the runner-up."""
THRESHOLDS = np.arange(0.0, 0.62, 0.02).round(2)

Decoder = Literal["joint", "independent"]
DECODERS: tuple[Decoder, ...] = ("joint", "independent")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How answers are chosen."""

    decoder: Decoder = "independent"
    """Whose string answers: that of the best segmentations, or that of each attribute on its own."""
    threshold: float = 0.0
    """Least independent probability of a string that answers; below it the answer is unknown."""


class Decoded(NamedTuple):
    """The two likeliest strings of each attribute."""

    place_BA: Tensor
    """Where the first stands with most certainty: word * L + length - 1."""
    share_BA: Tensor
    """Its probability by the decoder that answers; 0 where no span may answer."""
    alone_BA: Tensor
    """Its independent probability."""
    second_place_BA: Tensor
    second_share_BA: Tensor
    silent_BA: Tensor
    """Independent probability that no span answers."""


def predictions(
    examples: Sequence[Example], products: Sequence[Product], decoded: Decoded, rule: Rule, reader: Reader
) -> Iterator[Prediction]:
    """One prediction a question, in the order of examples and their questions."""
    columns = [column.cpu().numpy() for column in decoded]
    for b, (example, product) in enumerate(zip(examples, products, strict=True)):
        for question in example.asked:
            a = reader.find(example, question.attribute)
            answer = Decoded(*(column[b, a] for column in columns))
            yield _prediction(example, question, product.slots, answer, rule, longest=reader.config.longest)


def _prediction(
    example: Example, question: Question, slots: Sequence[Slot], answer: Decoded, rule: Rule, *, longest: int
) -> Prediction:
    share, alone, second, silent = (
        min(1.0, float(x)) for x in (answer.share_BA, answer.alone_BA, answer.second_share_BA, answer.silent_BA)
    )
    text_of = evidence.sources(example, None)
    found = _evidence(slots, int(answer.place_BA), longest) if share > 0 else ()
    value = evidence.replay(found, text_of) if found else None
    answered = Prediction(
        product_id=example.product_id,
        product_type=example.product_type,
        attribute=question.attribute,
        input_hash=question.input_hash,
        state=State.UNKNOWN,
        score=silent,
        unknown_probability=silent,
        runner_up=value,
        margin=max(0.0, silent - alone),
    )
    if value is None or alone < rule.threshold:
        return answered
    other = evidence.replay(_evidence(slots, int(answer.second_place_BA), longest), text_of) if second > 0 else None
    return replace(
        answered,
        state=State.VALUE,
        value=value,
        score=(share + alone) / 2,  # two readings of one page: where they agree they are more often right
        num_words=len(found),
        runner_up=other if second > silent else UNKNOWN_WORD,
        margin=max(0.0, share - max(second, silent)),
        support=Support.PRINTED,
        evidence=found,
    )


def _evidence(slots: Sequence[Slot], place: int, longest: int) -> tuple[Evidence, ...]:
    """The words of a span."""
    start, length = divmod(place, longest)
    return tuple(
        Evidence(
            word=slot.word,
            source=slot.source,
            field_index=slot.field_index,
            image_hash=slot.image_hash,
            token_index=slot.token_index,
            start=slot.start,
            end=slot.end,
            box=slot.box,
        )
        for slot in slots[start : start + length + 1]
    )


class Judged(NamedTuple):
    """What one decoder said of labelled questions."""

    right: npt.NDArray[np.bool_]
    alone: npt.NDArray[np.float32]
    """Independent probability of what it said."""


def choose(judged: dict[Decoder, Judged], num_answers: int) -> Rule:
    """The decoder and the threshold of the best F1; `num_answers` questions have a value, of equals the lowest wins."""
    best, chosen = -1.0, Rule()
    for decoder, said in judged.items():
        for threshold in THRESHOLDS:
            kept = said.alone >= threshold
            # 2PR / (P + R) = 2 right / (said + sought)
            f1 = 2 * int((said.right & kept).sum()) / max(int(kept.sum()) + num_answers, 1)
            if f1 > best:
                best, chosen = f1, Rule(decoder=decoder, threshold=float(threshold))
    return chosen
