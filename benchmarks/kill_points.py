"""Kill every job of a night at each of its writes, start it again, and hold the tables against an undisturbed night.

    python -m benchmarks.kill_points --out benchmarks/results/kill_points.json
    python -m benchmarks.kill_points --jobs enrich publish --moments during
    python -m benchmarks.kill_points --chain

A night of Word Matching on a small catalogue of readings runs once undisturbed, job by job, and lists its writes. Then,
for each job, each write and each moment (before the first, in the middle of each, after each), the job is run on a copy
of the warehouse as it was before that job, dies there with all its processes (benchmarks/dying.py), is started again,
and what it leaves is compared row by row with what the undisturbed job left: rows lost, rows double, answers kept. Just
before a write is just after the one before it.

--chain kills one job again and again: in the middle of its first write, after it, in the middle of the next start's
second write, and so on until it comes to its end. That is quicker, and says less of where something went wrong.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from deltalake import DeltaTable

from benchmarks import dying, same_tables
from benchmarks.dying import AFTER, BEFORE, DURING, MOMENTS
from schemas.catalogue import WAREHOUSE

JOBS = ("ingest", "label", "train", "enrich", "calibrate", "publish", "verify", "maintain")
DAY = "2026-01-15"
RELOCATE = (
    "UPDATE runs SET artifact_uri = replace(artifact_uri, ?, ?)",
    "UPDATE experiments SET artifact_location = replace(artifact_location, ?, ?)",
    "UPDATE model_versions SET source = replace(source, ?, ?)",
)
MOST_WRITES = 50
"""A chain that has not come to its end by then never will."""
BOOKS = {"runs", "chunks"}
"""What says how work was done, not what came of it."""


class Point(NamedTuple):
    """Where a job is killed."""

    job: str
    number: int
    write: str
    moment: str


def main() -> None:
    """Run it all, print the matrix, write it; exit with 1 if any table differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=list(JOBS))
    parser.add_argument("--moments", nargs="+", choices=MOMENTS, default=list(MOMENTS))
    parser.add_argument("--chain", action="store_true", help="one trial a job, killed at every write in turn")
    parser.add_argument("--products", type=int, default=60)
    parser.add_argument("--out", type=Path, default=None, help="JSON file of the matrix")
    asked = parser.parse_args()
    for job in ("sample", *JOBS):
        import_module(f"jobs.{job}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        night = Night(Path(folder), asked.products)
        points = list(night.play(asked.jobs, asked.moments))
        print(f"{len(points)} points", flush=True)
        rows = []
        for row in map(night.chain, asked.jobs) if asked.chain else map(night.trial, points):
            rows.append(row)
            print(json.dumps(row), flush=True)
    bad = [row for row in rows if row["lost"] or row["double"] or row["problem"]]
    found = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "data": f"{asked.products} drawn products as readings, Word Matching, five chunks or so",
        "points": len(rows),
        "differ": len(bad),
        "seconds": round(time.monotonic() - began),
        "rows": rows,
    }
    if asked.out is not None:
        asked.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print("\n".join(markdown(rows)))
    raise SystemExit(1 if bad else 0)


class Night:
    """An undisturbed night, with a copy of its state before and after each job."""

    def __init__(self, folder: Path, products: int) -> None:
        self.folder, self.products = folder, products
        self.known: dict[str, dict[str, Counter[str]]] = {}
        """Job to table to rows after it."""

    def argv(self, home: Path) -> list[str]:
        """Settings of a night whose state lies in `home`; the catalogue is shared."""
        drawn = self.folder / "drawn"
        own = {
            "warehouse": home / "warehouse",
            "sample.out": drawn / "catalogue",
            "sample.truth": drawn / "truth",
            "sample.products": self.products,
            "sample.features_only": "true",
            "sample.odd": "true",
            "ingest.products.path": drawn / "catalogue" / "products*.jsonl",
            "ingest.definitions.path": drawn / "catalogue" / "definitions.yaml",
            "ingest.image_texts.path": drawn / "catalogue" / "image_texts",
            "ingest.image_texts.ocr_schema": "drawn-ocr",
            "ingest.image_features.path": drawn / "catalogue" / "image_features",
            "ingest.image_features.feature_schema": "drawn-features",
            "read_images.root": drawn / "catalogue" / "pictures",
            "read_images.enabled": "false",
            "train.folder": home / "training",
            "registry.tracking_uri": f"sqlite:///{home}/mlflow.db",
            "registry.artifacts": home / "mlflow",
            "model.name": "word_matching",
            "enrich.chunk_pairs": 80,
            "calibrate.min_judged": 2,
            "calibrate.prior_strength": 1.0,
        }
        flags = [part for key, value in own.items() for part in ("--set", f"{key}={value}")]
        return ["--conf", "conf/local.yaml", "--conf", "conf/test.yaml", "--day", DAY, *flags]

    def play(self, jobs: Sequence[str], moments: Sequence[str]) -> Iterator[Point]:
        """Run the jobs one after another; the points at which some of them can be killed."""
        home = self.folder / "home"
        run("sample", self.argv(home))
        for job in JOBS:
            if home.exists():
                shutil.copytree(home, self.folder / f"before-{job}")
            else:
                home.mkdir()
                (self.folder / f"before-{job}").mkdir()
            listed = self.folder / f"{job}.json"
            run(job, self.argv(home), writes=listed)
            self.known[job] = contents(home / "warehouse")
            print(f"{job}: {listed.read_text()}", flush=True)
            if job in jobs:
                for number, write in enumerate(json.loads(listed.read_text())):
                    at = [moment for moment in moments if moment != BEFORE or number == 0]
                    yield from (Point(job, number, write, moment) for moment in at)

    def trial(self, point: Point) -> dict[str, Any]:
        """Kill, start again, compare."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            home = Path(folder) / "home"
            shutil.copytree(self.folder / f"before-{point.job}", home)
            relocate(home, self.folder / "home")
            killed = run(point.job, self.argv(home), at=f"{point.number}:{point.moment}", may_die=True)
            calls = answers(home / "warehouse")
            again = run(point.job, self.argv(home), may_die=True)
            problem = "" if killed.code == -signal.SIGKILL else f"was to die, ended with {killed.code}"
            problem = problem if again.code == 0 else f"did not go on: {again.told[-300:]}"
            return point._asdict() | {"answers_kept": calls, **self.compared(point.job, home), "problem": problem}

    def chain(self, job: str) -> dict[str, Any]:
        """Kill one job at every write in turn, until it comes to its end; compare."""
        kills, number, problem = [], 0, ""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            home = Path(folder) / "home"
            shutil.copytree(self.folder / f"before-{job}", home)
            relocate(home, self.folder / "home")
            done = Done(-signal.SIGKILL, "")
            while done.code == -signal.SIGKILL and number < MOST_WRITES:
                for moment in (DURING, AFTER):
                    kept = answers(home / "warehouse")
                    done = run(job, self.argv(home), at=f"{number}:{moment}", may_die=True)
                    if done.code != -signal.SIGKILL:
                        break
                    kills.append({"write": number, "moment": moment, "answers_before": kept})
                number += 1
            if done.code:
                problem = f"did not come to its end: {done.code} {done.told[-300:]}"
            return {"job": job, "kills": len(kills), "at": kills, **self.compared(job, home), "problem": problem}

    def compared(self, job: str, home: Path) -> dict[str, dict[str, int]]:
        """Rows a table that are not there, and rows that the undisturbed night does not have."""
        found, wanted = contents(home / "warehouse"), self.known[job]
        lost = {name: sum((rows - found.get(name, Counter())).values()) for name, rows in wanted.items()}
        double = {name: sum((rows - wanted.get(name, Counter())).values()) for name, rows in found.items()}
        return {
            "lost": {name: num for name, num in lost.items() if num},
            "double": {name: num for name, num in double.items() if num},
        }


class Done(NamedTuple):
    """A process that has ended."""

    code: int
    """Its exit code, or the signal that killed it as a negative number."""
    told: str
    """What it said."""


def run(job: str, argv: Sequence[str], *, may_die: bool = False, **options: Any) -> Done:
    """One job in a process of its own, forked: what every job imports is imported once."""
    with tempfile.TemporaryFile("w+") as told:
        pid = os.fork()
        if pid == 0:
            os.dup2(told.fileno(), 1)
            os.dup2(told.fileno(), 2)
            code = 1
            try:
                dying.play(job, argv, **options)
                code = 0
            except SystemExit as stop:
                code = stop.code if isinstance(stop.code, int) else 1
            except Exception:  # noqa: BLE001  # told, as the interpreter would
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)  # nothing of this process is the child's to clean up
        done = Done(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), "")
        told.seek(0)
        done = done._replace(told=told.read())
    if done.code and not may_die:
        raise SystemExit(f"{job} ended with {done.code}: {done.told[-3000:]}")
    return done


def relocate(home: Path, old: Path) -> None:
    """MLflow keeps whole paths: let those of a copied registry point into the copy."""
    store = home / "mlflow.db"
    if not store.exists():
        return
    with sqlite3.connect(store) as base:
        for statement in RELOCATE:
            base.execute(statement, (str(old), str(home)))


def contents(warehouse: Path) -> dict[str, Counter[str]]:
    """The rows of every table but the books, as bags."""
    names = [name for name in WAREHOUSE if name not in BOOKS and (warehouse / name / "_delta_log").is_dir()]
    return {name: same_tables.rows(DeltaTable(str(warehouse / name))) for name in names}


def answers(warehouse: Path) -> int:
    """How many answers stand in predictions."""
    table = warehouse / "predictions"
    return DeltaTable(str(table)).to_pyarrow_table(columns=["product_id"]).num_rows if table.is_dir() else 0


def markdown(rows: Sequence[dict[str, Any]]) -> list[str]:
    """A line a write: `=` where the tables are those of the undisturbed night."""
    if rows and "kills" in rows[0]:
        header = ["| job | killed | rows lost | rows double | problem |", "|---|---|---|---|---|"]
        return header + [
            f"| {row['job']} | {row['kills']} times | {row['lost'] or 0} | {row['double'] or 0} | {row['problem']} |"
            for row in rows
        ]
    lines = ["| job | write | before | during | after |", "|---|---|---|---|---|"]
    by_write: dict[tuple[str, int, str], dict[str, str]] = {}
    for row in rows:
        said = row["problem"] or "".join(f"-{num} {name} " for name, num in row["lost"].items())
        said += "".join(f"+{num} {name} " for name, num in row["double"].items())
        by_write.setdefault((row["job"], row["number"], row["write"]), {})[row["moment"]] = said or "="
    for (job, _, write), cells in by_write.items():
        lines.append(f"| {job} | {write} | " + " | ".join(cells.get(moment, "") for moment in MOMENTS) + " |")
    return lines


if __name__ == "__main__":
    main()
