"""A new version beside the champion: what is asked, where it stops, how it goes on, when it takes over."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jobs import backfill, registry
from schemas.gates import GATES
from schemas.predictions import PREDICTIONS
from tests.jobs import shop
from tests.jobs.shelf import settings
from tests.jobs.shop import filled

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


@pytest.fixture
def two(models, tmp_path) -> Path:
    """A registry whose second version of `facetmill` is the challenger."""
    folder = tmp_path / "models"
    shutil.copytree(models, folder)
    shop.teach(folder)
    return folder


def run(shop, overrides):
    backfill.main(settings(Path(shop.tables.root), *shop.where, *overrides))
    return shop.last_run()


def asked(shop, version):
    rows = shop.tables.read_or_empty(PREDICTIONS).where(f"model_version = '{version}'").collect()
    return sorted((row.product_id, row.attribute) for row in rows)


def champion(shop, folder):
    where = registry.connect(f"sqlite:///{folder}/mlflow.db", "facetmill", artifacts_root=f"{folder}/mlflow")
    return where.resolve("facetmill", registry.CHAMPION).version


def gate(state):
    return {
        "gate_id": state, "product_type": "tea", "attribute": "brand", "support": "printed",
        "model_version": "facetmill/2", "normaliser_version": "1", "calibrator": "{}", "target": 0.9,
        "threshold": None if state == "closed" else 0.9, "state": state, "reason": "for the test", "n": 9, "errors": 0,
        "num_judged": 9, "num_stated": 20, "recall": None if state == "closed" else 0.5, "method": "by hand",
        "population": "none", "valid_from": NOON, "run_id": "calibrate-1",
    }  # fmt: skip


@pytest.mark.slow  # several whole runs of a job
def test_a_budget_stops_it_a_second_run_goes_on_and_gates_let_it_take_over(tables, two, capsys):
    shop = filled(tables, two)

    first = run(shop, ["backfill.products=2", "backfill.promote=true"])
    second = run(shop, ["backfill.promote=false"])
    with pytest.raises(SystemExit):
        run(shop, ["backfill.promote=true"])
    told = capsys.readouterr().err
    before = champion(shop, two)
    tables.append(tables.rows([gate("certified")], GATES), GATES, txn="gates")
    run(shop, ["backfill.promote=true"])

    assert (dict(first.counts)["predicted"], dict(first.counts)["left"], first.model_version) == (4, 4, "facetmill/2")
    assert (dict(second.counts)["predicted"], dict(second.counts)["left"]) == (4, 0)
    assert asked(shop, "facetmill/2") == sorted(
        (name, attribute) for name in "abcd" for attribute in ("brand", "flavor")
    )
    assert "4 pairs are left: run it again" in told
    assert "found no gate that publishes, expected one that is certified" in told
    assert (before, champion(shop, two)) == ("1", "2")


def test_types_days_and_hours_bound_it(tables, models, capsys):
    shop = filled(tables, models)

    out_of_time = run(shop, ["backfill.version=1", "backfill.product_types=[tea]", "backfill.hours=0.0000001"])
    with pytest.raises(SystemExit):
        run(shop, ["backfill.version=1", "backfill.since=2031-01-01"])

    assert (out_of_time.model_calls, dict(out_of_time.counts)["left"]) == (0, 8)
    assert "found no current product that is asked" in capsys.readouterr().err
