"""The demo's Airflow: the right Spark, a port of its own, and no process left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from email.message import Message
from pathlib import Path
from urllib.error import HTTPError, URLError

import pytest

from airflow_dags import demo, plan


def is_alive(process: Path) -> bool:
    try:
        return "\nState:\tZ" not in (process / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_jobs_find_their_own_spark_and_python_and_their_conf(tmp_path):
    found = demo.environment_of(Path(sys.prefix), tmp_path, ["conf/local.yaml", "mine.yaml"])

    assert (Path(found["SPARK_HOME"]) / "bin" / "spark-submit").is_file()
    assert found["PATH"].split(":")[1] == f"{found['SPARK_HOME']}/bin"
    assert found["PYSPARK_PYTHON"] == f"{sys.prefix}/bin/python"
    assert found["FACETMILL_CONF"] == "conf/local.yaml:mine.yaml"
    assert found["AIRFLOW__API__BASE_URL"].endswith(f":{found['AIRFLOW__API__PORT']}")
    assert found["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"].startswith(found["AIRFLOW__API__BASE_URL"])


def test_what_a_night_needs_is_prepared_before_it():
    assert demo.PREPARED[-2:] == plan.steps(plan.TRAINING, "")
    assert "enrich" not in demo.PREPARED


def test_stopping_ends_every_process_of_the_group(tmp_path):
    group = subprocess.Popen(["bash", "-c", f"sleep 100 & echo $! > {tmp_path}/child; wait"], start_new_session=True)
    told = tmp_path / "child"
    while not told.exists() or not told.read_text().strip():
        time.sleep(0.01)
    child = Path("/proc") / told.read_text().strip()

    demo.stop(group)

    assert group.returncode == -signal.SIGTERM
    end = time.monotonic() + 5
    while is_alive(child) and time.monotonic() < end:
        time.sleep(0.01)
    assert not is_alive(child)


@pytest.mark.parametrize(
    ("error", "is_busy"),
    [
        (TimeoutError("timed out"), True),
        (URLError(TimeoutError("timed out")), True),
        (HTTPError("http://x", 503, "busy", Message(), None), True),
        (HTTPError("http://x", 404, "nobody", Message(), None), False),
        (URLError(ConnectionRefusedError()), False),  # it has ended
    ],
)
def test_an_airflow_that_is_late_is_waited_for_and_one_that_ended_is_not(error, is_busy):
    assert demo.is_busy(error) is is_busy


def test_the_newest_tasks_last_words_are_told(tmp_path):
    for task, word, age in (("ingest", "fine", 100), ("enrich", "enrich: model facetmill: found none", 0)):
        log = tmp_path / f"logs/dag_id={demo.NIGHTLY}/run_id=demo__2026-01-15/task_id={task}/attempt=1.log"
        log.parent.mkdir(parents=True)
        log.write_text(json.dumps({"event": word}) + "\n")
        os.utime(log, (time.time() - age,) * 2)

    told = demo.last_words(tmp_path, "2026-01-15")

    assert told.endswith("task_id=enrich/attempt=1.log:\nenrich: model facetmill: found none")
    assert demo.last_words(tmp_path, "2026-01-16") == "no task ran"
