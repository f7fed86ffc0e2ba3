"""Evidence: where the words of an answer stand, and how the answer is rebuilt from them, byte for byte."""

from collections.abc import Callable, Sequence

from extractor import text
from extractor.errors import ModelError
from extractor.records import Evidence, Example
from extractor.vocabulary import Vocabulary
from schemas.enums import Source

TextOf = Callable[[Evidence], str]
"""The whole text that a piece of evidence points into: a field, an OCR token, an entry of the vocabulary."""


def replay(evidence: Sequence[Evidence], text_of: TextOf) -> str:
    """Rebuild a value: neighbours in one text keep the text's own slice, all else is joined by one space."""
    slices: list[tuple[Evidence, Evidence]] = []
    for word in evidence:
        if word.source == Source.REGION:  # seen, not said
            continue
        if slices and _neighbours(slices[-1][1], word, text_of):
            slices[-1] = (slices[-1][0], word)
        else:
            slices.append((word, word))
    return " ".join(text_of(first)[first.start : last.end] for first, last in slices)


def sources(example: Example, vocabulary: Vocabulary | None) -> TextOf:
    """Look evidence up in a product and the vocabulary that was open; ModelError where it points nowhere."""
    tokens = {picture.image_hash: picture.tokens for picture in example.pictures}

    def text_of(word: Evidence) -> str:
        try:
            match word.source:
                case Source.TITLE if example.title is not None:
                    return example.title
                case Source.BULLET if word.field_index is not None:
                    return example.bullets[word.field_index]
                case Source.OCR if word.image_hash is not None and word.token_index is not None:
                    return tokens[word.image_hash][word.token_index].text
                case Source.VOCABULARY if vocabulary is not None and word.token_index is not None:
                    return vocabulary.words[word.token_index]
                case Source.WRITTEN:
                    return word.word
        except (KeyError, IndexError) as error:
            raise ModelError(f"evidence of product {example.product_id!r}", word, "a place that exists") from error
        raise ModelError(f"evidence of product {example.product_id!r}", word, "a place that exists")

    return text_of


def _neighbours(left: Evidence, right: Evidence, text_of: TextOf) -> bool:
    """Both stand in one text, in this order, with no word between them."""
    if left.source in (Source.VOCABULARY, Source.WRITTEN) or _place(left) != _place(right):
        return False
    if left.end is None or right.start is None or right.start < left.end:
        return False
    return not text.words(text_of(left)[left.end : right.start])


def _place(word: Evidence) -> tuple[object, ...]:
    return word.source, word.field_index, word.image_hash, word.token_index
