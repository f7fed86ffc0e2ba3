"""What this process and all below it use: Spark's JVM and its Python workers count, whoever started them."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
EVERY = 1.0
"""Seconds between two looks at the memory."""


def cpu_seconds() -> float:
    """CPU seconds of this process and all below it: the JVM, Spark's daemon, its workers."""
    # With children that were waited for.
    return sum(sum(map(int, fields[11:15])) / TICKS for fields in ours().values())


@contextmanager
def peak_memory() -> Iterator[list[float]]:
    """Watch the memory of this process and all below it; the list holds the most GiB (proportional set size)."""
    peak, stop = [0.0], threading.Event()

    def watch() -> None:
        while not stop.wait(EVERY):
            peak[0] = max(peak[0], sum(map(proportional, ours())))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def proportional(process: int) -> float:
    """GiB of a process, pages that several share counted in parts; 0 where it ended while we looked."""
    try:
        rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    kibibytes = [int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")]
    return sum(kibibytes) / 2**20


def ours() -> dict[int, list[str]]:
    """This process and all that descend from it, with the fields of /proc/PID/stat behind the name."""
    found: dict[int, list[str]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            found[int(stat.parent.name)] = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
    parents = {process: int(fields[1]) for process, fields in found.items()}
    return {process: fields for process, fields in found.items() if is_below(process, parents)}


def is_below(process: int, parents: dict[int, int]) -> bool:
    """Whether a process is ours or descends from us."""
    while process in parents:
        if process == os.getpid():
            return True
        process = parents[process]
    return False
