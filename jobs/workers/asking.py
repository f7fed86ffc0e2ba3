"""All that runs on executors: it is imported there by name and keeps what it loads in the worker process.

A job's file is `__main__` under spark-submit, so what it defines is shipped anew to every task, and a model kept
there would be loaded by every task.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
from pyspark import Accumulator, SparkFiles, TaskContext
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructField, StructType

from extractor import predictor
from jobs.columns import spark_schema
from schemas.predictions import PREDICTIONS

ANSWER = StructType(
    [
        StructField(field.name, field.dataType)  # nullable, as Arrow makes columns; the table holds NOT NULL
        for field in spark_schema(PREDICTIONS.schema).fields
        if field.name in predictor.COLUMNS
    ]
)
"""What a model fills of schemas.predictions, in the order of the table."""
ARROW_ANSWER = to_arrow_schema(ANSWER)


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What a worker needs to answer: names and numbers only, for it travels with every task."""

    folder: str
    """The model's files: a path, or the name that they were shipped under."""
    shipped: bool
    """Whether Spark brought the files to this node."""
    device: str
    """cpu, cuda, or auto: the GPU that Spark gave the task, without one the CPU."""
    definitions: str
    """What is asked by now, as JSON."""
    batches: predictor.Config
    """How rows are put together for the device."""


class Tally(NamedTuple):
    """What all workers did."""

    answered: Accumulator[int]
    """Pairs."""
    seconds: Accumulator[float]
    """That models computed, of all workers together."""


def answer_pandas(frames: Iterator[pd.DataFrame], *, ask: Ask, tally: Tally) -> Iterator[pd.DataFrame]:
    """Answer rows of schemas.model_inputs, for mapInPandas."""
    asked = _predictor(ask)
    before = asked.seconds
    for answers in asked.stream(frames):
        tally.answered.add(len(answers))
        tally.seconds.add(asked.seconds - before)
        before = asked.seconds
        yield answers


def answer_arrow(batches: Iterator[pa.RecordBatch], *, ask: Ask, tally: Tally) -> Iterator[pa.RecordBatch]:
    """The same for mapInArrow, which matches columns by position: the schema puts them in order."""
    frames = (pd.DataFrame(batch.to_pylist(), columns=batch.schema.names, dtype=object) for batch in batches)
    for answers in answer_pandas(frames, ask=ask, tally=tally):
        yield pa.RecordBatch.from_pandas(answers, schema=ARROW_ANSWER, preserve_index=False)


def device(wanted: str) -> str:
    """The device of this task; Spark hands out addresses but hides no device: an address is the device's number."""
    context = TaskContext.get()
    given = None if context is None else context.resources().get("gpu")
    if wanted == "cpu" or (wanted == "auto" and given is None):
        return "cpu"
    return "cuda" if given is None else f"cuda:{given.addresses[0]}"


def _predictor(ask: Ask) -> predictor.Predictor:
    folder = SparkFiles.get(ask.folder) if ask.shipped else ask.folder
    return predictor.cached(folder, device(ask.device), ask.batches, ask.definitions)
