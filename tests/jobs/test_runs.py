"""What every job does around its own work: one clear message of whatever somebody can mend, wherever it was raised."""

import pytest
from pyspark.errors import PySparkException

from extractor.errors import ContractError
from jobs import runs
from tests.jobs.shelf import settings

TRACE = 'Traceback (most recent call last):\n  File "x.py", line 1, in read\n'
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
