"""Run one job and kill it, and all of its processes, at one of its writes; or list its writes.

    python -m benchmarks.dying --writes writes.json enrich --conf conf/local.yaml --day 2026-01-15
    python -m benchmarks.dying --at 3:during enrich --conf conf/local.yaml --day 2026-01-15

A write is a call of jobs/tables.py that commits. `before` kills before it begins, `during` as soon as it has written a
file of data (at its end where it writes none), `after` once it is committed. What the process leaves is what kill -9
leaves.
"""

import argparse
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

from jobs.tables import Tables

WRITES = ("append", "append_next", "upsert", "synchronise", "follow")
BEFORE, DURING, AFTER = MOMENTS = ("before", "during", "after")


def main() -> None:
    """Patch the door to Delta, then run the job."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--at", default="", metavar="NUMBER:MOMENT", help=f"which write, from 0, and when of {MOMENTS}")
    parser.add_argument("--writes", type=Path, default=None, help="JSON file of all writes, in order")
    parser.add_argument("job")
    parser.add_argument("argv", nargs=argparse.REMAINDER)
    asked = parser.parse_args()
    play(asked.job, asked.argv, at=asked.at, writes=asked.writes)


def play(job: str, argv: Sequence[str], *, at: str = "", writes: Path | None = None) -> None:
    """Run a job in this process, and die with the JVM and its workers at a write, or list the writes in a file."""
    if os.getpgrp() != os.getpid():
        os.setpgrp()  # to die alone
    made: list[str] = []
    for name in WRITES:
        setattr(Tables, name, watched(name, getattr(Tables, name), made, *_point(at)))
    import_module(f"jobs.{job}").main(argv)
    if writes is not None:
        writes.write_text(json.dumps(made), encoding="utf-8")


def _point(at: str) -> tuple[int, str]:
    number, _, moment = at.partition(":")
    return (int(number), moment) if at else (-1, "")


def watched(name: str, write: Callable[..., Any], made: list[str], number: int, moment: str) -> Callable[..., Any]:
    """A write that is counted, and that kills us at its moment."""

    @wraps(write)
    def counted(self: Tables, frame: Any, table: Any, **options: Any) -> Any:
        is_it = len(made) == number
        made.append(f"{name} {table.name}")
        if is_it and moment == BEFORE:
            die()
        if is_it and moment == DURING and "://" not in self.root:
            threading.Thread(target=die_of_data, args=(Path(self.path(table)),), daemon=True).start()
        found = write(self, frame, table, **options)
        if is_it:
            die()
        return found

    return counted


def die_of_data(folder: Path) -> None:
    """Wait for a new file of data, then die."""
    before = set(folder.rglob("*.parquet"))
    while set(folder.rglob("*.parquet")) <= before:
        time.sleep(0.002)
    die()


def die() -> None:
    """What kill -9 does to a driver, its JVM and its workers."""
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()
