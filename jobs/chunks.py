"""The work of enrich in chunks: ranges of route keys of bounded size, written down before the first is asked.

A chunk is one commit of `predictions`. The commits of a model are numbered without a gap (Tables.append_next), so a run
that planned before another one wrote cannot land anything; the note of a commit says which chunk of which run it is.
"""

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs import inputs, runs
from jobs.inputs import ROUTE, WHOLE, Range
from schemas.chunks import CHUNKS

SAMPLED_PAIRS = 1_000_000
"""Pairs whose route keys are collected, at most about, to cut a work list into chunks."""


class Size(NamedTuple):
    """How much work there is, or how much a chunk may hold."""

    num_pairs: int
    text_bytes: int
    """Of titles, bullets and words: a chunk's are broadcast."""


class Chunk(NamedTuple):
    """One commit."""

    within: Range
    size: Size


def size(rows: DataFrame) -> Size:
    """How much rows of schemas.model_inputs ask and hold."""
    found = rows.agg(F.sum(F.size("asked")), F.sum(inputs.text_bytes())).collect()[0]
    return Size(found[0] or 0, found[1] or 0)


def cut(rows: DataFrame, whole: Size, most: Size) -> list[Chunk]:
    """Chunks of about `most`, in the order of their keys; the same work is always cut alike."""
    if whole.num_pairs <= most.num_pairs and whole.text_bytes <= most.text_bytes:
        return [Chunk(WHOLE, whole)]
    every = math.ceil(whole.num_pairs / SAMPLED_PAIRS)
    sampled = rows.where(F.pmod(F.xxhash64(ROUTE), F.lit(every)) == 0).groupBy(ROUTE)
    keys = sampled.agg(F.sum(F.size("asked")), F.sum(inputs.text_bytes())).collect()
    starts: list[str | None] = [None]
    sizes = [Size(0, 0)]
    # Python orders strings by code point, which is how Spark orders them by bytes of UTF-8.
    for key, num_pairs, text_bytes in sorted(keys):
        if sizes[-1].num_pairs >= most.num_pairs or sizes[-1].text_bytes >= most.text_bytes:
            starts.append(key)
            sizes.append(Size(0, 0))
        sizes[-1] = Size(sizes[-1].num_pairs + num_pairs * every, sizes[-1].text_bytes + text_bytes * every)
    return [Chunk(Range(*ends), size) for ends, size in zip(pairwise([*starts, None]), sizes, strict=True)]


def plan(job: runs.Job, chunks: Sequence[Chunk], *, model_version: str, after: int) -> None:
    """Write down what this run is going to do."""
    rows = [
        {
            "run_id": job.id,
            "chunk_id": chunk_id,
            "model_version": model_version,
            "first_key": chunk.within.low,
            "end_key": chunk.within.high,
            "num_pairs": chunk.size.num_pairs,
            "text_bytes": chunk.size.text_bytes,
            "commit": after + 1 + chunk_id,
            "day": job.day,
            "planned_at": datetime.now(UTC),
        }
        for chunk_id, chunk in enumerate(chunks)
    ]
    job.tables.append(job.tables.rows(rows, CHUNKS), CHUNKS, txn=f"{job.id}:plan")


def note(run_id: str, chunk_id: int) -> str:
    """What the commit of a chunk says of itself."""
    return json.dumps({"run_id": run_id, "chunk_id": chunk_id})
