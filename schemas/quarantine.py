"""Rows that could not be processed, with the reason."""

import pyarrow as pa

from schemas.table import TIMESTAMP, Table, column

QUARANTINE = Table(
    name="quarantine",
    row="a row that could not be processed",
    key=("job", "source", "key", "reason"),
    schema=pa.schema(
        [
            column("job", pa.string(), "the job that refused it", required=True),
            column("source", pa.string(), "the table or file that it came from", required=True),
            column("key", pa.string(), "the row's key, as far as it could be read", required=True),
            column("reason", pa.string(), "what was found and what was expected", required=True),
            column("payload", pa.string(), "the beginning of the row, at most 1,000 characters"),
            column("day", pa.date32(), "the day that was processed", required=True),
            column("quarantined_at", TIMESTAMP, "when", required=True),
            column("run_id", pa.string(), "the run that refused it", required=True),
        ]
    ),
)
