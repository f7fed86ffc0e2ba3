"""Enrich on executors of their own, each with a GPU that is only said to be there; one dies at work, a worker dies."""

import os
import shutil
import signal
import subprocess
import threading
import time

import pytest
from deltalake import DeltaTable

from benchmarks import same_tables
from tests.night.conftest import MODEL

pytestmark = pytest.mark.slow  # six sessions, three of them with executors: some minutes

EXECUTOR, WORKER = "CoarseGrainedExecutorBackend", "pyspark.daemon"


@pytest.fixture(scope="module")
def undisturbed(taught, tmp_path_factory):
    """What enrich says on a local master."""
    return enrich(taught, tmp_path_factory.mktemp("local"), ["spark.master=local[2,4]"])


@pytest.fixture
def cluster(tmp_path):
    """A master with two executors that each own GPU 0."""
    script = tmp_path / "gpus.sh"
    script.write_text("""#!/bin/sh\necho '{"name": "gpu", "addresses": ["0"]}'\n""")
    script.chmod(0o755)
    gpus = {f"spark.{who}.resource.gpu.amount": "'1'" for who in ("worker", "executor", "task")}
    gpus |= {f"spark.{who}.resource.gpu.discoveryScript": str(script) for who in ("worker", "executor")}
    told = ", ".join(f"{key}: {value}" for key, value in gpus.items())
    return "spark.master=local-cluster[2,1,1024]", f"spark.confs={{{told}}}"


def enrich(taught, folder, settings):
    """The rows of predictions, asked in a warehouse of its own."""
    shutil.copytree(taught.folder / "warehouse", folder / "warehouse")
    done = taught.run(*MODEL, f"warehouse={folder / 'warehouse'}", *settings, steps=("enrich",))
    assert done.returncode == 0, done.stderr[-4000:]
    return same_tables.rows(DeltaTable(str(folder / "warehouse" / "predictions")))


def below(parent, name):
    """The processes under one whose command line holds a name, parents first."""
    listed = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()[1:]]
    found, ours = [], {parent}
    for _ in range(8):  # as deep as a worker lies
        ours |= {int(pid) for pid, of, _ in rows if int(of) in ours}
    for pid, _, args in rows:
        if int(pid) in ours and name in args:
            found.append(int(pid))
    return sorted(found)


def kill_at_work(name, killed):
    """Once a worker has begun, kill the newest process of a name."""
    while not killed:
        workers = below(os.getpid(), WORKER)
        targets = below(os.getpid(), name)
        if len(workers) > 1 and targets:
            time.sleep(0.5)
            os.kill(targets[-1], signal.SIGKILL)
            killed.append(targets[-1])
        time.sleep(0.1)


def test_executors_answer_what_one_machine_answers(taught, undisturbed, cluster, tmp_path):
    assert enrich(taught, tmp_path, cluster) == undisturbed
    assert sum(undisturbed.values()) > 500


@pytest.mark.parametrize("name", [EXECUTOR, WORKER])
def test_one_that_dies_at_work_costs_time_and_no_row(taught, undisturbed, cluster, tmp_path, name):
    killed: list[int] = []
    threading.Thread(target=kill_at_work, args=(name, killed), daemon=True).start()

    found = enrich(taught, tmp_path, cluster)

    assert killed
    assert found == undisturbed
