"""Published values, current: what analysts query."""

import pyarrow as pa

from schemas.decisions import DECISIONS
from schemas.table import EVIDENCE, TIMESTAMP, Table, column

ATTRIBUTES = Table(
    name="attributes",
    row="a published value, current",
    key=("product_id", "attribute"),
    schema=pa.schema(
        [
            column("product_id", pa.string(), "the product", required=True),
            column("attribute", pa.string(), "the attribute", required=True),
            column("product_type", pa.string(), "the product's type", required=True),
            column("value", pa.string(), "the normalised value", required=True),
            column("value_as_read", pa.string(), "the value before normalising; evidence replays it", required=True),
            column("confidence", pa.float64(), "calibrated probability of being right, 0..1", required=True),
            column("support", pa.string(), "printed or inferred", required=True),
            column("gate_id", pa.string(), "the gate that let it through", required=True),
            column("gate_state", pa.string(), "certified or provisional: how far the promise is proven", required=True),
            column("model_version", pa.string(), "the model version that read it", required=True),
            *DECISIONS.subset("input_hash", "decode_config"),
            column("vocab_id", pa.string(), "vocabulary snapshot of its vocabulary words"),
            column("evidence", pa.list_(EVIDENCE), "where each word was read, in order", required=True),
            column("day", pa.date32(), "the day that was processed", required=True),
            column("published_at", TIMESTAMP, "when this value was first published", required=True),
            column("run_id", pa.string(), "the run that published it", required=True),
        ]
    ),
)
