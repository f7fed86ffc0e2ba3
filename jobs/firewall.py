"""Whose words may teach and judge: those of sellers that are not our own come back.

Values of origin `model:*` never do. A seller's value that equals what we had published before it came may be a copy:
it is the seller's to publish, but it proves nothing about us and teaches nothing.
"""

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from extractor.records import Definition
from jobs.answers import PAIR
from jobs.tables import Tables
from jobs.workers import reading
from schemas.decisions import DECISIONS
from schemas.enums import Decision
from schemas.products import PRODUCTS
from schemas.runs import RUNS


def own_words(tables: Tables, stated: DataFrame, known: Sequence[Definition]) -> DataFrame:
    """What people state (from `answers.stated`), less what repeats a value that was published before.

    A seller's clock is his own, and his feeds come late: what counts is when it came to us, if that was later.
    """
    if not tables.exists(DECISIONS):
        return stated
    asked = stated.sparkSession.createDataFrame(
        [(one.product_type, one.attribute) for one in known], "product_type string, attribute string"
    )
    published = tables.read(DECISIONS).where(F.col("decision") == Decision.PUBLISHED)
    ours = published.groupBy(*PAIR, F.col("value").alias("ours")).agg(F.min("decided_at").alias("decided_at"))
    came = tables.read_or_empty(RUNS).groupBy("run_id").agg(F.max("started_at").alias("came_at"))
    later = (
        stated.where("stated IS NOT NULL")
        .join(ours, on=list(PAIR), how="inner")
        .join(F.broadcast(came), on="run_id", how="left")
        .where(F.greatest("observed_at", "came_at") > F.col("decided_at"))
        .join(tables.read(PRODUCTS).where("is_current").select("product_id", "product_type"), on="product_id")
        .join(F.broadcast(asked), on=["product_type", "attribute"], how="left_semi")
    )
    same = reading.reader(known)("product_type", "attribute", "ours", "stated")["agrees"]
    return stated.join(later.where(same).select(*PAIR).distinct(), on=list(PAIR), how="left_anti")
