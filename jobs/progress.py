"""Progress lines on standard error: what is done, of how much, how fast, how long still."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def say(job: str, text: str) -> None:
    """One line about a job."""
    print(f"[{job}] {text}", file=sys.stderr, flush=True)  # noqa: T201  # the one place that speaks to the operator


@contextmanager
def ticking(job: str, things: str, total: int, done: Callable[[], int], *, every: float = 10.0) -> Iterator[None]:
    """Say how far `done()` has come while the body runs, every few seconds."""
    stop = threading.Event()
    start = time.monotonic()

    def tick() -> None:
        while not stop.wait(every):
            say(job, line(things, done(), total, time.monotonic() - start))

    thread = threading.Thread(target=tick, name=f"{job}-progress", daemon=True)
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
