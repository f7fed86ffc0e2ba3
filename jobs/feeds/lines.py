"""A line of JSON becomes a row, in the Python workers: nothing here may load Spark, the settings or a model.

Spark's own JSON reader silently repairs what must be refused (lone surrogates, numbers where a text should be, broken
UTF-8), so lines are parsed here. A row that cannot be used says in `problem` what was found and what was expected.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from extractor.errors import ContractError
from extractor.ocr.rekognition import from_rekognition_json

Row = dict[str, Any]  # values of every JSON type
ParseLine = Callable[[Row, Row], None]
"""Fills a row from a line's JSON object, `(content, row)`; a ContractError becomes the row's problem."""

PAYLOAD_CHARACTERS = 1000
"""How much of a bad row is kept."""
MAX_CHARACTERS = 10_000
"""Of an OCR word, a name or a path: a longer one is an accident."""
TEXTS = ("product_id", "product_type", "locale", "family_id", "title", "updated_at")
LISTS = ("bullets", "images")
DELETED = "deleted"
"""Whether the seller has taken the product away; where it is not said it is there."""
COLUMNS = (*TEXTS, *LISTS, "attributes", DELETED)
"""What a product feed may hold."""
NUMBERED = ("product_id", "family_id")
"""Identifiers, which many feeds write as numbers."""


def parse(batches: Iterator[pa.RecordBatch], parse_line: ParseLine, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Batches of (source, line as bytes) to batches of `schema`; blank lines are none."""
    for batch in batches:
        sources, lines = (column.to_pylist() for column in batch.columns)
        rows = [_row(source, line, parse_line) for source, line in zip(sources, lines, strict=True) if line.strip()]
        yield pa.RecordBatch.from_pylist(rows, schema=schema)


def _row(source: str, line: bytes, parse_line: ParseLine) -> Row:
    row: Row = {
        "source": source,
        "payload": line[:PAYLOAD_CHARACTERS].decode(errors="backslashreplace"),
        "problem": None,
    }
    try:
        content = json.loads(line.decode())
    except UnicodeDecodeError as error:
        return row | {"problem": f"line: found byte {error.object[error.start]:#x}, expected UTF-8"}
    except (ValueError, RecursionError) as error:
        return row | {"problem": f"line: found no JSON ({error}), expected a JSON object"}
    if not isinstance(content, dict):
        return row | {"problem": f"line: found {kind_of(content)}, expected a JSON object"}
    try:
        parse_line(content, row)
    except ContractError as error:
        row["problem"] = str(error)
    return row


def text_of(name: str, value: object, max_characters: int) -> str | None:
    """A text or null; anything else, or what no table can hold, is a ContractError."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise ContractError(name, kind_of(value), "text")
    if len(value) > max_characters:
        raise ContractError(name, f"{len(value):,} characters", f"at most {max_characters:,}")
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise ContractError(name, "a lone surrogate", "valid Unicode")
    return value


def kind_of(value: object) -> str:
    """A value of the wrong type, in words short enough for a reason."""
    if value is None:
        return "null"
    kinds = {dict: "an object", list: "a list", str: "text", bool: "a truth value", int: "a number", float: "a number"}
    return f"{kinds[type(value)]} {ascii(value)[:40]}"


def product(
    content: Row, row: Row, *, columns: Mapping[str, str], attribute_columns: Mapping[str, str], max_characters: int
) -> None:
    """Fill a row from a product's object; the key comes first, so that a bad row is named where it can be."""
    given = {name: content.get(columns.get(name, name)) for name in COLUMNS}
    if attribute_columns:
        stated = {attribute: content.get(column) for attribute, column in attribute_columns.items()}
        given["attributes"] = {attribute: value for attribute, value in stated.items() if value is not None}
    for name in NUMBERED:
        if isinstance(given[name], int) and not isinstance(given[name], bool):
            given[name] = str(given[name])
    for name in TEXTS:
        row[name] = text_of(name, given[name], max_characters)
    for name in LISTS:
        row[name] = _list(name, given[name], max_characters)
    row["attributes"] = list(_attributes(given["attributes"], max_characters).items())
    row[DELETED] = _truth(DELETED, given[DELETED])


def image_text(content: Row, row: Row) -> None:
    """Fill a row from an object in the form of schemas/image_texts.py."""
    for name in ("image_hash", "uri", "ocr_schema", "status", "reason"):
        row[name] = text_of(name, content.get(name), MAX_CHARACTERS)
    for name in ("width", "height"):
        row[name] = _number(name, content.get(name), int)
    tokens = content.get("tokens")
    if tokens is not None and not isinstance(tokens, list):
        raise ContractError("tokens", kind_of(tokens), "a list")
    row["tokens"] = (
        None if tokens is None else [_token(f"tokens[{index}]", token) for index, token in enumerate(tokens)]
    )


def rekognition(content: Row, row: Row, *, ocr_schema: str) -> None:
    """Fill a row from an answer of Amazon Rekognition, with `uri` or `image_hash` beside it."""
    for name in ("image_hash", "uri"):
        row[name] = text_of(name, content.get(name), MAX_CHARACTERS)
    row["ocr_schema"] = ocr_schema
    row["tokens"] = [
        {"text": text_of("DetectedText", word, MAX_CHARACTERS), "confidence": confidence, "box": box._asdict()}
        for word, confidence, box in from_rekognition_json(content)
    ]


def _token(name: str, token: object) -> Row:
    if not isinstance(token, dict) or not isinstance(token.get("box"), dict):
        raise ContractError(name, kind_of(token), "an object with text, confidence and box")
    return {
        "text": text_of(f"{name}.text", token.get("text"), MAX_CHARACTERS),
        "confidence": _number(f"{name}.confidence", token.get("confidence"), float),
        "box": {
            edge: _number(f"{name}.box.{edge}", token["box"].get(edge), float) for edge in ("x1", "y1", "x2", "y2")
        },
    }


def _number(name: str, value: object, kind: type[int] | type[float]) -> int | float | None:
    """A number (NaN is one) or null."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | kind):
        raise ContractError(name, kind_of(value), "a number")
    return kind(value)


def _truth(name: str, value: object) -> bool:
    """A truth value; null is none."""
    if value is None:
        return False
    if not isinstance(value, bool):
        raise ContractError(name, kind_of(value), "true or false")
    return value


def _list(name: str, value: object, max_characters: int) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or any(item is None for item in value):
        raise ContractError(name, kind_of(value), "a list of texts")
    texts = [text_of(f"{name}[{index}]", item, max_characters) for index, item in enumerate(value)]
    return [text for text in texts if text is not None]


def _attributes(value: object, max_characters: int) -> dict[str, str | None]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ContractError("attributes", kind_of(value), "an object of attribute and value")
    found: dict[str, str | None] = {}
    for name, stated in value.items():
        attribute = text_of("attributes", name, max_characters) or ""
        number = isinstance(stated, bool | int) or (isinstance(stated, float) and math.isfinite(stated))
        text = json.dumps(stated) if number else stated
        found[attribute] = text_of(f"attributes.{attribute}", text, max_characters)
    return found
