"""The answers of audit samples, in the order in which they were drawn."""

import pyarrow as pa

from schemas.audit_samples import AUDIT_SAMPLES
from schemas.predictions import PREDICTIONS
from schemas.table import Table, column

AUDIT_ITEMS = Table(
    name="audit_items",
    row="one answer of one audit sample",
    key=("sample_id", *PREDICTIONS.key),
    schema=pa.schema(
        [
            *AUDIT_SAMPLES.subset("sample_id"),
            column("item_id", pa.string(), "how work sheets name it: a hash of its key", required=True),
            *PREDICTIONS.subset(*PREDICTIONS.key),
            *AUDIT_SAMPLES.subset("product_type", "support"),
            column("place", pa.int32(), "1 for the answer drawn first", required=True),
            column("score", pa.float64(), "raw confidence, 0..1", required=True),
            column("value", pa.string(), "the value as it would be published", required=True),
            column("value_key", pa.string(), "equal keys are one value", required=True),
            column("second", pa.bool_(), "a second auditor looks, too", required=True),
            column("gate_id", pa.string(), "the certified gate that let it out, where that is checked; else null"),
        ]
    ),
)
