"""What every job does around its own work: parse, open Spark, keep the run book, fail with one clear message."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from uuid import uuid4

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from extractor.errors import CatalogError
from jobs import cli, config, credentials, progress, revision, s3
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

    def say(self, text: str, **fields: object) -> None:
        """Tell the operator."""
        progress.say(self.name, text, **fields)


@contextmanager
def job(
    name: str, argv: Sequence[str] | None, *, doc: str | None, shorthands: Mapping[str, str] | None = None
) -> Iterator[Job]:
    """Run a job's body; an error that somebody can mend ends it with one line and exit code 2, nothing half written."""
    try:
        command = cli.parse(name, argv, doc=doc, shorthands=shorthands)
        s3.announce(command.conf.s3)
        spark = open_session(name, command.conf.spark)
    except CatalogError as error:
        raise _stop(name, error) from error
    started = datetime.now(UTC)
    revision.code_version()  # asked now and kept: a checkout may move on while the job runs
    run_id = f"{name}-{command.day}-{started:%Y%m%dT%H%M%S}-{uuid4().hex[:6]}"
    running = Job(
        name=name,
        id=run_id,
        day=command.day,
        conf=command.conf,
        spark=spark,
        tables=Tables(spark, command.conf.warehouse, _leases(command.conf, run_id, partial(progress.say, name))),
        started_at=started,
    )
    if command.conf.log_format == "json":
        progress.as_json(run_id=running.id, day=running.day)
    else:
        progress.as_json()
    clock = time.monotonic()
    try:
        with progress.alive(name, partial(_at_work, spark)):
            yield running
            _record(running, clock, RunStatus.SUCCEEDED, None)
    except CatalogError as error:
        _record_failure(running, clock, str(error))
        raise _stop(name, error) from error
    except (PySparkException, Py4JJavaError) as error:
        said = s3.problem(error) or said_by_worker(error)
        _record_failure(running, clock, str(said or error)[:1000])
        if said is None:
            raise
        raise _stop(name, said) from error
    counts = ", ".join(f"{key} {value:,}" for key, value in running.counts.items())
    running.say(f"done in {time.monotonic() - clock:.1f} s" + (f": {counts}" if counts else ""))


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


def said_by_worker(error: PySparkException | Py4JJavaError) -> str | None:
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
    except (CatalogError, PySparkException, Py4JJavaError) as error:
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
