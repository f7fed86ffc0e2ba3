"""Draw what a person should judge: by gate, uniform within a gate, where a verdict opens most.

The order of draws is a hash of product and attribute, the same for every model and every night: a new model's sample is
uniform in its own answers, and those that say the same as before are judged already. A sample never knows verdicts, but
for one thing: a gate whose last attempt failed is drawn twice as often in the next, at its smaller part of delta.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from extractor import auditing
from extractor.auditing import Plan
from extractor.normalise import NORMALISER_VERSION
from jobs import answers, choosing, config, runs, switches, weighing
from jobs.answers import GROUP, Asked
from jobs.auditing import lots, verdicts
from jobs.config import Audit, Certify
from jobs.pinned import Pinned
from jobs.workers import planning
from schemas.attribute_definitions import ATTRIBUTE_DEFINITIONS
from schemas.audit_items import AUDIT_ITEMS
from schemas.audit_samples import AUDIT_SAMPLES
from schemas.audits import AUDITS
from schemas.catalog_attributes import CATALOG_ATTRIBUTES
from schemas.enums import GateState, State, Support
from schemas.gates import GATES
from schemas.predictions import PREDICTIONS
from schemas.switches import SWITCHES

MOST = 5_000
"""Answers of a gate that its plan looks at, and the largest sample of one gate."""

DRAWN = StructType([*planning.PLAN.fields, StructField("sample_id", StringType())])

Row = dict[str, Any]  # a row of AUDIT_SAMPLES and of planning.PLAN


def draw(job: runs.Job, answered: Mapping[Pinned, DataFrame]) -> str | None:
    """Draw a sample of every gate that is worth it, as far as the budget goes; its id, None where nothing is.

    `answered` is what each model's gates would publish, from `auditable`.
    """
    said = verdicts.verdicts(job.tables.read_or_empty(AUDITS))
    before = job.tables.read_or_empty(AUDIT_SAMPLES)
    sample_id = identity(job)
    samples: list[Row] = []
    for model, answers_ in answered.items():
        ordered = in_order(answers_, said, salt=job.conf.audit.salt).persist()
        open_gates = to_draw(job, model, ordered, before, said)
        plans = planned(open_gates, job.conf.audit, job.conf.calibrate.certify)
        left = job.conf.audit.budget - sum(row["to_judge"] for row in samples)
        mine = [row | stamps(job, model, sample_id) for row in afforded(plans, left)]
        if mine:
            items = items_of(ordered, planned_rows(job, mine), second=job.conf.audit.second)
            job.tables.append(items, AUDIT_ITEMS, txn=f"audit:{sample_id}:{model.version}")
        samples += mine
        ordered.unpersist()
    job.counts |= {"gates_drawn": len(samples), "drawn": sum(row["drawn"] for row in samples)}
    job.counts["to_judge"] = sum(row["to_judge"] for row in samples)
    if not samples:
        return None
    rows = [{name: row[name] for name in AUDIT_SAMPLES.columns} for row in samples]
    # The samples last: a draw that died before has none, and what it drew of items counts for nothing.
    job.tables.append(job.tables.rows(rows, AUDIT_SAMPLES), AUDIT_SAMPLES, txn=f"audit:{sample_id}")
    return sample_id


def unfinished(job: runs.Job, models: Sequence[Pinned]) -> list[str]:
    """The samples that still lack verdicts: their work sheets may be written again."""
    before, items = job.tables.read_or_empty(AUDIT_SAMPLES), job.tables.read_or_empty(AUDIT_ITEMS)
    said = verdicts.verdicts(job.tables.read_or_empty(AUDITS))
    lacking = [
        verdicts.judged(verdicts.newest_samples(before, model), items, said).where("verdict IS NULL")
        for model in models
    ]
    watched = choosing.of_models(items, models).where("gate_id IS NOT NULL")
    lacking.append(watched.join(said, on=list(verdicts.VALUE), how="left_anti"))
    return sorted({row.sample_id for rows in lacking for row in rows.select("sample_id").distinct().collect()})


def identity(job: runs.Job) -> str:
    """The same tables and settings draw the same sample."""
    settings = [job.conf.audit, job.conf.calibrate.certify]
    content = json.dumps([job.tables.versions, config.as_json(settings)], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def stamps(job: runs.Job, model: Pinned, sample_id: str) -> Row:
    """What every row of a draw carries."""
    return {
        "sample_id": sample_id,
        "model_version": model.version,
        "normaliser_version": NORMALISER_VERSION,
        "run_id": job.id,
        "day": job.day,
        "drawn_at": job.started_at,
    }


def auditable(job: runs.Job, model: Pinned, asked: Asked) -> DataFrame:
    """What a gate would publish: values that may be written, of pairs of which nobody says anything."""
    gates = answers.in_force(job.tables.read(GATES), model)
    stated = answers.stated(job.tables.read(CATALOG_ATTRIBUTES), "seller", "audit")
    current = answers.current(job.tables.read(PREDICTIONS), asked.pairs, model)
    weighed = weighing.weigh(current, gates, stated, asked, unknown_words=job.conf.label.unknown_words)
    turned = switches.in_force(job.tables.read_or_empty(SWITCHES)).collect()
    unsaid = F.col("says_none").isNull() & F.col("written").isNotNull() & F.col("confidence").isNotNull()
    allowed = (F.col("support") != Support.INFERRED) | F.col("inferable")
    able = switches.killed(weighed, turned).where("killed IS NULL AND problem IS NULL")
    return able.where((F.col("state") == State.VALUE) & unsaid & allowed).select(
        *PREDICTIONS.key,
        "product_type",
        "support",
        "score",
        "confidence",
        "gate_state",
        F.col("written").alias("value"),
        F.col("key").alias("value_key"),
    )


def in_order(answered: DataFrame, said: DataFrame, *, salt: str) -> DataFrame:
    """Answers with whether somebody has judged that value, and a number that orders them for ever."""
    known = said.select(*verdicts.VALUE, F.lit(True).alias("judged"))
    joined = answered.join(known, on=list(verdicts.VALUE), how="left")
    return joined.withColumns({"judged": F.coalesce("judged", F.lit(False)), "lot": lots.lot(salt, *answers.PAIR)})


def to_draw(job: runs.Job, model: Pinned, ordered: DataFrame, before: DataFrame, said: DataFrame) -> DataFrame:
    """The first answers of every gate that may be drawn now, with its target and which attempt this is.

    A certified gate needs no draw, and one whose last sample lacks verdicts gets none before it has them.
    """
    last = verdicts.newest_samples(before, model)
    items = job.tables.read_or_empty(AUDIT_ITEMS)
    lacking = (
        verdicts.judged(last, items, said).where("verdict IS NULL").groupBy(*GROUP).agg(F.count("*").alias("lacks"))
    )
    waiting = lacking.collect()
    if waiting:
        lacks = sum(row.lacks for row in waiting)
        job.say(f"{len(waiting)} gates of {model.version} wait for {lacks:,} verdicts of their last sample")
    history = last.select(*GROUP, F.col("attempt").alias("last_attempt"), F.col("drawn").alias("last_drawn"))
    targets = job.tables.read(ATTRIBUTE_DEFINITIONS).select(
        "product_type", "attribute", F.col("precision_target").alias("target")
    )
    by_lot = Window.partitionBy(*GROUP).orderBy("lot")
    return (
        ordered.where(F.col("gate_state") != GateState.CERTIFIED)
        .join(F.broadcast(lacking.select(*GROUP)), on=list(GROUP), how="left_anti")
        .join(F.broadcast(history), on=list(GROUP), how="left")
        .join(F.broadcast(targets), on=["product_type", "attribute"], how="inner")
        .withColumn("size", F.count("*").over(Window.partitionBy(*GROUP)))
        .withColumn("place", F.row_number().over(by_lot))
        .where(F.col("place") <= MOST)
        .withColumn("attempt", F.coalesce(F.col("last_attempt") + 1, F.lit(1)))
        .withColumn("again", 2 * F.col("last_drawn"))
        .select(*GROUP, "score", "confidence", "place", "judged", "size", "target", "attempt", "again")
    )


def planned(open_gates: DataFrame, audit: Audit, certify: Certify) -> list[Row]:
    """One plan a gate, for those that are worth auditing at all."""
    plan = planning.planner(most=MOST, slack=audit.slack, delta=certify.delta, starts=certify.starts)
    plans = open_gates.groupBy(*GROUP).applyInPandas(plan, schema=planning.PLAN)
    # A gate whose answers are all judged cannot be tried again by drawing the same ones.
    found = plans.where("audits IS NOT NULL AND (attempt = 1 OR to_judge > 0)").collect()
    return [row.asDict() for row in sorted(found, key=lambda row: tuple(row[name] for name in GROUP))]


def afforded(plans: Sequence[Row], budget: int) -> list[Row]:
    """The plans that the budget is spent on."""
    read = [Plan(row["audits"], tuple(row["thresholds"]), row["chance"], row["volume"]) for row in plans]
    chosen = auditing.allocate(read, [row["to_judge"] for row in plans], budget)
    return [row | {"drawn": row["audits"]} for row, taken in zip(plans, chosen, strict=True) if taken]


def planned_rows(job: runs.Job, rows: Sequence[Row]) -> DataFrame:
    """What was planned, as a frame."""
    return job.spark.createDataFrame([tuple(row[name] for name in DRAWN.names) for row in rows], DRAWN)


def items_of(ordered: DataFrame, drawn: DataFrame, *, second: float) -> DataFrame:
    """The answers that were drawn, in their order; a share of them is for a second auditor, too."""
    by_lot = Window.partitionBy(*GROUP).orderBy("lot")
    wanted = drawn.select("sample_id", *GROUP, "floor", "audits")
    return (
        ordered.join(F.broadcast(wanted), on=list(GROUP), how="inner")
        .where(F.col("score") >= F.col("floor"))
        .withColumn("place", F.row_number().over(by_lot))
        .where(F.col("place") <= F.col("audits"))
        .withColumns({"item_id": lots.item_id(), "second": lots.share(-8) < second})
        .withColumn("gate_id", F.lit(None).cast("string"))
        .select(*AUDIT_ITEMS.columns)
    )
