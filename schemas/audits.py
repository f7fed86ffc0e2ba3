"""Verdicts of people about predictions: append-only."""

import pyarrow as pa

from schemas.audit_items import AUDIT_ITEMS
from schemas.enums import Verdict
from schemas.predictions import PREDICTIONS
from schemas.table import TIMESTAMP, Table, column, one_of

AUDITS = Table(
    name="audits",
    row="one verdict of one person about one prediction; of several, the newest counts",
    key=(*PREDICTIONS.key, "auditor", "audited_at"),
    schema=pa.schema(
        [
            *PREDICTIONS.subset(*PREDICTIONS.key),
            *AUDIT_ITEMS.subset("sample_id", "item_id", "product_type", "support", "value", "value_key"),
            column("auditor", pa.string(), "who looked", required=True),
            column("verdict", pa.string(), "right, wrong, cannot_tell or not_applicable", required=True),
            column("right_value", pa.string(), "the right value where the answer is wrong"),
            column("audited_at", TIMESTAMP, "when", required=True),
            column("run_id", pa.string(), "the run that recorded it", required=True),
        ]
    ),
    checks={"known_verdict": one_of("verdict", Verdict)},
)
