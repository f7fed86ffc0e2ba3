"""Which answers are killed now."""

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

SCOPE = ("product_type", "attribute", "model_version", "answered_by")
"""What a switch may name; all that it names must fit."""


def in_force(switches: DataFrame) -> DataFrame:
    """The switches that are turned to kill: SCOPE, switch_id, reason."""
    columns = [name for name in switches.columns if name != "switch_id"]
    newest = switches.groupBy("switch_id").agg(F.max_by(F.struct(*columns), "turned_at").alias("last"))
    return newest.select("switch_id", "last.*").where("killed")


def killed(answers: DataFrame, turned: Sequence[Row]) -> DataFrame:
    """Answers (with the columns of SCOPE) and `killed`: why they may not be published, null where they may.

    `turned` are the rows of `in_force`: there are few, so they become one expression.
    """
    why = F.lit(None).cast("string")
    for switch in sorted(turned, key=lambda row: (row.turned_at, row.switch_id)):
        fits = [F.col(name) == switch[name] for name in SCOPE if switch[name] is not None]
        why = F.when(reduce(Column.__and__, fits), F.lit(switch.reason)).otherwise(why)
    return answers.withColumn("killed", why)
