"""Two nights on one warehouse at once, or a night beside a backfill or maintenance: who comes second tries again."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from deltalake import DeltaTable

from benchmarks import same_tables
from tests.night.conftest import MODEL

pytestmark = pytest.mark.slow  # five nights of a cheap model: some minutes

STEPS = ("ingest", "label", "enrich", "calibrate", "publish", "verify")
TABLES = (
    "products", "catalog_attributes", "image_texts", "image_features", "examples", "predictions", "gates", "decisions",
    "attributes", "review_queue", "quarantine",
)  # fmt: skip
TRIES = 4


BESIDE = {"a backfill": ("backfill",), "maintenance": ("maintain",) * 4}
"""What runs beside a night that has ingested."""


def run(taught, warehouse, steps):
    """Step after step, each tried again as a scheduler would; what the losers said."""
    said = []
    for step in steps:
        for _ in range(TRIES):
            done = taught.run(*MODEL, f"warehouse={warehouse}", "backfill.version=champion", steps=(step,))
            if done.returncode == 0:
                break
            said.append(done.stderr[-600:])
        assert done.returncode == 0, said
    return said


def at_once(taught, warehouse, parties):
    """What the losers of several said."""
    with ThreadPoolExecutor(len(parties)) as pool:
        return [line for said in pool.map(lambda steps: run(taught, warehouse, steps), parties) for line in said]


def contents(warehouse):
    return {name: same_tables.rows(DeltaTable(str(warehouse / name))) for name in TABLES}


@pytest.fixture(scope="module")
def alone(taught, tmp_path_factory):
    """What a night leaves that nothing disturbs."""
    warehouse = tmp_path_factory.mktemp("alone") / "warehouse"
    assert run(taught, warehouse, STEPS) == []
    return contents(warehouse)


def test_two_nights_at_once_leave_what_one_leaves_and_the_loser_says_so(taught, alone, tmp_path):
    told = at_once(taught, tmp_path / "both", (STEPS, STEPS))

    assert contents(tmp_path / "both") == alone
    assert all("run again" in line or "publish, decided pairs" in line for line in told), told


@pytest.mark.parametrize("beside", BESIDE)
def test_a_night_beside_something_else_leaves_what_it_leaves_alone(taught, alone, tmp_path, beside):
    run(taught, tmp_path / "both", STEPS[:2])

    told = at_once(taught, tmp_path / "both", (STEPS[2:], BESIDE[beside]))

    assert contents(tmp_path / "both") == alone
    assert all("run again" in line for line in told), told
