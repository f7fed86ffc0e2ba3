"""Lines on standard error for the operator: what is done, of how much, how fast, how long still; as text or as JSON."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

QUIET = 15.0
"""Seconds without a line after which a job says that it is at work."""
_told = [time.monotonic()]
"""When the last line was printed."""
_fields: dict[str, object] = {}
"""What every line of JSON says beside its text; empty: lines are text."""


def as_json(**fields: object) -> None:
    """From now on print one JSON object a line, each with these fields; without any: text again."""
    _fields.clear()
    _fields.update(fields)


def say(job: str, text: str, **fields: object) -> None:
    """One line about a job; the fields are for those who search lines, so text leaves them out."""
    _told[0] = time.monotonic()
    line = f"[{job}] {text}"
    if _fields:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"at": at, "job": job} | _fields | fields | {"text": text}, ensure_ascii=False, default=str)
    print(line, file=sys.stderr, flush=True)  # noqa: T201  # the one place that speaks to the operator


@contextmanager
def alive(job: str, doing: Callable[[], str], *, quiet: float = QUIET) -> Iterator[None]:
    """Say what a silent job is doing while the body runs."""
    start = time.monotonic()

    def line_if_quiet() -> None:
        if time.monotonic() - _told[0] >= quiet:
            say(job, f"at work for {time.monotonic() - start:.0f} s{doing()}")

    with again_and_again(f"{job}-alive", quiet / 3, line_if_quiet):
        yield


@contextmanager
def ticking(job: str, things: str, total: int, done: Callable[[], int], *, every: float = 10.0) -> Iterator[None]:
    """Say how far `done()` has come while the body runs, every few seconds."""
    start = time.monotonic()
    with again_and_again(
        f"{job}-progress", every, lambda: say(job, line(things, done(), total, time.monotonic() - start))
    ):
        yield


@contextmanager
def again_and_again(name: str, seconds: float, work: Callable[[], None]) -> Iterator[None]:
    """Do some work every few seconds, in a thread, while the body runs."""
    stop = threading.Event()

    def again() -> None:
        while not stop.wait(seconds):
            work()

    thread = threading.Thread(target=again, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def line(things: str, done: int, total: int, seconds: float) -> str:
    """`312 of 650 pictures, 6.2 a second, 55 s left`."""
    rate = done / seconds if seconds > 0 else 0.0
    left = f"{(total - done) / rate:.0f} s left" if rate > 0 else "no estimate yet"
    return f"{done:,} of {total:,} {things}, {rate:.1f} a second, {left}"
