"""Figures: one row a metric of a slice."""

import pyarrow as pa

from schemas.table import Table, column

SCORES = Table(
    name="scores",
    row="one figure of one evaluation",
    key=("run_id", "metric", "system", "split", "product_type", "attribute", "slice"),
    schema=pa.schema(
        [
            column("run_id", pa.string(), "the run that measured it", required=True),
            column("job", pa.string(), "evaluate, label, train ...", required=True),
            column(
                "metric", pa.string(), "precision, recall, f1, recall_at_90p, coverage, reachable ...", required=True
            ),
            column("system", pa.string(), "pam, word_matching, published ...; empty where none", required=True),
            column("split", pa.string(), "the split measured on; empty where none", required=True),
            column("product_type", pa.string(), "the product type; empty for all", required=True),
            column("attribute", pa.string(), "the attribute; empty for all", required=True),
            column("slice", pa.string(), "where the value stood, support ...; empty for all", required=True),
            column("value", pa.float64(), "the figure; a share unless the metric says otherwise", required=True),
            column("n", pa.int64(), "cells that it was measured on", required=True),
            column("model_version", pa.string(), "the model version that was measured"),
            column("day", pa.date32(), "the day that was processed", required=True),
        ]
    ),
)
