"""Which runs are at work: a small file a run beside the tables, renewed while it lives and removed at its end.

It lies at `_running/<run>` on whatever the warehouse lies on, and nothing depends on it: it is there for `jobs.status`,
because the run book knows only runs that have ended. A run that dies leaves its file; its last sign says so, and
`jobs.maintain` removes it.
"""

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from jobs import progress

FOLDER = "_running"
EVERY = 60.0
"""Seconds between two signs of life."""


class Sign(NamedTuple):
    """A run that has not ended."""

    run_id: str
    where: str
    """Machine and process."""
    started_at: datetime
    seen_at: datetime
    """Its last sign."""


@contextmanager
def shown(spark: SparkSession, root: str, run_id: str, started_at: datetime) -> Iterator[None]:
    """Let others see a run while the body runs; where that cannot be written, the job's own writes will say why."""

    def sign() -> None:
        told = {"where": f"{platform.node()}, process {os.getpid()}", "started_at": started_at.isoformat()}
        _write(spark, f"{root}/{FOLDER}/{run_id}", json.dumps(told | {"seen_at": datetime.now(UTC).isoformat()}))

    sign()
    try:
        with progress.again_and_again(f"{run_id}-signs", EVERY, sign):
            yield
    finally:
        remove(spark, root, run_id)


def signs(spark: SparkSession, root: str) -> list[Sign]:
    """Who is at work or died there, by start."""
    found = []
    for run_id, text in _read(spark, f"{root}/{FOLDER}"):
        try:
            told = json.loads(text)
        except ValueError:
            continue  # it is being written
        times = (datetime.fromisoformat(told[name]) for name in ("started_at", "seen_at"))
        found.append(Sign(run_id, told["where"], *times))
    return sorted(found, key=lambda one: one.started_at)


def remove(spark: SparkSession, root: str, run_id: str) -> None:
    """Forget a run; where that fails its last sign tells."""
    address = f"{root}/{FOLDER}/{run_id}"
    with suppress(Py4JError, OSError):
        if "://" not in address:
            Path(address).unlink(missing_ok=True)
            return
        path, files = _located(spark, address)
        files.delete(path, False)


def _write(spark: SparkSession, address: str, text: str) -> None:
    with suppress(Py4JError, OSError):
        if "://" not in address:  # without Hadoop, which starts a process for each file's permissions
            Path(address).parent.mkdir(parents=True, exist_ok=True)
            Path(address).write_text(text, encoding="utf-8")
            return
        path, files = _located(spark, address)
        stream = files.create(path, True)
        stream.write(bytearray(text.encode()))
        stream.close()


def _read(spark: SparkSession, address: str) -> Iterator[tuple[str, str]]:
    """The names and contents of a folder's files; none where there is no folder."""
    if "://" not in address:
        for path in Path(address).glob("*"):
            with suppress(FileNotFoundError):
                yield path.name, path.read_text(encoding="utf-8")
        return
    jvm: Any = spark._jvm
    folder, files = _located(spark, address)
    for status in files.listStatus(folder) if files.exists(folder) else ():
        with suppress(Py4JError):  # it was removed in between
            stream = files.open(status.getPath())
            content = bytes(jvm.org.apache.commons.io.IOUtils.toByteArray(stream))
            stream.close()
            yield str(status.getPath().getName()), content.decode()


def _located(spark: SparkSession, address: str) -> tuple[Any, Any]:
    """A path and its file system, as Java objects: Hadoop's, which knows every address that a warehouse may have."""
    jvm: Any = spark._jvm
    path = jvm.org.apache.hadoop.fs.Path(address)
    return path, path.getFileSystem(spark._jsparkSession.sessionState().newHadoopConf())
