"""Run jobs under faults of the platform, mend the fault, run them again, and hold the tables against undisturbed ones.

    python -m benchmarks.faults --out benchmarks/results/faults.json
    python -m benchmarks.faults --kinds full flipped

full: the file system has no room (a small tmpfs). readonly: the warehouse is mounted read-only. away: MLflow refuses
connections. flipped: a byte of the model's file is another, before the job or while it runs. lost: a commit lands and
its answer does not. jvm: the driver's JVM is killed behind a commit. clock: it is set back by a day between two
publications.
Linux alone: mounts are made in a namespace of our own (unshare), and the clock is a few lines of C (cc).
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from deltalake import DeltaTable

from benchmarks.faulty import JVM, LOST, MODEL, flip
from benchmarks.kill_points import Night, answers, contents, relocate
from benchmarks.processes import machine

ROOM = 96 * 1024
"""Bytes that a full file system still has."""
ENOUGH = 1 << 30
PATIENCE = 900
"""Seconds after which a job hangs."""
BACK = -86400
"""Seconds by which a clock is set back."""
NOBODY = "registry.tracking_uri=http://127.0.0.1:9"
"""Where no MLflow listens."""
CLOCK = "clock"
TURNED_AT = "switches"
"""A table that says when it was told."""
Rows = dict[str, Counter[str]]


class Given(NamedTuple):
    """What a run is given that makes or meets the fault."""

    options: Sequence[str] = ()
    """Of benchmarks.faulty."""
    settings: Sequence[str] = ()
    """Of the job."""


class Fault(NamedTuple):
    """A fault, the job that meets it, what it must say, and with which code it must end."""

    kind: str
    job: str
    make: Callable[[Path], AbstractContextManager[Given]]
    """Makes it in the folder of a night's state, and mends it on leaving."""
    says: str
    """A regular expression."""
    code: int = 2
    before_answers: bool = False
    """Whether not one answer may stand after it."""


def main() -> None:
    """Run it all, print the table, write it; exit with 1 if anything is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", default=[*{fault.kind: 0 for fault in FAULTS}, CLOCK])
    parser.add_argument("--products", type=int, default=60)
    parser.add_argument("--out", type=Path, default=None, help="JSON file of the table")
    parser.add_argument("--inside", action="store_true", help="we have a namespace of our own already")
    asked = parser.parse_args()
    if not asked.inside:
        own = ["unshare", "--mount", *(["--map-root-user"] if os.geteuid() else [])]
        os.execvp(own[0], [*own, sys.executable, "-m", "benchmarks.faults", *sys.argv[1:], "--inside"])  # noqa: S606  # ourselves
    began, rows = time.monotonic(), []
    with tempfile.TemporaryDirectory() as folder:
        night = Night(Path(folder), asked.products)
        next(night.play(("publish",), ("before",)))  # up to publish
        for kind in asked.kinds:
            for row in (
                [set_back(night)] if kind == CLOCK else (trial(night, one) for one in FAULTS if one.kind == kind)
            ):
                rows.append(row)
                print(json.dumps(row), flush=True)
    found = {
        "machine": machine(),
        "data": f"{asked.products} drawn products as readings, Word Matching",
        "seconds": round(time.monotonic() - began),
        "faults": rows,
    }
    if asked.out is not None:
        asked.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print("\n".join(markdown(rows)))
    raise SystemExit(any(row["problem"] or row["lost"] or row["double"] for row in rows))


def trial(night: Night, fault: Fault) -> dict[str, Any]:
    """Meet the fault, mend it, run again, compare."""
    with tempfile.TemporaryDirectory(dir=night.folder) as folder:
        home = Path(folder) / "home"
        home.mkdir()
        with mounted(home):
            shutil.copytree(night.folder / f"before-{fault.job}", home, dirs_exist_ok=True)
            relocate(home, night.folder / "home")
            before = answers(home / "warehouse")
            with fault.make(home) as given:
                met = run(fault.job, night.argv(home), given)
            num_answers = answers(home / "warehouse") - before
            again = run(fault.job, night.argv(home), Given())
            found = contents(home / "warehouse")
    problem = "" if again.returncode == 0 else f"did not go on: {last_line(again)}"
    problem = problem if re.search(fault.says, met.stderr) else f"did not say {fault.says}: {met.stderr[-2000:]}"
    problem = problem if met.returncode == fault.code else f"ended with {met.returncode}: {met.stderr[-2000:]}"
    if fault.before_answers and num_answers:
        problem = f"{num_answers} answers were written"
    row = {"kind": fault.kind, "job": fault.job, "code": met.returncode, "says": said(met, fault.says)}
    return row | differences(found, night.known[fault.job]) | {"problem": problem}


def run(
    job: str, argv: Sequence[str], given: Given, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """One job as a process."""
    command = [sys.executable, "-m", "benchmarks.faulty", *given.options, job, *argv]
    command += [part for setting in given.settings for part in ("--set", setting)]
    own = {**os.environ, **(env or {})}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE, env=own)  # noqa: S603  # ours


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    """What a job said at its end."""
    return (done.stderr.strip().splitlines() or [""])[-1]


def said(done: subprocess.CompletedProcess[str], pattern: str) -> str:
    """The line that names the fault."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("[") and re.search(pattern, line)]
    return re.sub(r"/\S*/(warehouse|mlflow)", r".../\1", lines[-1] if lines else last_line(done))[:400]


def differences(found: Rows, wanted: Rows, *, but: Sequence[str] = ()) -> dict[str, dict[str, int]]:
    """Rows that are missing and rows that are too many, by table."""
    names = [name for name in {**wanted, **found} if name not in but]
    empty: Counter[str] = Counter()
    lost = {name: sum((wanted.get(name, empty) - found.get(name, empty)).values()) for name in names}
    double = {name: sum((found.get(name, empty) - wanted.get(name, empty)).values()) for name in names}
    return {
        "lost": {name: num for name, num in lost.items() if num},
        "double": {name: num for name, num in double.items() if num},
    }


@contextmanager
def mounted(home: Path) -> Iterator[None]:
    """A file system in memory, whose size can be set."""
    mount("-t", "tmpfs", "-o", f"size={ENOUGH}", "tmpfs", str(home))
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(home)], check=True)  # noqa: S603, S607  # our own mount


def mount(*flags: str) -> None:
    """As the command."""
    subprocess.run(["mount", *flags], check=True)  # noqa: S603, S607  # our own mounts, in our own namespace


@contextmanager
def full(home: Path) -> Iterator[Given]:
    """Little room is left."""
    state = os.statvfs(home)
    used = (state.f_blocks - state.f_bfree) * state.f_frsize
    mount("-o", f"remount,size={used + ROOM}", str(home))
    yield Given()
    mount("-o", f"remount,size={ENOUGH}", str(home))


@contextmanager
def read_only(home: Path) -> Iterator[Given]:
    """The warehouse may be read."""
    warehouse = str(home / "warehouse")
    mount("--bind", warehouse, warehouse)
    mount("-o", "remount,ro,bind", warehouse)
    yield Given()
    subprocess.run(["umount", warehouse], check=True)  # noqa: S603, S607  # our own mount


@contextmanager
def away(_: Path) -> Iterator[Given]:
    """MLflow does not listen."""
    yield Given(settings=[NOBODY])


@contextmanager
def flipped(home: Path) -> Iterator[Given]:
    """The model was damaged before."""
    flip(home / "mlflow")
    yield Given()
    flip(home / "mlflow")


@contextmanager
def flipped_later(home: Path) -> Iterator[Given]:
    """The model is damaged when the work is planned already."""
    yield Given(options=["--fault", f"{MODEL}:{home / 'mlflow'}"])
    flip(home / "mlflow")


def broken(kind: str, number: int) -> Callable[[Path], AbstractContextManager[Given]]:
    """A commit lands, its answer does not."""

    @contextmanager
    def make(_: Path) -> Iterator[Given]:
        yield Given(options=["--fault", f"{kind}:{number}"])

    return make


NO_ROOM, NO_WRITING = r"disk: No space left on device", r"disk: .*([Rr]ead-only|cannot write)"
NO_MLFLOW, NO_ANSWER, NO_JVM = r"MLflow: .*127\.0\.0\.1", "an answer of the driver's JVM was lost", "JVM is gone"
DAMAGED = r"model .*: found content of SHA-256 \w+, expected"
FAULTS = (
    *(Fault("full", job, full, NO_ROOM) for job in ("ingest", "enrich", "publish")),
    *(Fault("readonly", job, read_only, NO_WRITING) for job in ("enrich", "publish")),
    *(Fault("away", job, away, NO_MLFLOW) for job in ("train", "enrich", "publish")),
    Fault("away", "ingest", away, "MLflow has no figures of this run, the run book has", code=0),
    Fault("flipped", "enrich", flipped, DAMAGED, before_answers=True),
    Fault("flipped", "enrich", flipped_later, DAMAGED, before_answers=True),
    *(Fault("lost", job, broken(LOST, at), NO_ANSWER) for job, at in (("ingest", 2), ("enrich", 3), ("publish", 1))),
    *(Fault("jvm", job, broken(JVM, at), NO_JVM) for job, at in (("enrich", 3), ("publish", 1))),
)


def set_back(night: Night) -> dict[str, Any]:
    """Kill an attribute, set the clock back, let it out again, move a gate: all must be as with a right clock."""
    with tempfile.TemporaryDirectory(dir=night.folder) as folder:
        shim = Path(folder) / "clock.so"
        source = Path(__file__).with_name("clock.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", str(shim), str(source), "-ldl"], check=True)  # noqa: S603, S607  # our own file
        home = Path(folder) / "home"
        shutil.copytree(night.folder / "home", home)
        relocate(home, night.folder / "home")
        killing = ["--attribute", attribute(home), "--reason", "a test"]
        for job, more in (("kill", killing), ("publish", [])):
            must(run(job, [*night.argv(home), *more], Given()))
        shutil.copytree(home, Path(folder) / "right")
        relocate(Path(folder) / "right", home)
        states, told = [], ""
        for place, env in (("right", {}), ("home", {"LD_PRELOAD": str(shim), "CLOCK_SHIFT": str(BACK)})):
            argv = night.argv(Path(folder) / place)
            moved = Given(settings=["calibrate.min_judged=3"])
            steps = (("kill", [*argv, *killing, "--undo"]), ("publish", argv), ("calibrate", argv), ("publish", argv))
            for number, (job, whole) in enumerate(steps):
                done = must(run(job, whole, moved if number > 1 else Given(), env))
                told = told or said(done, "clock is") if env else ""
            states.append(contents(Path(folder) / place / "warehouse"))
    problem = "" if "clock is" in told else f"did not say that the clock is behind: {told}"
    row = {"kind": CLOCK, "job": "kill, publish, calibrate, publish", "code": 0, "says": told}
    return row | differences(states[1], states[0], but=[TURNED_AT]) | {"problem": problem}


def attribute(home: Path) -> str:
    """The attribute of which most values are published."""
    published = DeltaTable(str(home / "warehouse" / "attributes")).to_pyarrow_table()
    [(name, _)] = Counter(map(str, published.column("attribute").to_pylist())).most_common(1)
    return name


def must(done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    """A run that ended well."""
    if done.returncode:
        raise SystemExit(f"{done.args} ended with {done.returncode}: {done.stderr[-3000:]}")
    return done


def markdown(rows: Sequence[dict[str, Any]]) -> list[str]:
    """A line a fault: `=` where the tables are those of an undisturbed run."""
    lines = ["| fault | job | exit | says | after another run |", "|---|---|---|---|---|"]
    for row in rows:
        after = "".join(f"-{num} {name} " for name, num in row["lost"].items())
        after += "".join(f"+{num} {name} " for name, num in row["double"].items())
        cells = row["kind"], row["job"], str(row["code"]), f"`{row['says']}`", row["problem"][:80] or after or "="
        lines.append("| " + " | ".join(cells) + " |")
    return lines


if __name__ == "__main__":
    main()
