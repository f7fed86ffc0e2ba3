"""What an error of the platform means to an operator, in one line: a disk, or a JVM that is gone."""

import errno
import os
import re

from py4j.protocol import Py4JError, Py4JJavaError, Py4JNetworkError
from pyspark import SparkContext
from pyspark.errors import PySparkException

from extractor.errors import BackendError

ERRORS = (PySparkException, Py4JError, OSError)
"""What Spark's failures and the file system's arrive as."""
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EACCES)
"""What a file system refuses a write with, for a cause outside of us."""
ADVICE = {errno.ENOSPC: "make room", errno.EDQUOT: "make room", errno.EFBIG: "raise the limit"}
_SAID = re.compile("|".join(map(os.strerror, DISK)))
_WRITING = re.compile(r"Mkdirs failed to create (?:file:)?(\S+)|CANNOT_CREATE_LOG_PATH\] Cannot create (?:file:)?(\S+)")
"""How Hadoop and Delta hide a folder that cannot be made: they drop the cause."""
_PATH = re.compile(r"(/[^\s:()]+) ?\(")


def problem(error: Exception) -> BackendError | None:
    """A disk that is full or may not be written, or a driver's JVM that is gone; None for anything else."""
    if isinstance(error, OSError) and error.errno in DISK:
        return _disk(error.errno, str(error.filename or ""))
    if isinstance(error, PySparkException | Py4JJavaError):
        return _said_by_java(str(error))
    if isinstance(error, Py4JError | ConnectionError) and not _is_jvm_alive():
        return BackendError("Spark", "the driver's JVM is gone (killed, or out of memory?); run again", retry=True)
    if isinstance(error, Py4JNetworkError):
        return BackendError("Spark", "an answer of the driver's JVM was lost; run again", retry=True)
    return None


def _said_by_java(said: str) -> BackendError | None:
    found, hidden = _SAID.search(said), _WRITING.search(said)
    if found is None and hidden is not None:
        return BackendError("disk", f"cannot write {next(filter(None, hidden.groups()))}: read-only, or not ours?")
    if found is None:
        return None
    [number] = [number for number in DISK if os.strerror(number) == found.group()]
    path = _PATH.search(said[: found.start()].rpartition("\n")[2])
    return _disk(number, path.group(1) if path else "")


def _disk(number: int, path: str) -> BackendError:
    where = f" ({path})" if path else ""
    advice = ADVICE.get(number, "let it be written")
    return BackendError("disk", f"{os.strerror(number)}{where}; {advice} and run again: what was committed stands")


def _is_jvm_alive() -> bool:
    """Whether the driver's JVM answers."""
    context = SparkContext._active_spark_context  # the one that a broken session still has
    if context is None or context._jvm is None:
        return False
    try:
        context._jvm.java.lang.System.currentTimeMillis()
    except (Py4JError, OSError):
        return False
    return True
