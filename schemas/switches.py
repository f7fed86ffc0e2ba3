"""Kill switches: whose answers may not be published, since when and why; append-only."""

import pyarrow as pa

from schemas.table import TIMESTAMP, Table, column

SWITCHES = Table(
    name="switches",
    row="one turn of one kill switch",
    key=("switch_id", "turned_at"),
    schema=pa.schema(
        [
            column("switch_id", pa.string(), "hash of what it concerns", required=True),
            column("product_type", pa.string(), "answers about this product type; null: about any"),
            column("attribute", pa.string(), "answers about this attribute; null: about any"),
            column("model_version", pa.string(), "answers of this model version; null: of any"),
            column("answered_by", pa.string(), "answers that this run computed; null: that any did"),
            column("killed", pa.bool_(), "true kills, false lets out again", required=True),
            column("reason", pa.string(), "why, in the words of who turned it", required=True),
            column("turned_at", TIMESTAMP, "when", required=True),
            column("run_id", pa.string(), "the run that turned it", required=True),
        ]
    ),
    checks={
        "concerns_something": "product_type IS NOT NULL OR attribute IS NOT NULL OR model_version IS NOT NULL"
        " OR answered_by IS NOT NULL"
    },
)
