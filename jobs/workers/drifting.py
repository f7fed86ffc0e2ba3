"""What publish runs on executors: the batches of one attribute of a product type held against their reference."""

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
from pyspark.sql.types import DateType, DoubleType, StringType, StructField, StructType

from extractor import drift
from extractor.drift import Aspect, Shift

JUDGED = StructType(
    [
        StructField("product_type", StringType()),
        StructField("attribute", StringType()),
        StructField("model_version", StringType()),
        StructField("answered_on", DateType()),
        StructField("num", DoubleType()),  # answers of the batch
        StructField("aspect", StringType()),
        StructField("bin", StringType()),
        StructField("before", DoubleType()),  # shares of the bin; of a small batch answers: expected and observed
        StructField("now", DoubleType()),
        StructField("distance", DoubleType()),  # null for a batch that is too small to be judged alone
        StructField("p", DoubleType()),
    ]
)
Row = dict[str, Any]  # a row of JUDGED


def judge(*, smallest: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """A function of one attribute's histograms, for applyInPandas.

    Its rows hold the group, `answered_on` (null for the reference), `aspect`, `bin` and `num`, answers in the bin. What
    holds `smallest` answers or more has a row an aspect, less has a row a bin, for others are added to it. Nothing
    follows of a reference that is smaller.
    """

    def judged(histograms: pd.DataFrame) -> pd.DataFrame:
        group = {name: histograms.iloc[0][name] for name in ("product_type", "attribute", "model_version")}
        reference = histograms[histograms["answered_on"].isna()]
        rows = [group | row for row in _rows(reference, histograms, smallest)]
        return pd.DataFrame(rows, columns=JUDGED.names)

    return judged


def _rows(reference: pd.DataFrame, histograms: pd.DataFrame, smallest: int) -> Iterator[Row]:
    known = {str(aspect): counts(rows) for aspect, rows in reference.groupby("aspect")}
    for (day, aspect), batch in histograms[histograms["answered_on"].notna()].groupby(["answered_on", "aspect"]):
        before, now = known.get(str(aspect), {}), counts(batch)
        total, num = sum(before.values()), sum(now.values())
        if total < smallest:
            continue
        row = {"answered_on": day, "num": num, "aspect": str(aspect)}
        if num >= smallest:
            yield row | Shift._asdict(drift.shift(before, now))
        elif not str(aspect).endswith(Aspect.VALUES):
            for name in sorted({*before, *now}):
                yield row | {"bin": name, "before": before.get(name, 0.0) / total * num, "now": now.get(name, 0.0)}


def counts(histogram: pd.DataFrame) -> dict[str, float]:
    """Answers by bin."""
    return {str(name): float(num) for name, num in histogram.groupby("bin")["num"].sum().items()}
