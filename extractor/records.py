"""What goes into a model and what comes out, as plain records: products with pictures, questions, predictions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from extractor.errors import ContractError
from schemas.enums import Kind, Pictures, Source, State, Support

Floats = npt.NDArray[np.floating[Any]]


class Box(NamedTuple):
    """A rectangle of a picture; every edge is a share of its width or height (0..1)."""

    x1: float
    y1: float
    x2: float
    y2: float


class Token(NamedTuple):
    """One word that an OCR engine read."""

    text: str
    confidence: float
    box: Box


class Features(NamedTuple):
    """What a frozen network saw in one picture. R regions, N OCR tokens, F floats a vector."""

    boxes: Floats
    """[R, 4] float32, shares of the picture."""
    regions: Floats
    """[R, F] float16."""
    token_vectors: Floats
    """[N, F] float16, following the picture's tokens; [0, F] where the extractor gave none."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A readable picture with its words; only one picture of a product carries features."""

    position: int
    image_hash: str
    tokens: tuple[Token, ...] = ()
    features: Features | None = None


@dataclass(frozen=True, kw_only=True)
class Definition:
    """An attribute that a product type has, as schemas/attribute_definitions.py means it."""

    product_type: str
    attribute: str
    question: str
    kind: Kind = Kind.TEXT
    options: Mapping[str, tuple[str, ...]] | None = None
    """Closed values with their aliases; None where the values are open."""
    inferable: bool = False
    pictures: Pictures = Pictures.ALL
    precision_target: float = 0.9


DEFINITIONS = TypeAdapter(tuple[Definition, ...])
"""Definitions as JSON, to files and to workers."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One attribute asked of a product; in training, with its answer."""

    attribute: str
    input_hash: str = ""
    answer: str | None = None
    """The label in training (None: unknown); unused in inference."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """A product as a model reads it, with all that is asked of it: it is encoded once for all its questions."""

    product_id: str
    product_type: str
    locale: str = "en-US"
    title: str | None = None
    bullets: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    asked: tuple[Question, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Where one word of an answer was read; see schemas.table.EVIDENCE for what each source fills."""

    word: str
    source: Source
    field_index: int | None = None
    image_hash: str | None = None
    token_index: int | None = None
    start: int | None = None
    end: int | None = None
    box: Box | None = None


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One answer; `value` is None unless state is value or truncated."""

    product_id: str
    product_type: str
    attribute: str
    input_hash: str
    state: State
    value: str | None = None
    score: float | None = None
    sigmoid_score: float | None = None
    unknown_probability: float | None = None
    min_token_probability: float | None = None
    num_words: int | None = None
    runner_up: str | None = None
    margin: float | None = None
    support: Support | None = None
    evidence: tuple[Evidence, ...] = field(default=())
    vocab_id: str | None = None
    vocab_fallback: bool | None = None
    reason: str | None = None


def example_from_row(row: Mapping[str, Any]) -> Example:
    """Read one row of schemas.model_inputs; a broken row is a ContractError that names what broke."""
    features = _features(row)
    pictures = tuple(
        Picture(
            position=int(picture["position"]),
            image_hash=picture["image_hash"],
            tokens=tuple(_token(token, picture["image_hash"]) for token in picture["tokens"]),
            features=features if picture["image_hash"] == row["features_of"] else None,
        )
        for picture in row["pictures"]
    )
    for picture in pictures:
        _match_token_vectors(picture)
    return Example(
        product_id=row["product_id"],
        product_type=row["product_type"],
        locale=row["locale"],
        title=row["title"],
        bullets=tuple(row["bullets"]),
        pictures=pictures,
        asked=tuple(
            Question(attribute=asked["attribute"], input_hash=asked["input_hash"], answer=asked["answer"])
            for asked in row["asked"]
        ),
    )


def _token(row: Mapping[str, Any], image_hash: str) -> Token:
    box = Box(*(float(row["box"][edge]) for edge in Box._fields))
    if not np.isfinite(box).all():
        raise ContractError(f"picture {image_hash}, token {row['text']!r}, box", tuple(box), "four finite numbers")
    return Token(row["text"], float(row["confidence"]), box)


def _features(row: Mapping[str, Any]) -> Features | None:
    if row["features_of"] is None or row["dim"] is None:
        return None
    thing = f"picture {row['features_of']}"
    dim = int(row["dim"])
    return Features(
        boxes=blob(row["boxes"], "<f4", int(row["num_regions"]), 4, f"{thing}, boxes"),
        regions=blob(row["regions"], "<f2", int(row["num_regions"]), dim, f"{thing}, regions"),
        token_vectors=blob(row["token_vectors"], "<f2", int(row["num_tokens"]), dim, f"{thing}, token_vectors"),
    )


def blob(content: bytes, dtype: str, rows: int, columns: int, thing: str) -> Floats:
    """View a blob as [rows, columns]; a wrong length or a number that is not finite is a ContractError."""
    expected = rows * columns * np.dtype(dtype).itemsize
    if len(content) != expected:
        raise ContractError(thing, f"{len(content)} bytes", f"{expected} bytes for {rows} x {columns} {dtype}")
    array: Floats = np.frombuffer(content, dtype=dtype).reshape(rows, columns)
    if not np.isfinite(array).all():
        raise ContractError(thing, "NaN or infinity", "finite numbers")
    return array


def _match_token_vectors(picture: Picture) -> None:
    if picture.features is None:
        return
    found = len(picture.features.token_vectors)
    if found not in (0, len(picture.tokens)):
        raise ContractError(
            f"picture {picture.image_hash}, token_vectors", f"{found} vectors", f"{len(picture.tokens)}, one a token"
        )
