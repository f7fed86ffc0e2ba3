"""The run book: one row an execution of a job."""

import pyarrow as pa

from schemas.enums import RunStatus
from schemas.table import TIMESTAMP, Table, column, one_of

RUNS = Table(
    name="runs",
    row="one execution of one job",
    key=("run_id",),
    schema=pa.schema(
        [
            column("run_id", pa.string(), "job, day and start", required=True),
            column("job", pa.string(), "the job", required=True),
            column("day", pa.date32(), "the day that was processed", required=True),
            column("code_version", pa.string(), "package version and commit, where known", required=True),
            column("config", pa.string(), "the merged configuration, JSON", required=True),
            column("model_version", pa.string(), "the model version used or made"),
            column("inputs", pa.map_(pa.string(), pa.int64()), "table to the version that was read", required=True),
            column("counts", pa.map_(pa.string(), pa.int64()), "what came in and went out, by name", required=True),
            column("model_calls", pa.int64(), "pairs that a model was asked", required=True),
            column("status", pa.string(), "succeeded or failed", required=True),
            column("reason", pa.string(), "why it failed"),
            column("started_at", TIMESTAMP, "start", required=True),
            column("finished_at", TIMESTAMP, "end", required=True),
            column("seconds", pa.float64(), "wall seconds of the job's own work", required=True),
        ]
    ),
    checks={"known_status": one_of("status", RunStatus)},
)
