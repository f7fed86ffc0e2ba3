"""Answers with all that decides about them: what publish judges by, and what an audit sample is drawn from."""

from collections.abc import Callable, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs import answers
from jobs.answers import PAIR, Asked
from jobs.workers import reading


def weigh(
    current: DataFrame, gates: DataFrame, stated: DataFrame, asked: Asked, *, unknown_words: Sequence[str]
) -> DataFrame:
    """Answers with gate and confidence, what people say of the pair, and how the catalogue writes the value."""
    read = reading.reader(asked.known)
    inferable = F.broadcast(asked.definitions.select("product_type", "attribute", "inferable"))
    allowed = current.join(inferable, on=["product_type", "attribute"], how="inner")
    known = with_stated(answers.with_gates(allowed, gates), stated, unknown_words)
    return written(known, read, answers.spellings(stated, asked, read, unknown_words))


def with_stated(answered: DataFrame, stated: DataFrame, unknown_words: Sequence[str]) -> DataFrame:
    """Answers with what the seller or an auditor says of the pair."""
    none = answers.states_none(F.col("stated"), unknown_words)
    return answered.join(stated.drop("observed_at", "run_id"), on=list(PAIR), how="left").withColumn(
        "says_none", F.when(F.col("origin").isNotNull(), none)
    )


def written(answered: DataFrame, read: Callable[..., Column], spellings: DataFrame) -> DataFrame:
    """Answers as the catalogue writes them, where an open text has a known spelling in that one."""
    answered = answered.withColumn("read", read("product_type", "attribute", "value", "stated"))
    answered = answered.withColumn("key", F.col("read.key"))
    joined = answered.join(spellings, on=["product_type", "attribute", "key"], how="left")
    # A key without a value is one that may not be published, however it is spelt.
    spelt = F.when(F.col("read.value").isNotNull(), F.coalesce("spelling", "read.value"))
    columns = {"written": spelt, "problem": F.col("read.problem"), "agrees": F.col("read.agrees")}
    return joined.withColumns(columns).drop("read", "spelling")


def with_verdicts(weighed: DataFrame, said: DataFrame) -> DataFrame:
    """Answers with what auditors said of this very value, null where nobody judged it; `said` is from `verdicts`."""
    known = said.select(*PAIR, F.col("value_key").alias("key"), "verdict", "right_value")
    return weighed.join(known, on=[*PAIR, "key"], how="left")
