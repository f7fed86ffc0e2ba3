"""Enrich by spark-submit on Spark's own standalone master and a worker with a GPU that is only said to be there."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from deltalake import DeltaTable

from benchmarks import same_tables
from tests.night.conftest import DAY, MODEL, Night
from tests.night.test_submit import JARS, ROOT

pytestmark = pytest.mark.slow  # a master, a worker, an executor and two nights' enrich: some minutes

BIN = Path(sys.executable).parent
DEPLOY = "org.apache.spark.deploy"
FOUND = """#!/bin/sh\necho '{"name": "gpu", "addresses": ["0"]}'\n"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def started(what: str, *flags: str, log: Path, says: str) -> subprocess.Popen[bytes]:
    """A part of a standalone cluster, once it says that it is there."""
    environment = os.environ | {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_NO_DAEMONIZE": "1"}
    with log.open("w") as said:
        process = subprocess.Popen(
            [f"{BIN}/spark-class", f"{DEPLOY}.{what}", *flags], env=environment, stdout=said, stderr=said
        )
    for _ in range(120):
        if says in log.read_text():
            return process
        assert process.poll() is None, log.read_text()[-3000:]
        time.sleep(0.5)
    process.kill()
    raise AssertionError(log.read_text()[-3000:])


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In place of conf/gpus.sh, which asks nvidia-smi."""
    made: Path = tmp_path_factory.mktemp("gpus") / "gpus.sh"
    made.write_text(FOUND)
    made.chmod(0o755)
    return made


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory, script: Path) -> Iterator[str]:
    """The address of a master with one worker of four cores and GPU 0."""
    folder, port = tmp_path_factory.mktemp("cluster"), free_port()
    address = f"spark://127.0.0.1:{port}"
    own = folder / "worker.conf"
    own.write_text(f"spark.worker.resource.gpu.amount 1\nspark.worker.resource.gpu.discoveryScript {script}\n")
    flags = ["--host", "127.0.0.1", "--webui-port", "0"]
    said = folder / "master.log", folder / "worker.log"
    processes = [started("master.Master", *flags, "--port", str(port), log=said[0], says="I have been elected leader")]
    size = ["--cores", "4", "--memory", "1g", "--work-dir", str(folder / "work"), "--properties-file", str(own)]
    processes.append(
        started("worker.Worker", *flags, *size, address, log=said[1], says="Successfully registered with master")
    )
    yield address
    for process in reversed(processes):
        process.terminate()
        process.wait(timeout=30)


def submit(taught: Night, warehouse: Path, *flags: str) -> str:
    """Enrich in a warehouse of its own, as an operator submits it; what was said."""
    own = {**taught.own(), "warehouse": warehouse}
    sets = [*(f"{key}={value}" for key, value in own.items()), *MODEL]
    command = [f"{BIN}/spark-submit", "--jars", ",".join(JARS), *flags, "--day", DAY]
    command += [part for pair in sets for part in ("--set", pair)]
    environment = os.environ | {"PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def test_a_standalone_cluster_answers_what_one_machine_answers_on_the_gpu_of_its_worker(
    taught, master, script, tmp_path
):
    for name in ("local", "cluster"):
        shutil.copytree(taught.folder / "warehouse", tmp_path / name)
    submit(taught, tmp_path / "local", "jobs/enrich.py", "--conf", "conf/local.yaml")
    gpus = [
        "--set",
        f"spark.confs={{spark.executor.resource.gpu.discoveryScript: {script}, spark.executor.memory: 768m, "
        "spark.executor.memoryOverhead: 1g}",
    ]
    on_cluster = ["--master", master, "--conf", "spark.driver.host=127.0.0.1"]

    said = submit(
        taught,
        tmp_path / "cluster",
        *on_cluster,
        *("--conf", f"spark.executorEnv.PYTHONPATH={ROOT}"),
        *("jobs/enrich.py", "--conf", "conf/local.yaml", "--conf", "conf/gpu.yaml", *gpus),
    )

    assert re.search(r"chunk \d of \d has landed", said)
    found, wanted = (
        same_tables.rows(DeltaTable(str(tmp_path / name / "predictions"))) for name in ("cluster", "local")
    )
    assert found == wanted
    assert sum(found.values()) > 500
