"""Run one job under a fault of the platform that no shell can make.

    python -m benchmarks.faulty --fault lost:2 publish --conf conf/local.yaml --day 2026-01-15

`lost:N`: commit N (from 0) lands, and its answer is lost on the way to the driver. `jvm:N`: the driver's JVM is killed
right after commit N. `model:FOLDER`: once the chunks are planned, a byte of the model's files there is flipped.
"""

import argparse
import os
import signal
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JNetworkError

from jobs import chunks
from jobs.tables import Tables

LOST, JVM, MODEL = FAULTS = ("lost", "jvm", "model")
CARD = "card.json"


def main() -> None:
    """Make the fault, then run the job."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fault", default="", help=f"one of {', '.join(FAULTS)}, with its number or folder")
    parser.add_argument("job")
    parser.add_argument("argv", nargs=argparse.REMAINDER)
    asked = parser.parse_args()
    kind, _, what = asked.fault.partition(":")
    if kind in (LOST, JVM):
        break_after(int(what), kind)
    if kind == MODEL:
        flip_later(Path(what))
    import_module(f"jobs.{asked.job}").main(asked.argv)


def break_after(number: int, kind: str) -> None:
    """Let a commit land and its answer be lost."""
    write, made = Tables.write, [0]

    def broken(self: Tables, table: Any, commit: Callable[[], Any]) -> Any:
        found = write(self, table, commit)
        made[0] += 1
        if made[0] - 1 == number and kind == JVM:
            os.kill(jvm(self), signal.SIGKILL)
        if made[0] - 1 == number and kind == LOST:
            raise Py4JNetworkError("Answer from Java side is empty")
        return found

    vars_of: Any = Tables
    vars_of.write = broken


def jvm(tables: Tables) -> int:
    """The number of the driver's JVM."""
    own: Any = tables.spark._jvm
    return int(own.java.lang.ProcessHandle.current().pid())


def flip_later(folder: Path) -> None:
    """Flip a byte once the work is planned."""
    plan = chunks.plan

    def flipping(*args: Any, **options: Any) -> None:
        plan(*args, **options)
        flip(folder)

    vars(chunks)["plan"] = flipping


def flip(folder: Path) -> None:
    """Flip the bits of one byte in the middle of the model's largest file; twice is as before."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != CARD]
    largest = max(files, key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 0xFF
    largest.write_bytes(content)


if __name__ == "__main__":
    main()
