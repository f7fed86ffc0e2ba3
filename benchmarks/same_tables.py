"""Whether two warehouses say the same, whatever their runs were called and when they ran."""

from collections import Counter

from deltalake import DeltaTable

OF_A_RUN = {
    "run_id", "work_id", "chunk_id", "sample_id", "gate_id", "decision_id", "day", "ingested_at", "predicted_at",
    "decided_at", "published_at", "valid_from", "calibrated_at", "drawn_at", "quarantined_at",
}  # fmt: skip
"""Columns that differ between two runs that say the same."""


def rows(table: DeltaTable) -> Counter[str]:
    """A table's rows without what names the run that wrote them, with how often each is there."""
    content = table.to_pyarrow_table()
    kept = content.select([name for name in content.column_names if name not in OF_A_RUN])
    return Counter(map(repr, kept.to_pylist()))
