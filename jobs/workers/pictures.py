"""What read_images runs on executors: one engine a worker process, one picture at a time."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pyarrow as pa
from pyspark import Accumulator, AccumulatorParam

from extractor import components, picture_reader
from extractor.errors import ContractError
from extractor.picture_reader import Picture, Row, Source
from jobs.feeds import blobs
from schemas.enums import Status
from schemas.image_features import IMAGE_FEATURES
from schemas.image_texts import IMAGE_TEXTS
from schemas.product_pictures import PRODUCT_PICTURES

HASHED = PRODUCT_PICTURES.subset("uri", "image_hash", "status", "reason")
TEXT = IMAGE_TEXTS.subset(*(name for name in IMAGE_TEXTS.columns if name not in ("content_hash", "run_id")))
FEATURE = IMAGE_FEATURES.subset(*(name for name in IMAGE_FEATURES.columns if name != "run_id"))

Batches = Iterator[pa.RecordBatch]
DONE = "done"
MOST_REASONS = 10
"""Distinct reasons that are told; the rest is counted."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A component by name and settings: what travels to the workers in its place."""

    folder: str
    name: str
    config: Any  # the Config of the component's own module
    schema: str
    """What the driver expects the component to call its readings."""


class Tally(AccumulatorParam[Counter[str]]):
    """Counts pictures done, and why pictures were left for the next run."""

    def zero(self, value: Counter[str]) -> Counter[str]:
        """Nothing done."""
        return Counter()

    def addInPlace(self, value1: Counter[str], value2: Counter[str]) -> Counter[str]:  # noqa: N802  # Spark's name
        """Both counts; of many reasons, those that are given most often."""
        value1.update(value2)
        return Counter(dict(value1.most_common(MOST_REASONS)))


def hash_pictures(batches: Batches, *, source: Source, tally: Accumulator[Counter[str]]) -> Batches:
    """Rows of `uri` to rows of HASHED, for mapInArrow."""
    for batch in batches:
        rows = [picture_reader.hash_row(uri, source) for uri in batch.column("uri").to_pylist()]
        tally.add(Counter({DONE: len(rows)}))
        yield pa.RecordBatch.from_pylist(rows, schema=HASHED)


def read_texts(batches: Batches, *, source: Source, engine: Engine, tally: Accumulator[Counter[str]]) -> Batches:
    """Rows of image_hash, uri, hash_is_of_bytes to rows of TEXT, for mapInArrow."""
    reader = component(engine)
    return _read(batches, TEXT, tally, lambda row: picture_reader.text_row(_picture(row), reader, source))


def read_features(batches: Batches, *, source: Source, engine: Engine, tally: Accumulator[Counter[str]]) -> Batches:
    """The same rows with ocr_schema and token_boxes to rows of FEATURE, for mapInArrow."""
    detector = component(engine)

    def read(row: Row) -> Row:
        boxes = [picture_reader.box_of(edges) for edges in row["token_boxes"]]
        ocr_schema = row["ocr_schema"]
        seen = picture_reader.feature_row(_picture(row), detector, source, ocr_schema=ocr_schema, token_boxes=boxes)
        return seen | {"content_hash": blobs.content_hash(seen["boxes"], seen["regions"], seen["token_vectors"])}

    return _read(batches, FEATURE, tally, read)


@cache
def component(engine: Engine) -> Any:  # a Reader or a Detector
    """The component of this process; one that calls its readings otherwise than the driver's is refused."""
    made = components.offered(engine.folder, engine.name, key=f"read_images.{engine.folder}.name")(engine.config)
    if made.schema != engine.schema:
        raise ContractError(f"{engine.folder} {engine.name} on a worker", made.schema, f"{engine.schema} as the driver")
    return made


def _read(batches: Batches, schema: pa.Schema, tally: Accumulator[Counter[str]], read: Callable[[Row], Row]) -> Batches:
    """One batch a picture, for a picture of many words has megabytes of vectors; what a service refused is left out."""
    for batch in batches:
        for row in batch.to_pylist():
            result = read(row)
            postponed = result["status"] == Status.UNREAD
            tally.add(Counter({DONE: 1, result["reason"]: 1} if postponed else {DONE: 1}))
            if not postponed:
                yield pa.RecordBatch.from_pylist([result], schema=schema)


def _picture(row: Row) -> Picture:
    return Picture(image_hash=row["image_hash"], uri=row["uri"], hash_is_of_bytes=row["hash_is_of_bytes"])
