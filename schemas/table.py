"""What a table promises: its key, its columns with meaning and unit, and the checks that SQL can hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import pyarrow as pa

TIMESTAMP = pa.timestamp("us", tz="UTC")

BOX = pa.struct(
    [
        pa.field("x1", pa.float32(), nullable=False),
        pa.field("y1", pa.float32(), nullable=False),
        pa.field("x2", pa.float32(), nullable=False),
        pa.field("y2", pa.float32(), nullable=False),
    ]
)
"""A rectangle of a picture, every edge as a share of its width or height (0..1), origin at the top left."""

TOKEN = pa.struct(
    [
        pa.field("text", pa.string(), nullable=False),
        pa.field("confidence", pa.float32(), nullable=False),
        pa.field("box", BOX, nullable=False),
    ]
)
"""One word that an OCR engine read, with the engine's own confidence (0..1)."""

EVIDENCE = pa.struct(
    [
        pa.field("word", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("field_index", pa.int32()),
        pa.field("image_hash", pa.string()),
        pa.field("token_index", pa.int32()),
        pa.field("start", pa.int32()),
        pa.field("end", pa.int32()),
        pa.field("box", BOX),
    ]
)
"""Where one word of an answer was read.

`source` is title, bullet, ocr, vocabulary, written or region. Title and bullet words carry `start` and `end` (code
points of the field, end excluded; `field_index` counts bullets from 0); OCR words carry `image_hash`, `token_index`
(into image_texts.tokens), `start`, `end` (code points of that token) and `box`; vocabulary words carry `token_index`
(into vocabularies.words of the prediction's vocab_id). A written word stands nowhere: `word` is the whole value as the
model wrote it. A region has no word: it is a part of the picture that an inferred value rests on, with `image_hash`,
`token_index` (into image_features.regions) and `box`.
"""


def column(name: str, kind: pa.DataType, meaning: str, *, required: bool = False) -> pa.Field:
    """A column with its meaning (and unit); `required` columns are NOT NULL."""
    return pa.field(name, kind, nullable=not required, metadata={"meaning": meaning})


def one_of(name: str, values: type[StrEnum]) -> str:
    """The SQL that holds a column to the members of an enumeration."""
    return f"{name} IN ({', '.join(repr(str(value)) for value in values)})"


@dataclass(frozen=True, kw_only=True)
class Table:
    """One Delta table: what a row is, what identifies it, what its columns mean, what must hold."""

    name: str
    row: str
    """What one row is, in a sentence."""
    key: tuple[str, ...]
    """The columns that identify a row; uniqueness is kept by the writers, Delta has no unique keys."""
    schema: pa.Schema
    checks: Mapping[str, str] = field(default_factory=dict)
    """Name of a CHECK constraint to its SQL; NULL counts as a violation, so nullable columns say so."""
    blobs: tuple[str, ...] = ()
    """Binary columns: kept out of statistics and of every shuffle."""

    @property
    def columns(self) -> list[str]:
        """The column names, in the order of the table."""
        return list(self.schema.names)

    def subset(self, *names: str) -> pa.Schema:
        """The schema of some columns, in the order asked."""
        return pa.schema([self.schema.field(name) for name in names])
