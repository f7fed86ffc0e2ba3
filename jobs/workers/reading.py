"""What calibrate and publish run on executors: values as the catalogue writes them, scores as confidences.

A worker imports this file to run it, so it imports little: no model, no registry.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache

import pandas as pd
from pyspark.sql import Column
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import BooleanType, DoubleType, StringType, StructField, StructType

from extractor import calibration
from extractor.normalise import Normaliser
from extractor.records import Definition

Reader = Callable[..., Column]
"""Columns product_type, attribute, value, stated to one of READING."""

READING = StructType(
    [
        StructField("value", StringType()),  # as the catalogue writes it; null where it may not be published
        StructField("key", StringType()),  # equal keys are one value
        StructField("problem", StringType()),  # why it may not be published
        StructField("agrees", BooleanType()),  # it is what the catalogue states; null where that states nothing
    ]
)


def reader(definitions: Sequence[Definition]) -> Reader:
    """A column function of (product_type, attribute, value, stated) to READING; a null value reads as null."""

    def read(batches: Iterator[tuple[pd.Series, pd.Series, pd.Series, pd.Series]]) -> Iterator[pd.DataFrame]:
        by_group = {(definition.product_type, definition.attribute): definition for definition in definitions}
        normaliser = cache(lambda *group: Normaliser(by_group[group]))
        for product_types, attributes, values, said in batches:
            rows = zip(product_types, attributes, values, said, strict=True)
            read_ones = [_reading(normaliser(kind, name), value, other) for kind, name, value, other in rows]
            yield pd.DataFrame(read_ones, columns=READING.names, dtype=object)

    column: Reader = pandas_udf(read, READING)  # type: ignore[call-overload]  # stubs lack iterators
    return column


def _reading(normaliser: Normaliser, value: str | None, stated: str | None) -> tuple[object, ...]:
    if value is None:
        return None, None, None, None
    written = normaliser(value)
    return written.value, written.key, written.reason, None if stated is None else normaliser.same(value, stated)


def confidence(calibrator: Column, score: Column) -> Column:
    """Raw scores to confidences, by gates.calibrator; null where there is no gate or no score."""
    column: Column = pandas_udf(_confidences, DoubleType())(calibrator, score)  # type: ignore[call-overload]  # as above
    return column


def _confidences(batches: Iterator[tuple[pd.Series, pd.Series]]) -> Iterator[pd.Series]:
    read = cache(calibration.from_json)
    for calibrators, scores in batches:
        confidences = pd.Series(None, index=scores.index, dtype=object)
        known = scores.notna() & calibrators.notna()
        # Neighbours are of many groups: a batch is one step, not one a group.
        curves = [read(stored) for stored in calibrators[known]]
        confidences[known] = calibration.confidences(curves, scores[known])
        yield confidences
