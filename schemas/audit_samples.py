"""What was drawn to audit gates: how many answers, and which thresholds they will prove."""

import pyarrow as pa

from schemas.enums import Support
from schemas.gates import GATES
from schemas.table import TIMESTAMP, Table, column, one_of

AUDIT_SAMPLES = Table(
    name="audit_samples",
    row="one draw for one gate, made before anybody looked",
    key=("sample_id", "product_type", "attribute", "support", "model_version"),
    schema=pa.schema(
        [
            column("sample_id", pa.string(), "the sample", required=True),
            *GATES.subset("product_type", "attribute", "support", "model_version", "normaliser_version", "target"),
            column(
                "attempt", pa.int32(), "1 for the first draw of this gate; each spends less of delta", required=True
            ),
            column("thresholds", pa.list_(pa.float64()), "raw scores to be tested, strictest first", required=True),
            column("population", pa.int64(), "answers that it was drawn from", required=True),
            column("drawn", pa.int64(), "answers drawn, those judged before included", required=True),
            column("to_judge", pa.int64(), "of these, without a verdict when they were drawn", required=True),
            column("run_id", pa.string(), "the run that drew it", required=True),
            column("day", pa.date32(), "the day that was processed", required=True),
            column("drawn_at", TIMESTAMP, "when", required=True),
        ]
    ),
    checks={"known_support": one_of("support", Support), "attempts_count_from_one": "attempt >= 1"},
)
