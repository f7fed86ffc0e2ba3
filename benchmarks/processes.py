"""What this process and all below it use: Spark's JVM and its Python workers count, whoever started them."""

import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
EVERY = 2.0
"""Seconds between two looks."""
JVM, WORKERS, OTHERS = "jvm", "workers", "others"
"""The kinds of processes: Java, what Java started, all else."""


class Usage:
    """What was used since it was made, with processes that have ended: Spark ends idle workers after a minute."""

    def __init__(self) -> None:
        self.peak_memory = 0.0
        """GiB at most, of all processes together (proportional set size)."""
        self.peaks = dict.fromkeys((JVM, WORKERS, OTHERS), 0.0)
        """The same of each kind by itself."""
        self._ticks: dict[tuple[int, str], int] = {}
        self._looking = threading.Lock()

    def look(self) -> float:
        """See what runs now; CPU seconds of all processes that were ever seen."""
        with self._looking:
            found = ours()
            # A process number may be given again, but not with the same start.
            self._ticks |= {(process, fields[19]): sum(map(int, fields[11:13])) for process, fields in found.items()}
            now = dict.fromkeys(self.peaks, 0.0)
            for process in found:
                now[kind(process, found)] += proportional(process)
            self.peak_memory = max(self.peak_memory, sum(now.values()))
            self.peaks = {name: max(peak, now[name]) for name, peak in self.peaks.items()}
            return sum(self._ticks.values()) / TICKS


def machine() -> str:
    """What it ran on."""
    gibibytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{platform.machine()}, {os.cpu_count()} cores, {gibibytes:.0f} GiB, load {os.getloadavg()[0]:.1f}"


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


def kind(process: int, found: dict[int, list[str]]) -> str:
    """What a process is, by its name and by what it descends from."""
    if is_java(process):
        return JVM
    while process in found:
        process = int(found[process][1])
        if is_java(process):
            return WORKERS
    return OTHERS


def is_java(process: int) -> bool:
    """Whether a process is a JVM."""
    try:
        return Path(f"/proc/{process}/comm").read_text().strip() == "java"
    except (FileNotFoundError, ProcessLookupError):
        return False
