"""What was decided about each prediction: append-only."""

import pyarrow as pa

from schemas.enums import Decision
from schemas.predictions import PREDICTIONS
from schemas.table import TIMESTAMP, Table, column, one_of

DECISIONS = Table(
    name="decisions",
    row="what was decided about one prediction at one time",
    key=(*PREDICTIONS.key, "decided_at"),
    schema=pa.schema(
        [
            *PREDICTIONS.subset(*PREDICTIONS.key),
            column("product_type", pa.string(), "the product's type", required=True),
            column("support", pa.string(), "printed or inferred; null without a value"),
            column("gate_id", pa.string(), "the gate that decided; null where none applies"),
            column("value", pa.string(), "the normalised value; null without one"),
            column("confidence", pa.float64(), "calibrated probability of being right, 0..1"),
            column("seller_value", pa.string(), "what the catalogue said at the time"),
            column(
                "decision",
                pa.string(),
                "published, confirmed, review, abstained, withdrawn or quarantined",
                required=True,
            ),
            column("reason", pa.string(), "why, in words", required=True),
            column("run_id", pa.string(), "the run that decided", required=True),
            column("day", pa.date32(), "the day that was processed", required=True),
            column("decided_at", TIMESTAMP, "when", required=True),
        ]
    ),
    checks={"known_decision": one_of("decision", Decision)},
)
