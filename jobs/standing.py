"""What is decided now: of the log of decisions, those that stand for the pages, definitions and models of today."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from schemas.enums import Decision

PAIR = ("product_id", "attribute")
INPUT = (*PAIR, "input_hash", "model_version")


def standing(decisions: DataFrame, inputs: DataFrame) -> DataFrame:
    """The last decision about each pair by one of the models that may publish; withdrawals are none.

    `inputs` is what each of them reads now: product_id, attribute, input_hash, model_version. A pair's input is
    compared, not only its time: a page that returns to an earlier state has its earlier decision.
    """
    later = (F.col("decided_at").desc(), F.col("decision") == Decision.WITHDRAWN)
    # A model whose answer gave way to another's says so by a withdrawal, which is no word on the other's answer.
    by_model = Window.partitionBy(*PAIR, "model_version").orderBy(*later)
    of_all = Window.partitionBy(*PAIR).orderBy(F.col("decided_at").desc(), "model_version")
    return (
        decisions.join(inputs.select(*INPUT), on=list(INPUT), how="left_semi")
        .withColumn("age", F.row_number().over(by_model))
        .where((F.col("age") == 1) & (F.col("decision") != Decision.WITHDRAWN))
        .withColumn("age", F.row_number().over(of_all))
        .where("age = 1")
        .drop("age")
    )
