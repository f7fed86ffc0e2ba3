"""Hold the warehouse against what must always be true of it; rows that break it are shown and end the job with code 2.

    python -m jobs.verify --conf conf/local.yaml --day 2026-01-15

The last step of a night, after publish. It reads keys and gates, calls no model and changes nothing.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from extractor.errors import ContractError
from jobs import answers, deciding, runs
from jobs.answers import PAIR
from jobs.deciding import ANSWER
from jobs.tables import Tables
from schemas.attribute_definitions import ATTRIBUTE_DEFINITIONS
from schemas.attributes import ATTRIBUTES
from schemas.catalog_attributes import CATALOG_ATTRIBUTES
from schemas.catalogue import WAREHOUSE
from schemas.decisions import DECISIONS
from schemas.enums import Decision, GateState
from schemas.gates import GATES
from schemas.predictions import PREDICTIONS
from schemas.products import PRODUCTS
from schemas.review_queue import REVIEW_QUEUE
from schemas.runs import RUNS

SHOWN = 3
"""Rows that break a rule and are shown."""
READER = 1
"""The reader version that every analyst's tool has."""


class Rule(NamedTuple):
    """Something that must be true, and the rows that break it."""

    says: str
    broken: DataFrame


def main(argv: Sequence[str] | None = None) -> None:
    """The story of the job."""
    with runs.job("verify", argv, doc=__doc__) as job:
        problems = [*broken(rules(job.tables)), *unreadable(job.tables)]
        job.counts |= {"broken": len(problems)}
        for problem in problems[1:]:
            job.say(problem)
        if problems:
            raise ContractError(f"warehouse {job.tables.root}", problems[0], "what docs/runbook.md lists under verify")


def rules(tables: Tables) -> list[Rule]:
    """What must be true of rows."""
    predictions = tables.read_or_empty(PREDICTIONS)
    attributes, reviews = tables.read_or_empty(ATTRIBUTES), tables.read_or_empty(REVIEW_QUEUE)
    last = deciding.last(tables.read_or_empty(DECISIONS))
    published, queued = (last.where(F.col("decision") == one) for one in (Decision.PUBLISHED, Decision.REVIEW))
    gates = tables.read_or_empty(GATES).select("gate_id", "state", "threshold")
    passes = (F.col("state") != GateState.CLOSED) & (F.col("confidence") >= F.col("threshold"))
    stated = answers.stated(tables.read_or_empty(CATALOG_ATTRIBUTES), "seller", "audit").select(*PAIR)
    read = predictions.withColumnRenamed("value", "value_as_read")
    return [
        Rule("an answer stands in predictions once", twice(predictions, ANSWER)),
        Rule("a pair is published once", twice(attributes, PAIR)),
        Rule("a published value is an answer as it was read", lacks(attributes, read, "value_as_read")),
        Rule("a published value is what was decided last", lacks(attributes, published, "value", "gate_id")),
        Rule("what was decided to be published is", lacks(published, attributes, "value", "gate_id")),
        Rule("what waits for review was decided last", lacks(reviews, queued)),
        Rule(
            "a pair whose answers were all decided to wait for review does",
            waiting(tables, last).join(reviews, on=list(PAIR), how="left_anti"),
        ),
        Rule(
            "a published value passes its gate", lacks(attributes, attributes.join(gates, on="gate_id").where(passes))
        ),
        Rule("no value of a seller or an auditor is replaced", attributes.join(stated, on=list(PAIR), how="left_semi")),
    ]


def waiting(tables: Tables, last: DataFrame) -> DataFrame:
    """Pairs that are asked now and for which the models that publish now have nothing but values for review.

    What was decided of an answer to an older page, or of a model that is retired, stays its last decision.
    """
    published = runs.succeeded(tables.read_or_empty(RUNS), "publish")
    models = published.agg(F.max_by("model_version", "started_at")).collect()[0][0]
    products = tables.read_or_empty(PRODUCTS).where("is_current").select("product_id", "product_type")
    defined = tables.read_or_empty(ATTRIBUTE_DEFINITIONS).select("product_type", "attribute")
    asked = products.join(F.broadcast(defined), on="product_type", how="inner").select(*PAIR)
    of_now = last.where(F.col("model_version").isin((models or "").split(", ")))
    for_review = of_now.groupBy(*PAIR).agg(F.every(F.col("decision") == Decision.REVIEW).alias("waits"))
    return for_review.where("waits").join(asked, on=list(PAIR), how="left_semi").drop("waits")


def twice(rows: DataFrame, key: Sequence[str]) -> DataFrame:
    """Keys that several rows have."""
    return rows.groupBy(*key).count().where("count > 1")


def lacks(rows: DataFrame, others: DataFrame, *columns: str) -> DataFrame:
    """The rows without their equal, by the answer's key and some columns, among others."""
    return rows.join(others, on=[*ANSWER, *columns], how="left_anti")


def broken(rules: Sequence[Rule]) -> Iterator[str]:
    """Each broken rule with how many rows break it, and the first of them."""
    for says, rows in rules:
        keys = [name for name in (*ANSWER, "value", "confidence", "count") if name in rows.columns]
        shown = rows.select(*keys).orderBy(*keys).limit(SHOWN).collect()
        if shown:
            told = "; ".join(", ".join(f"{name} {row[name]}" for name in keys) for row in shown)
            yield f"{says}, but {rows.count():,} rows do not hold it: {told}"


def unreadable(tables: Tables) -> Iterator[str]:
    """Tables that need a newer reader than analysts have."""
    for table in WAREHOUSE.values():
        if tables.exists(table) and (version := tables.reader_version(table)) > READER:
            yield f"table {table.name} needs reader version {version}, but analysts have {READER}"


if __name__ == "__main__":
    main()
