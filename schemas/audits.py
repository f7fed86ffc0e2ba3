"""Verdicts of people about predictions."""

import pyarrow as pa

from schemas.enums import Verdict
from schemas.predictions import PREDICTIONS
from schemas.table import TIMESTAMP, Table, column, one_of

AUDITS = Table(
    name="audits",
    row="one verdict of one person about one prediction",
    key=(*PREDICTIONS.key, "auditor"),
    schema=pa.schema(
        [
            *PREDICTIONS.subset(*PREDICTIONS.key),
            column("auditor", pa.string(), "who looked", required=True),
            column("verdict", pa.string(), "right, wrong, cannot_tell or not_applicable", required=True),
            column("right_value", pa.string(), "the right value where the answer is wrong"),
            column("sample_id", pa.string(), "the sample that was drawn for auditing", required=True),
            column("audited_at", TIMESTAMP, "when", required=True),
        ]
    ),
    checks={"known_verdict": one_of("verdict", Verdict)},
)
