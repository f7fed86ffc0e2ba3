"""Training examples by distant supervision, kept by snapshot so that a model names what taught it."""

import pyarrow as pa

from schemas.enums import Split
from schemas.table import Table, column, one_of

EXAMPLES = Table(
    name="examples",
    row="one labelled (product, attribute) pair of one snapshot",
    key=("examples_id", "product_id", "attribute"),
    schema=pa.schema(
        [
            column("examples_id", pa.string(), "the snapshot: a hash of inputs and settings", required=True),
            column("product_id", pa.string(), "the product", required=True),
            column("attribute", pa.string(), "attribute name", required=True),
            column("product_type", pa.string(), "the product's type", required=True),
            column("content_hash", pa.string(), "the product revision that was labelled", required=True),
            column("family_id", pa.string(), "what the split goes by", required=True),
            column("raw_value", pa.string(), "the seller's words; null where he stated none"),
            column("value", pa.string(), "what is learnt, after merging similar values; null means unknown"),
            column("split", pa.string(), "train, validation, calibration or test", required=True),
            column("kept", pa.bool_(), "used for learning; false for trimmed and unreachable values", required=True),
            column("reason", pa.string(), "why it is not kept"),
            column(
                "reach",
                pa.list_(pa.string()),
                "places that hold the value: title, bullets, ocr, vocabulary, or nowhere; empty for unknown",
                required=True,
            ),
            column("run_id", pa.string(), "the run that wrote it", required=True),
        ]
    ),
    checks={"known_split": one_of("split", Split)},
)
