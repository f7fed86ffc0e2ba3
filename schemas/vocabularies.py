"""Snapshots of the dynamic vocabularies V[product type, attribute]."""

import pyarrow as pa

from schemas.table import Table, column

VOCABULARIES = Table(
    name="vocabularies",
    row="a snapshot of the words that a model may say for a (product type, attribute)",
    key=("vocab_id",),
    schema=pa.schema(
        [
            column("vocab_id", pa.string(), "hash of group and words", required=True),
            column("product_type", pa.string(), "the product type; '*' for all of an attribute", required=True),
            column("attribute", pa.string(), "the attribute", required=True),
            column("words", pa.list_(pa.string()), "the words, in the order that evidence counts them", required=True),
            column(
                "examples_id",
                pa.string(),
                "the examples that made it; empty: options defined since",
                required=True,
            ),
            column("run_id", pa.string(), "the run that made it", required=True),
        ]
    ),
)
