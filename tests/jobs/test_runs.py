"""What every job does around its own work: one clear message of whatever somebody can mend, wherever it was raised."""

import errno
from datetime import UTC, datetime, timedelta

import pytest
from py4j.protocol import Py4JNetworkError
from pyspark.errors import PySparkException

from extractor.errors import ContractError
from jobs import runs, trouble, working
from schemas.runs import RUNS
from tests.jobs.shelf import published, settings

TRACE = 'Traceback (most recent call last):\n  File "x.py", line 1, in read\n'
NOBODY = "registry.tracking_uri=http://127.0.0.1:9"
OURS = f"An exception was thrown from the Python worker:\n{TRACE}extractor.errors.BackendError: OCR: no account"


@pytest.mark.parametrize(
    ("trace", "said"),
    [
        (OURS, "OCR: no account"),
        (f"{OURS}\n SQLSTATE: 38000\n\tat org.apache.spark.api.python", "OCR: no account"),  # as a write tells it
        (f"{OURS}\n\nDuring handling of the above exception, another one occurred:\n\n{TRACE}KeyError: 'a'", None),
        (f"{TRACE}ZeroDivisionError: division by zero", None),
    ],
)
def test_what_an_error_of_ours_said_on_an_executor_is_found_and_no_bug_is_hidden(trace, said):
    assert runs.said_by_worker(PySparkException(trace)) == said


def test_the_first_failure_is_told_where_the_run_book_cannot_be_written_either(spark, tmp_path, capsys):
    (tmp_path / "warehouse").write_text("a file where a folder should be")
    told = ContractError("feed", "nothing", "something")

    def work() -> None:
        with runs.job("ingest", settings(tmp_path), doc=None):
            raise told

    with pytest.raises(SystemExit) as stop:
        work()

    said = capsys.readouterr().err
    assert stop.value.code == 2
    assert "[ingest] the run book could not be written either (" in said
    assert said.endswith("[ingest] feed: found nothing, expected something\n")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, "x", "/w/a"), "disk: No space left on device (/w/a); make room and run again"),
        (
            PySparkException(
                "Job aborted.\njava.io.FileNotFoundException: /w/_delta_log/1.json (Read-only file system)"
            ),
            "disk: Read-only file system (/w/_delta_log/1.json); let it be written",
        ),
        (
            PySparkException("java.io.IOException: Mkdirs failed to create file:/w/t/_delta_log (exists=false"),
            "disk: cannot write /w/t/_delta_log: read-only, or not ours?",
        ),
        (
            Py4JNetworkError("Answer from Java side is empty"),
            "Spark: an answer of the driver's JVM was lost; run again",
        ),
    ],
)
def test_what_the_platform_did_is_told_in_a_line(spark, error, says):
    assert str(trouble.problem(error)).startswith(says)


@pytest.mark.parametrize("error", [PySparkException("division by zero"), FileNotFoundError(errno.ENOENT, "x", "y")])
def test_what_may_be_a_bug_keeps_its_trace(error):
    assert trouble.problem(error) is None


def test_a_run_on_a_machine_whose_clock_was_set_back_is_dated_after_the_last_one(tables, tmp_path, capsys):
    ahead = datetime.now(UTC) + timedelta(days=1)
    tables.append(tables.rows([published("7", ahead)], RUNS), RUNS, txn="ahead")

    with runs.job("ingest", settings(tmp_path), doc=None) as job:
        pass

    assert job.started_at > ahead
    assert job.id.startswith(f"ingest-2026-01-15-{ahead:%Y%m%dT%H}")
    assert "[ingest] this machine's clock is 23:59:" in capsys.readouterr().err


def test_figures_of_a_run_are_its_counts_its_speed_and_its_shares(spark, tmp_path):
    with runs.job("enrich", settings(tmp_path), doc=None) as job:
        job.counts |= {"products": 50, "predicted": 200, "unknown": 20}
        job.model_calls, job.model_seconds = 200, 4.0
        job.quarantined["title"] = 3

    found = runs.metrics(job, 10.0)

    assert {name: found[name] for name in found if name not in job.counts} == {
        "seconds": 10.0, "products_a_second": 5.0, "model_calls": 200, "model_seconds": 4.0, "unknown_rate": 0.1,
        "quarantined.title": 3.0,
    }  # fmt: skip


def test_a_run_whose_figures_mlflow_does_not_take_ends_well_and_says_so(spark, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    with runs.job("ingest", settings(tmp_path, "registry.log_runs=true", NOBODY), doc=None) as job:
        job.counts["rows"] = 1

    said = capsys.readouterr().err
    assert "[ingest] MLflow has no figures of this run, the run book has: MLflow: " in said
    assert "[ingest] done in " in said


def test_a_run_is_seen_at_work_and_no_more_when_it_has_ended(spark, tmp_path):
    with runs.job("ingest", settings(tmp_path), doc=None) as job:
        seen = working.signs(spark, job.tables.root)

    assert [(sign.run_id, sign.started_at) for sign in seen] == [(job.id, job.started_at)]
    assert working.signs(spark, job.tables.root) == []
