"""Tables kept small: same rows in fewer files, old versions still readable, transactions remembered."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jobs import maintain, working
from schemas.catalog_attributes import CATALOG_ATTRIBUTES
from schemas.runs import RUNS
from tests.jobs.shelf import NOON, settings
from tests.jobs.test_tables import value


def run(tables, overrides):
    maintain.main(settings(Path(tables.root), f"warehouse={tables.root}", *overrides))


def sign(tables, run_id, seen_at):
    """What a run that never ended has left."""
    path = Path(tables.root) / working.FOLDER / run_id
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"where": "here", "started_at": str(NOON), "seen_at": str(seen_at)}))


def test_small_files_become_one_and_readers_of_old_versions_go_on_and_signs_of_the_long_dead_leave(tables):
    sign(tables, "dead", NOON)
    sign(tables, "fresh", datetime.now(UTC))
    for product in "abc":
        tables.append(tables.rows([value(product, "x")], CATALOG_ATTRIBUTES), CATALOG_ATTRIBUTES, txn=product)
    before = tables.read(CATALOG_ATTRIBUTES)
    files = tables.size(CATALOG_ATTRIBUTES).num_files

    run(tables, ["maintain.tables=[catalog_attributes]", "maintain.sort=true"])

    assert (files, tables.size(CATALOG_ATTRIBUTES).num_files) == (3, 1)
    rows = sorted(before.collect())
    assert [row.product_id for row in rows] == ["a", "b", "c"]
    assert sorted(tables.read(CATALOG_ATTRIBUTES).collect()) == rows
    assert not tables.append(before, CATALOG_ATTRIBUTES, txn="a")
    assert [one.run_id for one in working.signs(tables.spark, tables.root)] == ["fresh"]
    [booked] = tables.read(RUNS).collect()
    assert dict(booked.counts)["catalog_attributes_files"] == 1


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("maintain.tables=[product]", "maintain.tables': found 'product', expected names among"),
        ("maintain.retain_hours=24", "maintain.retain_hours': found 24, expected at least 168"),
        ("maintain.transaction_days=1", "maintain.transaction_days"),
    ],
)
def test_a_wrong_setting_is_named_before_any_work(tables, capsys, override, says):
    with pytest.raises(SystemExit) as stop:
        run(tables, [override])

    assert stop.value.code == 2
    assert says in capsys.readouterr().err
