"""What is decided now: of the log of decisions, those that stand for the pages, definitions and model of today."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from schemas.enums import Decision

PAIR = ("product_id", "attribute")


def standing(decisions: DataFrame, pairs: DataFrame, model_version: str) -> DataFrame:
    """The last decision about each pair (product_id, attribute, input_hash) by a model version; withdrawals are none.

    A pair's input is compared, not only its time: a page that returns to an earlier state has its earlier decision.
    """
    order = Window.partitionBy(*PAIR).orderBy(F.col("decided_at").desc(), F.col("decision") == Decision.WITHDRAWN)
    return (
        decisions.where(F.col("model_version") == model_version)
        .join(pairs.select(*PAIR, "input_hash"), on=[*PAIR, "input_hash"], how="left_semi")
        .withColumn("age", F.row_number().over(order))
        .where((F.col("age") == 1) & (F.col("decision") != Decision.WITHDRAWN))
        .drop("age")
    )
