"""Feature blobs are examined in the Python workers, row by row: nothing here may load Spark or the settings."""

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from extractor.errors import ContractError
from extractor.records import blob

SLACK = 1e-3
"""How far outside the picture a box may lie, as a share: detectors round."""

Row = dict[str, Any]  # columns of every type


def examine(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Rows of image_features to rows of `schema`: without their blobs, with a content hash or a problem."""
    for batch in batches:
        rows = [_examined(row) for row in batch.to_pylist()]
        yield pa.RecordBatch.from_pylist([{name: row[name] for name in schema.names} for row in rows], schema=schema)


def content_hash(boxes: bytes, regions: bytes, token_vectors: bytes) -> str:
    """SHA-256 of what a network saw: image_features.content_hash."""
    return hashlib.sha256(b"".join((boxes, regions, token_vectors))).hexdigest()


def _examined(row: Row) -> Row:
    row["content_hash"] = None
    if row["problem"] is not None:
        return row
    try:
        boxes = blob(row["boxes"], "<f4", row["num_regions"], 4, "boxes")
        blob(row["regions"], "<f2", row["num_regions"], row["dim"], "regions")
        blob(row["token_vectors"], "<f2", row["num_tokens"], row["dim"], "token_vectors")
    except ContractError as error:
        return row | {"problem": str(error)}
    if boxes.size and (boxes.min() < -SLACK or boxes.max() > 1 + SLACK):
        worst = float(boxes[np.unravel_index(np.abs(boxes - 0.5).argmax(), boxes.shape)])
        return row | {"problem": f"boxes: found {worst:g}, expected shares of the picture, 0 to 1"}
    return row | {"content_hash": content_hash(row["boxes"], row["regions"], row["token_vectors"])}
