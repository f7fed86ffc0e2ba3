"""Two nights on one warehouse at once: whoever comes second is told, tries again, and the tables are those of one."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from deltalake import DeltaTable

from benchmarks import same_tables
from tests.night.conftest import MODEL

pytestmark = pytest.mark.slow  # three nights of a cheap model: some minutes

STEPS = ("ingest", "label", "enrich", "calibrate", "publish", "verify")
TABLES = (
    "products", "catalog_attributes", "image_texts", "image_features", "examples", "predictions", "gates", "decisions",
    "attributes", "review_queue", "quarantine",
)  # fmt: skip
TRIES = 4


def night(taught, warehouse):
    """Step after step, each tried again as a scheduler would; what the losers said."""
    said = []
    for step in STEPS:
        for _ in range(TRIES):
            done = taught.run(*MODEL, f"warehouse={warehouse}", steps=(step,))
            if done.returncode == 0:
                break
            said.append(done.stderr[-600:])
        assert done.returncode == 0, said
    return said


def contents(warehouse):
    return {name: same_tables.rows(DeltaTable(str(warehouse / name))) for name in TABLES}


def test_two_nights_at_once_leave_what_one_leaves_and_the_loser_says_so(taught, tmp_path):
    alone, both = tmp_path / "alone", tmp_path / "both"

    assert night(taught, alone) == []
    with ThreadPoolExecutor(2) as pool:
        told = [line for said in pool.map(lambda _: night(taught, both), range(2)) for line in said]

    assert contents(both) == contents(alone)
    assert all("run again" in line or "publish, decided pairs" in line for line in told), told
