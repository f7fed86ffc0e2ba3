"""What every job does around its own work: parse, open Spark, keep the run book, fail with one clear message."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from importlib import import_module
from uuid import uuid4

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from extractor.errors import CatalogError
from jobs import cli, config, credentials, progress, revision, s3, trouble, working
from jobs.lease import Leases
from jobs.session import open_session
from jobs.tables import Tables
from schemas.enums import RunStatus
from schemas.runs import RUNS


@dataclass(kw_only=True)
class Job:
    """One execution of a job: what it was told, the doors it may use, and what it will tell the run book."""

    name: str
    id: str
    day: date
    conf: config.Conf
    spark: SparkSession
    tables: Tables
    started_at: datetime
    counts: dict[str, int] = field(default_factory=dict)
    """What came in and went out, by name."""
    model_version: str | None = None
    model_calls: int = 0
    """Pairs that a model was asked."""
    model_seconds: float = 0.0
    """That it computed, of all workers together."""
    quarantined: Counter[str] = field(default_factory=Counter)
    """Rows that this run refused, by the first word of the reason."""

    def say(self, text: str, **fields: object) -> None:
        """Tell the operator."""
        progress.say(self.name, text, **fields)


def succeeded(book: DataFrame, job: str) -> DataFrame:
    """The runs of a job that ended well, of the run book."""
    return book.where((F.col("job") == job) & (F.col("status") == RunStatus.SUCCEEDED))


@contextmanager
def job(
    name: str, argv: Sequence[str] | None, *, doc: str | None, shorthands: Mapping[str, str] | None = None
) -> Iterator[Job]:
    """Run a job's body; an error that somebody can mend ends it with one line and exit code 2, nothing half written."""
    try:
        command = cli.parse(name, argv, doc=doc, shorthands=shorthands)
        s3.announce(command.conf.s3)
        spark = open_session(name, command.conf.spark)
        tables = Tables(spark, command.conf.warehouse)
        now = datetime.now(UTC)
        started = max(now, after_others(tables))
    except CatalogError as error:
        raise _stop(name, error) from error
    revision.code_version()  # asked now and kept: a checkout may move on while the job runs
    run_id = f"{name}-{command.day}-{started:%Y%m%dT%H%M%S}-{uuid4().hex[:6]}"
    tables.leases = _leases(command.conf, run_id, partial(progress.say, name))
    running = Job(
        name=name, id=run_id, day=command.day, conf=command.conf, spark=spark, tables=tables, started_at=started
    )
    if command.conf.log_format == "json":
        progress.as_json(run_id=running.id, day=running.day)
    else:
        progress.as_json()
    if started > now:
        running.say(f"this machine's clock is {started - now} behind the last run: this one is dated after it")
    clock = time.monotonic()
    try:
        at_work = working.shown(spark, tables.root, run_id, started)
        with at_work, progress.alive(name, partial(_at_work, spark)):
            yield running
            _record(running, clock, RunStatus.SUCCEEDED, None)
            if command.conf.registry.log_runs:
                tell_mlflow(running, time.monotonic() - clock)
    except CatalogError as error:
        _record_failure(running, clock, str(error))
        raise _stop(name, error) from error
    except trouble.ERRORS as error:
        said = s3.problem(error) or trouble.problem(error) or said_by_worker(error)
        _record_failure(running, clock, str(said or error)[:1000])
        if said is None:
            raise
        raise _stop(name, said) from error
    counts = ", ".join(f"{key} {value:,}" for key, value in running.counts.items())
    running.say(f"done in {time.monotonic() - clock:.1f} s" + (f": {counts}" if counts else ""))


def after_others(tables: Tables) -> datetime:
    """A moment after the start of every run in the book: whatever the clock, what is newer must look newer.

    Gates, decisions and switches are ordered by the starts of their runs. Where the book cannot be read the job's own
    work says why, but for S3: who cannot reach it cannot work.
    """
    try:
        last = tables.read_or_empty(RUNS).agg(F.max("started_at").alias("last")).collect()[0].last
    except (CatalogError, *trouble.ERRORS) as error:
        if said := s3.problem(error):
            raise said from error
        last = None
    finally:
        tables.versions.pop(RUNS.name, None)  # what a run read is what its work read
    return datetime.min.replace(tzinfo=UTC) if last is None else _utc(last) + timedelta(milliseconds=1)


def _utc(moment: datetime) -> datetime:
    """Spark collects times without a zone, in the machine's own."""
    return moment.astimezone(UTC)


def _leases(conf: config.Conf, owner: str, say: Callable[[str], None]) -> Leases | None:
    """What this run writes to S3 under; a warehouse elsewhere needs none."""
    return Leases(conf.s3, conf.warehouse, owner, say) if s3.is_on_s3(conf.warehouse) else None


def _at_work(spark: SparkSession) -> str:
    """The Spark stages that run now, with their tasks; empty between them."""
    tracker = spark.sparkContext.statusTracker()
    stages = [stage for at in tracker.getActiveStageIds() if (stage := tracker.getStageInfo(at)) is not None]
    if not stages:
        return ""
    done, num = sum(stage.numCompletedTasks for stage in stages), sum(stage.numTasks for stage in stages)
    return f", {done:,} of {num:,} tasks of {', '.join(stage.name for stage in stages)}"


def said_by_worker(error: Exception) -> str | None:
    """What an error of ours said on an executor, whence it arrives within a stack trace; None for any other error."""
    _, is_ours, last = str(error).rpartition(f"\n{CatalogError.__module__}.")
    line, _, rest = last.partition("\n")
    return line.partition(": ")[2] if is_ours and "\nTraceback" not in rest else None


def _stop(name: str, error: CatalogError | str) -> SystemExit:
    progress.say(name, credentials.redacted(str(error)), failed=True)
    return SystemExit(2)


def _record_failure(job: Job, clock: float, reason: str) -> None:
    """Write the run book, unless what failed is where it lies: the operator must hear of the first failure."""
    try:
        _record(job, clock, RunStatus.FAILED, reason)
    except (CatalogError, *trouble.ERRORS) as error:
        job.say(f"the run book could not be written either ({type(error).__name__})")


def _record(job: Job, clock: float, status: RunStatus, reason: str | None) -> None:
    """Write the run book; one row a run, by the run's own id."""
    row = {
        "run_id": job.id,
        "job": job.name,
        "day": job.day,
        "code_version": revision.code_version(),
        "config": config.as_json(job.conf),
        "model_version": job.model_version,
        "inputs": list(job.tables.versions.items()),
        "counts": list(job.counts.items()),
        "model_calls": job.model_calls,
        "status": str(status),
        "reason": None if reason is None else credentials.redacted(reason),
        "started_at": job.started_at,
        "finished_at": datetime.now(UTC),
        "seconds": time.monotonic() - clock,
    }
    job.tables.append(job.tables.rows([row], RUNS), RUNS, txn=job.id)


def metrics(job: Job, seconds: float) -> dict[str, float]:
    """A run in figures: all counts, speed, the model's seconds, the share of unknown answers, refused rows."""
    found = {name: float(num) for name, num in job.counts.items()} | {"seconds": seconds}
    found |= {f"quarantined.{reason}": float(num) for reason, num in job.quarantined.items()}
    rows = job.counts.get("products", job.counts.get("rows"))
    if rows is not None and seconds > 0:
        found["products_a_second"] = rows / seconds
    if job.model_calls:
        found |= {"model_calls": job.model_calls, "model_seconds": job.model_seconds}
    asked = job.counts.get("predicted", job.counts.get("requested", 0))
    if asked and "unknown" in job.counts:
        found["unknown_rate"] = job.counts["unknown"] / asked
    return found


def tell_mlflow(job: Job, seconds: float) -> None:
    """Write a run's figures to MLflow, beside the trainings; the run book has them already, so a failure is a line."""
    conf = job.conf.registry
    registry = import_module("jobs.registry")  # mlflow takes seconds to import: not before the work is done
    try:
        where = registry.connect(conf.tracking_uri, f"{conf.experiment}-runs", artifacts_root=conf.artifacts)
        tags = {"run_id": job.id, "day": str(job.day), "model_version": job.model_version or ""}
        where.log(job.name, params={}, history=[], metrics=metrics(job, seconds), tags=tags)
    except CatalogError as error:
        job.say(f"MLflow has no figures of this run, the run book has: {credentials.redacted(str(error))[:300]}")
