"""Where the runs of a day stand: what the run book says, and which chunks of answers have landed.

    python -m jobs.status --conf conf/local.yaml --day 2026-01-15

Then the runs that have begun and not ended, since when and with their last sign, and on S3 who leases which table. A
run of enrich or backfill that died goes on behind its last commit when it is started again. Nothing is written.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import groupby

from pyspark.sql import Row
from pyspark.sql import functions as F

from extractor.errors import CatalogError
from jobs import chunks, cli, progress, s3, working
from jobs.config import Conf
from jobs.lease import Leases
from jobs.session import open_session
from jobs.tables import Tables
from schemas.chunks import CHUNKS
from schemas.predictions import PREDICTIONS
from schemas.runs import RUNS

SILENT = 3 * working.EVERY
"""Seconds after which a run without a sign counts as dead."""


def main(argv: Sequence[str] | None = None) -> None:
    """Print."""
    try:
        command = cli.parse("status", argv, doc=__doc__)
        s3.announce(command.conf.s3)
        tables = Tables(open_session("status", command.conf.spark), command.conf.warehouse)
        now = datetime.now(UTC)
        for line in (*status(tables, command.day, now=now), *at_work(tables, now=now), *leased(command.conf)):
            progress.say("status", line)
    except CatalogError as error:
        progress.say("status", str(error))
        raise SystemExit(2) from error


def status(tables: Tables, day: date, *, now: datetime) -> Iterator[str]:
    """The runs of a day that have ended, then the plans of enrich and backfill, each in the order of their starts."""
    ended = tables.read_or_empty(RUNS).where(F.col("day") == day).orderBy("started_at").collect()
    if not ended:
        yield f"no run of {day} has ended yet"
    yield from map(_told, ended)
    planned = tables.read_or_empty(CHUNKS).where(F.col("day") == day)
    landed = tables.notes(PREDICTIONS)
    states = {run.run_id: run.status for run in ended}
    for run_id, plan in groupby(planned.orderBy("planned_at", "run_id", "chunk_id").collect(), lambda row: row.run_id):
        yield _progress(list(plan), landed, states.get(run_id), now)


def at_work(tables: Tables, *, now: datetime) -> Iterator[str]:
    """The runs of any day that have begun and not ended."""
    begun = working.signs(tables.spark, tables.root)
    booked = tables.read_or_empty(RUNS).where(F.col("run_id").isin([sign.run_id for sign in begun])).select("run_id")
    ended = {row.run_id for row in booked.collect()}
    for sign in begun:
        if sign.run_id not in ended:
            silent = (now - sign.seen_at).total_seconds()
            state = "at work" if silent < SILENT else "dead, or paused: run it again"
            since = f"since {sign.started_at:%Y-%m-%d %H:%M:%S}, last sign {silent:,.0f} s ago"
            yield f"{sign.run_id} on {sign.where}, {since}: {state}"


def leased(conf: Conf) -> Iterator[str]:
    """Who writes to which table, where the warehouse lies on S3."""
    if s3.is_on_s3(conf.warehouse):
        leases = Leases(conf.s3, conf.warehouse, "status", lambda text: progress.say("status", text))
        for table, seen in leases.held_by_anybody():
            yield f"table {table} is leased by {seen.owner}, renewed {seen.age:.0f} s ago, for {seen.seconds:.0f} s"


def _told(run: Row) -> str:
    counts = ", ".join(f"{name} {count:,}" for name, count in run.counts.items())
    after = f": {run.reason}" if run.reason else f"; {counts}" if counts else ""
    return f"{run.started_at:%Y-%m-%d %H:%M:%S} {run.job}, {run.seconds:,.0f} s, {run.status}{after}"


def _progress(plan: Sequence[Row], landed: dict[str, datetime], ended: str | None, now: datetime) -> str:
    """`enrich-..., facetmill/3: 7 of 20 chunks, 350,000 of 1,000,000 pairs; the last landed 40 s ago; ...`."""
    at = {row.chunk_id: landed.get(chunks.note(row.run_id, row.chunk_id)) for row in plan}
    done = [row for row in plan if at[row.chunk_id]]
    pairs = f"{sum(row.num_pairs for row in done):,} of {sum(row.num_pairs for row in plan):,} pairs"
    said = [f"{plan[0].run_id}, {plan[0].model_version}: {len(done)} of {len(plan)} chunks, {pairs}"]
    last = max((time for time in at.values() if time), default=None)
    if last is not None:
        said.append(f"the last landed {(now - last.astimezone(UTC)).total_seconds():,.0f} s ago")
    said.append(ended or "no end in the run book: at work, or dead")
    return "; ".join(said)


if __name__ == "__main__":
    main()
