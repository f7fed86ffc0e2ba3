"""What the workers do for the label job: nothing here may load Spark, the settings or a model."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from extractor import labels
from extractor.records import Definition
from schemas.examples import EXAMPLES

GROUP = pa.schema(
    [
        *EXAMPLES.subset("product_type", "attribute"),
        pa.field("stated", pa.string()),  # the seller's words, '' where he said that there is none
        pa.field("num_products", pa.int64()),  # training products; after merging, those that share the value
        pa.field("merged", pa.string()),
        pa.field("in_vocabulary", pa.bool_()),
        pa.field("problem", pa.string()),
    ]
)
"""One spelling of one group, and what merging makes of it."""
LABEL = EXAMPLES.subset(*(name for name in EXAMPLES.columns if name not in ("examples_id", "run_id")))
"""An example before its snapshot is named."""

Row = dict[str, Any]  # columns of every type


class Teacher(NamedTuple):
    """All that labelling goes by."""

    definitions: Mapping[tuple[str, str], Definition]
    """By (product type, attribute)."""
    config: labels.Config


def split(family_id: str, teacher: Teacher) -> str:
    """The split of a family."""
    return str(labels.split_of(family_id, teacher.config))


def merge(group: pd.DataFrame, teacher: Teacher) -> pd.DataFrame:
    """All spellings of one group to rows of GROUP."""
    product_type, attribute = group["product_type"].iloc[0], group["attribute"].iloc[0]
    counts = dict(zip(group["stated"], group["num_products"], strict=True))
    merged = labels.merge(counts, teacher.definitions[product_type, attribute], teacher.config)
    rows = [
        (product_type, attribute, stated, m.num_products, m.value, m.in_vocabulary, m.problem)
        for stated, m in merged.items()
    ]
    return pd.DataFrame(rows, columns=GROUP.names)


def label(batches: Iterator[pa.RecordBatch], teacher: Teacher) -> Iterator[pa.RecordBatch]:
    """Pages with their `pairs` to rows of LABEL; a page is cut into words once for all its attributes."""
    for batch in batches:
        rows = [row for page in batch.to_pylist() for row in _labels(page, teacher)]
        yield pa.RecordBatch.from_pylist(rows, schema=LABEL)


def _labels(page: Row, teacher: Teacher) -> Iterator[Row]:
    places = labels.page(page["title"], page["bullets"], page["words"])
    product = {name: page[name] for name in ("product_id", "product_type", "content_hash", "family_id", "split")}
    for pair in page["pairs"]:
        definition = teacher.definitions[page["product_type"], pair["attribute"]]
        merged = labels.Merged(pair["merged"], pair["num_products"], pair["in_vocabulary"], pair["problem"])
        found = labels.label(pair["stated"], merged, places, definition, teacher.config)
        yield product | {
            "attribute": pair["attribute"],
            "raw_value": pair["raw_value"],
            "value": found.value,
            "kept": found.kept,
            "reason": found.reason,
            "reach": [str(reach) for reach in found.reach],
        }
