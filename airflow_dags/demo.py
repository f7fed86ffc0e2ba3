"""Start a real Airflow on SQLite, let it run one night on the sample catalogue to its end, and stop it.

    .airflow/bin/python -m airflow_dags.demo --jobs .venv --day 2026-01-15

The catalogue is drawn and the model trained beforehand by `jobs.nightly`, unless they are there. Ends with 0 where
every task succeeded; else it names the task that failed with the end of its log.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow_dags import plan

NIGHTLY = "facetmill_nightly"
PREPARED = plan.DEMO[: plan.DEMO.index("train") + 1]
"""What there must be before a night."""
START_SECONDS = 300
"""How long Airflow may take to answer, and to know the DAG."""
POLL = 4.0
ENDED = ("success", "failed")
HOME = Path(__file__).resolve().parent.parent


def main(argv: Sequence[str] | None = None) -> None:
    """Prepare, start, trigger, follow, stop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=Path, default=Path(".venv"), help="the environment of the jobs")
    parser.add_argument("--conf", action="append", default=[], metavar="FILE", help="as every job has it")
    parser.add_argument("--day", default="2026-01-15", help="the day of the night, YYYY-MM-DD")
    parser.add_argument(
        "--home", type=Path, default=Path("demo/airflow"), help="where Airflow keeps its database and logs"
    )
    parser.add_argument("--night-only", action="store_true", help="there are a catalogue and a model")
    parser.add_argument("--minutes", type=float, default=60, help="how long the night may take")
    asked = parser.parse_args(argv)
    confs = asked.conf or ["conf/local.yaml"]
    environment = environment_of(asked.jobs.absolute(), asked.home.absolute(), confs)
    if not asked.night_only:
        prepare(environment, confs, asked.day)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that Airflow is stopped, too
    with running(environment, asked.home.absolute()) as api:
        try:
            state = night(api, asked.day, time.monotonic() + asked.minutes * 60)
        except OSError as error:
            state = f"lost, Airflow does not answer ({error}); its output is in {asked.home}/standalone.log"
    say(f"the night: {state}")
    if state != "success":
        sys.exit(last_words(asked.home, asked.day))


def prepare(environment: Mapping[str, str], confs: Sequence[str], day: str) -> None:
    """Draw the catalogue and train the model; what is there is not made again."""
    flags = [part for conf in confs for part in ("--conf", conf)]
    command = [environment["PYSPARK_PYTHON"], "-m", "jobs.nightly", *flags, "--day", day, *PREPARED]
    done = subprocess.run(command, cwd=HOME, env=dict(environment), check=False)  # noqa: S603  # our own job
    if done.returncode:
        sys.exit(done.returncode)


def say(text: str) -> None:
    """One line for whoever waits."""
    print(f"[airflow] {text}", file=sys.stderr, flush=True)  # noqa: T201  # the one place that speaks here


def environment_of(jobs: Path, home: Path, confs: Sequence[str]) -> dict[str, str]:
    """What Airflow and the jobs that it starts find in their environment."""
    [spark] = jobs.glob("lib/python3*/site-packages/pyspark")
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    return os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{spark}/bin:{os.environ['PATH']}",
        "PYTHONPATH": str(HOME),
        # Airflow's environment has a pyspark of its own, without Spark: the launcher would find that one.
        "SPARK_HOME": str(spark),
        "PYSPARK_PYTHON": str(jobs / "bin" / "python"),
        "PYSPARK_DRIVER_PYTHON": str(jobs / "bin" / "python"),
        "SPARK_DRIVER_MEMORY": "2g",
        "SPARK_SUBMIT_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",  # as conf/local.yaml: jobs are short
        "FACETMILL_HOME": str(HOME),
        "FACETMILL_CONF": ":".join(confs),
        "FACETMILL_SCHEDULE": "",  # only the night that we ask for
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_CONN_SPARK_DEFAULT": json.dumps({"conn_type": "spark", "host": "local[2,4]"}),
        "AIRFLOW__CORE__DAGS_FOLDER": str(HOME / "airflow_dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",  # nobody edits them meanwhile
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",  # it listens to this machine alone
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__API__WORKERS": "1",
    }


def free_port() -> int:
    """A port of this machine that nobody listens to."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Api:
    """Airflow's REST API."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.token = ""

    def ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:  # JSON
        """One request; an HTTP error goes through."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}{path}", content, headers, method=method)  # noqa: S310  # http to this machine
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # the same
            return json.loads(answer.read() or b"null")


@contextlib.contextmanager
def running(environment: Mapping[str, str], home: Path) -> Iterator[Api]:
    """Airflow with all its processes while the body runs; its output is in standalone.log."""
    home.mkdir(parents=True, exist_ok=True)
    log = home / "standalone.log"
    say(f"starts; its output is in {log}")
    with log.open("w") as out:
        command = [str(Path(sys.executable).parent / "airflow"), "standalone"]
        airflow = subprocess.Popen(  # noqa: S603  # fixed arguments, no shell
            command,
            cwd=HOME,
            env=dict(environment),
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a group of its own, to be stopped whole
        )
        try:
            api = Api(environment["AIRFLOW__API__BASE_URL"])
            await_answer(api, airflow, log)
            yield api
        finally:
            stop(airflow)


def await_answer(api: Api, airflow: "subprocess.Popen[bytes]", log: Path) -> None:
    """Return when Airflow knows the DAG."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if airflow.poll() is not None:
            break
        with contextlib.suppress(OSError):  # not there yet: refused, or 404 for the DAG
            api.token = api.ask("GET", "/auth/token")["access_token"]
            api.ask("GET", f"/api/v2/dags/{NIGHTLY}")
            return
        time.sleep(POLL)
    sys.exit(f"airflow: found no answer after {START_SECONDS} s, expected one; the end of {log}:\n{tail(log)}")


def stop(airflow: "subprocess.Popen[bytes]") -> None:
    """End all its processes: asked first, then not asked."""
    for sent, seconds in ((signal.SIGTERM, 30), (signal.SIGKILL, 10)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(airflow.pid, sent)
        with contextlib.suppress(subprocess.TimeoutExpired):
            airflow.wait(seconds)
            return


def night(api: Api, day: str, end: float) -> str:
    """Run the night of a day, follow its tasks, and say how it ended."""
    with contextlib.suppress(urllib.error.HTTPError):  # it is there
        api.ask("POST", "/api/v2/pools", {"name": plan.POOL, "slots": 1})
    api.ask("PATCH", f"/api/v2/dags/{NIGHTLY}", {"is_paused": False})
    at = f"{day}T02:00:00Z"
    run = f"/api/v2/dags/{NIGHTLY}/dagRuns/demo__{day}"
    try:
        api.ask("POST", f"/api/v2/dags/{NIGHTLY}/dagRuns", {"dag_run_id": f"demo__{day}", "logical_date": at})
    except urllib.error.HTTPError as error:
        if error.code != 409:
            raise
        api.ask("POST", f"{run}/clear", {"dry_run": False})  # it ran before: the same night once more
    told: dict[str, str] = {}
    while time.monotonic() < end:
        time.sleep(POLL)
        try:
            tasks, state = api.ask("GET", f"{run}/taskInstances")["task_instances"], api.ask("GET", run)["state"]
        except OSError as error:
            if not is_busy(error):
                raise
            continue  # a machine under load: the night goes on all the same
        for task in tasks:
            now = f"{task['state']}" + (f", try {task['try_number']}" if task["try_number"] > 1 else "")
            if task["state"] and told.get(task["task_id"]) != now:
                told[task["task_id"]] = now
                seconds = f" in {task['duration']:.0f} s" if task["state"] in ENDED and task["duration"] else ""
                say(f"{task['task_id']}: {now}{seconds}")
        if state in ENDED:
            return str(state)
    return "not ended in time"


def is_busy(error: OSError) -> bool:
    """Whether Airflow lives and does not get to answering."""
    late = isinstance(error, TimeoutError) or isinstance(getattr(error, "reason", None), TimeoutError)
    return late or (isinstance(error, urllib.error.HTTPError) and error.code >= 500)


def last_words(home: Path, day: str) -> str:
    """The end of the newest task's log, which is JSON a line."""
    logs = list((home / "logs").glob(f"dag_id={NIGHTLY}/run_id=demo__{day}/task_id=*/attempt=*.log"))
    if not logs:
        return "no task ran"
    newest = max(logs, key=lambda log: log.stat().st_mtime)
    events = [str(json.loads(line)["event"]) for line in tail(newest).splitlines() if line.startswith("{")]
    return "\n".join([f"the end of {newest}:", *events])


def tail(path: Path, lines: int = 30) -> str:
    """The end of a file."""
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])


if __name__ == "__main__":
    main()
