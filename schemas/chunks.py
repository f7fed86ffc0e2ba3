"""What enrich planned: its work in chunks, written before the first is asked; append-only."""

import pyarrow as pa

from schemas.table import TIMESTAMP, Table, column

CHUNKS = Table(
    name="chunks",
    row="one chunk of a run of enrich or backfill; whether it landed, the notes of commits of `predictions` say",
    key=("run_id", "chunk_id"),
    schema=pa.schema(
        [
            column("run_id", pa.string(), "the run that planned it", required=True),
            column("chunk_id", pa.int32(), "the chunk of that run, from 0", required=True),
            column("model_version", pa.string(), "the model that is asked", required=True),
            column("first_key", pa.string(), "its work begins at this route key; null: at the least"),
            column("end_key", pa.string(), "and ends before this one; null: with the greatest"),
            column("num_pairs", pa.int64(), "(product, attribute) pairs, about", required=True),
            column("text_bytes", pa.int64(), "bytes of text and words, about", required=True),
            column("commit", pa.int64(), "the number that its commit gets among those of its model", required=True),
            column("day", pa.date32(), "the day that is processed", required=True),
            column("planned_at", TIMESTAMP, "when", required=True),
        ]
    ),
)
