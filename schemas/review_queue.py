"""Values that a person should look at, current."""

import pyarrow as pa

from schemas.decisions import DECISIONS
from schemas.table import EVIDENCE, Table, column

REVIEW_QUEUE = Table(
    name="review_queue",
    row="a value that a person should look at",
    key=("product_id", "attribute"),
    schema=pa.schema(
        [
            *DECISIONS.subset(
                "product_id",
                "attribute",
                "product_type",
                "value",
                "confidence",
                "support",
                "seller_value",
                "reason",
                "gate_id",
                "model_version",
                "input_hash",
                "decode_config",
            ),
            column("value_as_read", pa.string(), "the value before normalising; evidence replays it"),
            column("vocab_id", pa.string(), "vocabulary snapshot of its vocabulary words"),
            column("evidence", pa.list_(EVIDENCE), "where each word was read, in order", required=True),
            *DECISIONS.subset("run_id", "day", "decided_at"),
        ]
    ),
)
