"""Precision gates: what a group must score to be published, and how far that is proven."""

import pyarrow as pa

from schemas.enums import GateState, Support
from schemas.table import TIMESTAMP, Table, column, one_of

GATES = Table(
    name="gates",
    row="one gate of one (product type, attribute, support) for one model version",
    key=("gate_id",),
    schema=pa.schema(
        [
            column("gate_id", pa.string(), "hash of everything that made the gate", required=True),
            column("product_type", pa.string(), "the product type", required=True),
            column("attribute", pa.string(), "the attribute", required=True),
            column("support", pa.string(), "printed or inferred: they earn different trust", required=True),
            column("model_version", pa.string(), "the model version that it gates", required=True),
            column("normaliser_version", pa.string(), "the normaliser that agreement was measured with", required=True),
            column("calibrator", pa.string(), "JSON: kind and parameters, raw score to confidence", required=True),
            column("target", pa.float64(), "precision promised, 0..1", required=True),
            column("threshold", pa.float64(), "least confidence that passes, 0..1; null where closed"),
            column("least_score", pa.float64(), "raw score that must be reached, too; null unless certified"),
            column("state", pa.string(), "certified, provisional or closed", required=True),
            column("reason", pa.string(), "why it is closed, or how far it is proven", required=True),
            column("n", pa.int64(), "judged answers at or above the threshold", required=True),
            column("errors", pa.int64(), "of these, wrong", required=True),
            column("num_judged", pa.int64(), "judged answers of the group, whatever their score", required=True),
            column("num_stated", pa.int64(), "judged pairs for which the seller states a value", required=True),
            column(
                "recall",
                pa.float64(),
                "share of these that pass the gate with the right value, 0..1; null where closed",
            ),
            column(
                "bound",
                pa.float64(),
                "lower bound of the precision that the audits prove; null without a complete audit sample",
            ),
            column("delta", pa.float64(), "chance that the bound is wrong; null without one"),
            column("method", pa.string(), "how threshold and state were found", required=True),
            column("audit_sample", pa.string(), "the audit sample behind a certificate"),
            column("population", pa.string(), "which products the judged answers come from", required=True),
            column("valid_from", TIMESTAMP, "from when it decides", required=True),
            column("run_id", pa.string(), "the run that made it", required=True),
        ]
    ),
    checks={
        "known_state": one_of("state", GateState),
        "known_support": one_of("support", Support),
        "open_has_threshold": "state = 'closed' OR threshold IS NOT NULL",
    },
)
