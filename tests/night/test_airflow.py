"""A night under a real Airflow, whose enrich is killed in the middle: tried again, it ends in the same tables."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from deltalake import DeltaTable

from airflow_dags import demo
from benchmarks.same_tables import rows
from tests.night.conftest import DAY, ROOT, Night

pytestmark = pytest.mark.airflow

SMALL = ("sample.products=100", "train.loop.steps=60", "train.augment.copies=1", "enrich.chunk_pairs=100")
"""Of a night whose enrich makes several commits."""
COMPARED = ("predictions", "gates", "decisions", "attributes", "review_queue")


def table(night: Night, name: str) -> DeltaTable:
    return DeltaTable(str(night.folder / "warehouse" / name))


def drivers(conf: Path) -> list[int]:
    """The processes of enrich that were started with a conf file."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        if str(conf).encode() in command and str(ROOT / "jobs" / "enrich.py").encode() in command:
            found.append(int(process.name))
    return found


def test_a_task_that_is_killed_in_the_middle_and_tried_again_ends_in_the_same_tables(tmp_path):
    python = ROOT / ".airflow" / "bin" / "python"
    assert python.exists(), "make airflow first"
    killed, undisturbed = Night(tmp_path / "killed"), Night(tmp_path / "undisturbed")
    made = killed.run(*SMALL, steps=demo.PREPARED)
    assert made.returncode == 0, made.stderr[-4000:]
    shutil.copytree(killed.folder, undisturbed.folder)
    conf = tmp_path / "killed.yaml"
    conf.write_text(yaml.safe_dump(killed.settings(*SMALL)), encoding="utf-8")

    command = [python, "-m", "airflow_dags.demo", "--conf", "conf/local.yaml", "--conf", conf, "--day", DAY]
    command += ["--jobs", sys.prefix, "--home", tmp_path / "airflow", "--night-only"]
    airflow = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"FACETMILL_RETRY_SECONDS": "5"}, stderr=subprocess.PIPE, text=True
    )
    log = killed.folder / "warehouse" / "predictions" / "_delta_log"
    end = time.monotonic() + 900
    while len(list(log.glob("*.json"))) < 3 and time.monotonic() < end and airflow.poll() is None:
        time.sleep(0.2)  # the table's making, and two chunks
    victims = drivers(conf)
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    told = airflow.communicate(timeout=1800)[1]
    again = undisturbed.run(*SMALL, steps=("--plan", "night"))

    assert again.returncode == 0, again.stderr[-4000:]
    assert victims
    assert airflow.returncode == 0, told[-4000:]
    assert "enrich: up_for_retry" in told
    assert "enrich: success, try 2" in told
    assert rows(table(killed, "predictions")).total() > 300
    for name in COMPARED:
        assert rows(table(killed, name)) == rows(table(undisturbed, name)), name
