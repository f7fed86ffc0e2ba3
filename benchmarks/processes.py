"""What this process and all below it use: Spark's JVM and its Python workers count, whoever started them."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
EVERY = 2.0
"""Seconds between two looks."""


class Usage:
    """What was used since it was made, with processes that have ended: Spark ends idle workers after a minute."""

    def __init__(self) -> None:
        self.peak_memory = 0.0
        """GiB at most, of all processes together (proportional set size)."""
        self._ticks: dict[tuple[int, str], int] = {}
        self._looking = threading.Lock()

    def look(self) -> float:
        """See what runs now; CPU seconds of all processes that were ever seen."""
        with self._looking:
            found = ours()
            # A process number may be given again, but not with the same start.
            self._ticks |= {(process, fields[19]): sum(map(int, fields[11:13])) for process, fields in found.items()}
            self.peak_memory = max(self.peak_memory, sum(map(proportional, found)))
            return sum(self._ticks.values()) / TICKS


@contextmanager
def watched() -> Iterator[Usage]:
    """Look at this process and all below it every few seconds."""
    usage, stop = Usage(), threading.Event()

    def watch() -> None:
        while not stop.wait(EVERY):
            usage.look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield usage
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
