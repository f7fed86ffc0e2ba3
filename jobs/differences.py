"""Two models on the pages of today, without any truth: how their answers relate, and some that differ."""

from collections import Counter, defaultdict

from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F

from jobs.answers import PAIR
from jobs.pages.sides import Agreement
from jobs.workers import reading
from schemas.enums import State
from schemas.predictions import PREDICTIONS

SIDES = ("one", "other")
ABOUT = (*PREDICTIONS.key, "value", "support", "confidence", "threshold", "gate_state")
"""What is kept of each side's answer."""


def pairs(one: DataFrame, other: DataFrame, read: reading.Reader) -> DataFrame:
    """The pairs that both answered: PAIR, product_type, `one` and `other` (structs of ABOUT), and how they relate.

    `read` decides whether two values are the same, as it does for a model and a seller.
    """
    both = _side(one, "one").join(_side(other, "other").drop("product_type"), on=list(PAIR), how="inner")
    related = read("product_type", "attribute", "one.value", "other.value")["agrees"]
    return both.withColumn("relation", _relation(F.col("one.value"), F.col("other.value"), related))


def _side(answered: DataFrame, name: str) -> DataFrame:
    said = F.when(F.col("state") == State.VALUE, F.col("value"))  # a truncated value is none
    sure = F.coalesce("confidence", "score")  # a model that nobody calibrated has its score alone
    return (
        answered.withColumns({"value": said, "confidence": sure})
        .withColumn(name, F.struct(*ABOUT))
        .select(*PAIR, "product_type", name)
    )


def _relation(one: Column, other: Column, agrees: Column) -> Column:
    """The field of Agreement that counts a pair."""
    return (
        F.when(one.isNull() & other.isNull(), "neither")
        .when(other.isNull(), "only_one")
        .when(one.isNull(), "only_other")
        .when(agrees, "same")
        .otherwise("differ")
    )


def agreements(pairs: DataFrame) -> dict[str, Agreement]:
    """How answers relate, by attribute in sorted order."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in pairs.groupBy("attribute", "relation").agg(F.count("*").alias("num")).collect():
        counts[row.attribute][row.relation] += row.num
    return {attribute: Agreement(**counts[attribute]) for attribute in sorted(counts)}


def total(by_attribute: dict[str, Agreement]) -> Agreement:
    """How all answers relate."""
    return Agreement(*(sum(column) for column in zip(*by_attribute.values(), strict=True)))


def examples(pairs: DataFrame, predictions: DataFrame, products: DataFrame, num: int) -> list[Row]:
    """Some pairs answered differently, of each attribute as many, by hash: with title and both evidences."""
    order = Window.partitionBy("attribute").orderBy(F.xxhash64(*PAIR), "product_id")
    picked = (
        pairs.where(~F.col("relation").isin("same", "neither"))
        .withColumn("place", F.row_number().over(order))
        .orderBy("place", "attribute")
        .limit(num)
    )
    read = predictions.select(F.struct(*PREDICTIONS.key).alias("key"), "evidence")
    for side in SIDES:
        key = F.struct(*(F.col(f"{side}.{name}").alias(name) for name in PREDICTIONS.key))
        mine = read.withColumnRenamed("evidence", f"{side}_evidence")
        picked = picked.withColumn("key", key).join(mine, on="key", how="inner").drop("key")
    titled = picked.join(products.select("product_id", "title"), on="product_id", how="inner")
    return titled.orderBy("place", "attribute").collect()
