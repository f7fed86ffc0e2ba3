"""Where runs stand: ends as the run book has them, plans held against the commits that landed."""

from datetime import UTC, date, datetime, timedelta

from jobs import chunks, status, working
from schemas.chunks import CHUNKS
from schemas.predictions import PREDICTIONS
from schemas.runs import RUNS

DAY = date(2026, 1, 15)
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
DEAD, DONE = "enrich-2026-01-15-a", "enrich-2026-01-15-b"


def run(name, job, change=None):
    return {
        "run_id": name, "job": job, "day": DAY, "code_version": "1", "config": "{}", "inputs": [], "counts": [],
        "model_calls": 0, "status": "succeeded", "started_at": NOON, "finished_at": NOON, "seconds": 61.4,
    } | (change or {})  # fmt: skip


def chunk(run_id, chunk_id, *, commit, at=NOON):
    return {
        "run_id": run_id, "chunk_id": chunk_id, "model_version": "facetmill/3", "num_pairs": 1000, "text_bytes": 1,
        "commit": commit, "day": DAY, "planned_at": at,
    }  # fmt: skip


def test_a_day_without_runs(tables):
    assert list(status.status(tables, DAY, now=NOON)) == ["no run of 2026-01-15 has ended yet"]


def test_a_dead_run_and_the_one_that_went_on(tables):
    later = NOON + timedelta(hours=1)
    rows = [chunk(DEAD, 0, commit=1), chunk(DEAD, 1, commit=2), chunk(DONE, 0, commit=2, at=later)]
    tables.append(tables.rows(rows, CHUNKS), CHUNKS, txn="plans")
    for run_id, after in ((DEAD, 0), (DONE, 1)):
        note = chunks.note(run_id, 0)
        tables.append_next(tables.rows([], PREDICTIONS), PREDICTIONS, stream="s", after=after, note=note)
    ended = [
        run("ingest-1", "ingest", {"status": "failed", "reason": "no file"}),
        run(DONE, "enrich", {"started_at": later, "counts": [("predicted", 1000)]}),
        run("other", "ingest", {"day": date(2026, 1, 14)}),
    ]
    tables.append(tables.rows(ended, RUNS), RUNS, txn="runs")
    now = datetime.now(UTC)

    first, second, dead, done = status.status(tables, DAY, now=now)

    assert first == "2026-01-15 12:00:00 ingest, 61 s, failed: no file"
    assert second == "2026-01-15 13:00:00 enrich, 61 s, succeeded; predicted 1,000"
    assert dead.startswith(f"{DEAD}, facetmill/3: 1 of 2 chunks, 1,000 of 2,000 pairs; the last landed ")
    assert dead.endswith(" s ago; no end in the run book: at work, or dead")
    assert done.startswith(f"{DONE}, facetmill/3: 1 of 1 chunks, 1,000 of 1,000 pairs; the last landed ")
    assert done.endswith("; succeeded")


def test_who_is_at_work_and_who_fell_silent_but_none_that_has_ended(tables):
    tables.append(tables.rows([run(DONE, "enrich")], RUNS), RUNS, txn="runs")
    now = datetime.now(UTC)
    with (
        working.shown(tables.spark, tables.root, DEAD, NOON),
        working.shown(tables.spark, tables.root, DONE, NOON),
    ):
        [alive] = status.at_work(tables, now=now)
        [silent] = status.at_work(tables, now=now + timedelta(hours=1))

    assert alive.startswith(f"{DEAD} on ")
    assert "since 2026-01-15 12:00:00, last sign " in alive
    assert alive.endswith(" s ago: at work")
    assert silent.endswith(" s ago: dead, or paused: run it again")
    assert list(status.at_work(tables, now=now)) == []
