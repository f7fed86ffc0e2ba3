"""What auditors said: one verdict a value of a pair, and the samples that are judged whole."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from extractor.normalise import NORMALISER_VERSION
from jobs.answers import GROUP, PAIR
from jobs.pinned import Pinned
from schemas.enums import Verdict

VALUE = (*PAIR, "value_key")
"""What a verdict is about: it holds for every model that says the same of the product."""


def verdicts(audits: DataFrame) -> DataFrame:
    """VALUE, verdict, num_auditors, judged_at, right_value: each auditor's newest word, right only where all say so."""
    says_wrong = F.col("verdict").isin(Verdict.WRONG, Verdict.NOT_APPLICABLE)
    unsure = F.col("verdict") == Verdict.CANNOT_TELL
    verdict = (
        F.when(F.max(says_wrong), F.lit(str(Verdict.WRONG)))
        .when(F.max(unsure), F.lit(str(Verdict.CANNOT_TELL)))
        .otherwise(F.lit(str(Verdict.RIGHT)))
    )
    return (
        newest_words(audits)
        .groupBy(*VALUE)
        .agg(
            verdict.alias("verdict"),
            F.count("*").alias("num_auditors"),
            F.min("audited_at").alias("judged_at"),
            F.max(F.when(says_wrong, F.col("right_value"))).alias("right_value"),
        )
    )


def newest_words(audits: DataFrame) -> DataFrame:
    """The rows of `audits` that no later word of the same auditor on the same value has replaced."""
    by_auditor = Window.partitionBy(*VALUE, "auditor").orderBy(F.col("audited_at").desc(), "verdict")
    return audits.withColumn("age", F.row_number().over(by_auditor)).where("age = 1").drop("age")


def newest_samples(samples: DataFrame, model: Pinned) -> DataFrame:
    """The last draw of each gate of a model version; one made for another normaliser proves nothing."""
    order = Window.partitionBy(*GROUP).orderBy(F.col("attempt").desc(), F.col("drawn_at").desc(), "sample_id")
    mine = (F.col("model_version") == model.version) & (F.col("normaliser_version") == NORMALISER_VERSION)
    return samples.where(mine).withColumn("age", F.row_number().over(order)).where("age = 1").drop("age")


def judged(samples: DataFrame, items: DataFrame, said: DataFrame) -> DataFrame:
    """The items of samples with their verdict, null where nobody has judged them yet.

    `samples` has one row a gate and model version, `said` is from `verdicts`.
    """
    gates = samples.select("sample_id", *GROUP, "model_version", "attempt", "thresholds", "population", "day")
    return items.join(F.broadcast(gates), on=["sample_id", *GROUP, "model_version"], how="inner").join(
        said.select(*VALUE, "verdict"), on=list(VALUE), how="left"
    )
