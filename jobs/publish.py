"""Decide what may be published of the models' answers, and keep `attributes` and `review_queue` true to it.

    python -m jobs.publish --conf conf/local.yaml --day 2026-01-15

No model is called. Where `publish.models` lets several answer, one is chosen for each attribute of a product type
(jobs/choosing.py) and its answers alone are decided. A decision is appended when it differs from the last one about
the same answer; `attributes` and `review_queue` follow from the decisions, so a run that died between the two is
mended by the next. A value of a seller or an auditor is never overwritten: agreement is `confirmed`, anything else a
case for review.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from extractor.errors import ContractError
from extractor.normalise import NORMALISER_VERSION
from jobs import answers, choosing, runs, switches, weighing
from jobs.answers import PAIR, Asked
from jobs.auditing import verdicts
from jobs.choosing import Attribute, Candidate
from jobs.config import Publish
from jobs.pinned import Pinned
from schemas.attributes import ATTRIBUTES
from schemas.audits import AUDITS
from schemas.catalog_attributes import CATALOG_ATTRIBUTES
from schemas.decisions import DECISIONS
from schemas.enums import Decision, GateState, State, Support, Verdict
from schemas.gates import GATES
from schemas.predictions import PREDICTIONS
from schemas.review_queue import REVIEW_QUEUE
from schemas.switches import SWITCHES

ANSWER = PREDICTIONS.key
OUTCOMES = (Decision.PUBLISHED, Decision.CONFIRMED, Decision.REVIEW, Decision.ABSTAINED, Decision.QUARANTINED)
"""What becomes of a requested pair; their counts make up `requested`."""
STAMP = ("run_id", "day", "decided_at")
CONTENT = tuple(name for name in DECISIONS.columns if name not in (*ANSWER, *STAMP))
"""What must differ for a decision to be a new one."""


def main(argv: Sequence[str] | None = None) -> None:
    """The story of the job."""
    with runs.job("publish", argv, doc=__doc__) as job:
        publish(job, choosing.candidates(job.conf))


def publish(job: runs.Job, candidates: Sequence[Candidate]) -> None:
    """Decide, append what is new, bring the two current tables into line."""
    models = choosing.models(candidates)
    job.model_version = choosing.versions(models)
    predictions, gates = choosing.of_models(job.tables.read(PREDICTIONS), models), job.tables.read(GATES)
    by_version = choosing.asked(job.tables, models)
    asked = by_version[models[0].version]
    in_force = choosing.in_force(gates, models)
    chosen = choosing.choose(candidates, asked.known, choosing.recalls(in_force, job.conf.publish))
    current = answers_of(chosen, predictions, by_version)
    stated = answers.stated(job.tables.read(CATALOG_ATTRIBUTES), "seller", "audit")
    weighed = weighing.weigh(current, in_force, stated, asked, unknown_words=job.conf.label.unknown_words)
    audited = weighing.with_verdicts(weighed, verdicts.verdicts(job.tables.read_or_empty(AUDITS)))
    turned = switches.in_force(job.tables.read_or_empty(SWITCHES)).collect()
    log = job.tables.read_or_empty(DECISIONS)
    decided = decide(switches.killed(audited, turned), job.conf.publish)
    everything = job.tables.read(PREDICTIONS)
    if turned:
        inputs = choosing.inputs(by_version, models).select(*PAIR, "input_hash").distinct()
        decided = with_restored(decided, switches.killed(origins(log, everything), turned), inputs)
    decided = decided.persist()
    job.counts |= count(decided, requested=asked.pairs.count())

    new = changes(decided, log, job.started_at, models).persist()
    num_new, num_withdrawn = new.agg(F.count("*"), F.count_if(F.col("decision") == Decision.WITHDRAWN)).collect()[0]
    job.counts |= {"new_decisions": num_new, "withdrawn": num_withdrawn}
    if num_new:
        # The same versions of all inputs make the same decisions: of two twins one appends.
        txn = hashlib.sha256(json.dumps([job.model_version, job.tables.versions], sort_keys=True).encode()).hexdigest()[
            :16
        ]
        stamps = {"run_id": F.lit(job.id), "day": F.lit(job.day)}
        job.tables.append(new.withColumns(stamps), DECISIONS, txn=f"publish:{txn}")

    log = job.tables.read_or_empty(DECISIONS)
    standing = last(log).join(decided.select(*ANSWER), on=list(ANSWER), how="left_semi")
    job.tables.synchronise(current_attributes(standing, log, everything, gates), ATTRIBUTES)
    job.tables.synchronise(current_reviews(standing, everything), REVIEW_QUEUE)
    for frame in (*(one.pairs for one in by_version.values()), decided, new):
        frame.unpersist()


def answers_of(
    chosen: Mapping[Attribute, Pinned], predictions: DataFrame, by_version: Mapping[str, Asked]
) -> DataFrame:
    """The current answers of the chosen models, each for what it was chosen for: one a pair."""
    parts = []
    for model in dict.fromkeys(chosen.values()):
        given = answers.current(predictions, by_version[model.version].pairs, model)
        parts.append(choosing.only(given, [attribute for attribute, winner in chosen.items() if winner == model]))
    return reduce(DataFrame.unionByName, parts)


def decide(answered: DataFrame, settings: Publish) -> DataFrame:
    """One decision an answer: the first rule that holds."""
    decision, reason = F.when(F.lit(False), ""), F.when(F.lit(False), "")
    for holds, outcome, why in rules(answers.publishing(settings), settings.review_margin):
        decision, reason = decision.when(holds, str(outcome)), reason.when(holds, why)
    return answered.select(
        *ANSWER,
        "product_type",
        "support",
        "gate_id",
        F.col("written").alias("value"),
        "confidence",
        F.col("stated").alias("seller_value"),
        decision.alias("decision"),
        reason.alias("reason"),
        F.col("killed").isNotNull().alias("is_killed"),
        F.lit(False).alias("is_restored"),
    )


def origins(log: DataFrame, predictions: DataFrame) -> DataFrame:
    """The last decision about every answer that was ever published, with the run that computed the answer."""
    published = F.col("decision") == Decision.PUBLISHED
    newest = log.where(published).groupBy(*ANSWER).agg(F.max("decided_at").alias("decided_at"))
    computed = predictions.select(*ANSWER, F.col("run_id").alias("answered_by"))
    return (
        log.where(published)
        .join(newest, on=[*ANSWER, "decided_at"], how="left_semi")
        .join(computed, on=list(ANSWER), how="inner")
    )


def with_restored(decided: DataFrame, published: DataFrame, inputs: DataFrame) -> DataFrame:
    """What was decided, and for killed answers the value that was published before, where the page is as it was then.

    Nothing may kill that as well. `published` is from `origins`, with `killed`.
    """
    gap = decided.where("is_killed").select(
        *PAIR, F.col("model_version").alias("now_version"), F.col("reason").alias("because")
    )
    newest = Window.partitionBy(*PAIR).orderBy(F.col("decided_at").desc(), *ANSWER)
    before = (
        published.where("killed IS NULL")
        .join(inputs, on=[*PAIR, "input_hash"], how="left_semi")
        .join(decided.select(*ANSWER), on=list(ANSWER), how="left_anti")
        .join(gap, on=list(PAIR), how="inner")
        .withColumn("age", F.row_number().over(newest))
        .where("age = 1")
    )
    because = F.concat(F.lit("restored, for "), "now_version", F.lit(" is "), "because")
    columns = {"decision": F.lit(str(Decision.PUBLISHED)), "reason": because}
    columns |= {"is_killed": F.lit(False), "is_restored": F.lit(True)}
    return decided.unionByName(before.withColumns(columns).select(*decided.columns))


def rules(publishes: Column, margin: float) -> list[tuple[Column, Decision, Column]]:
    """What holds, what is decided then, and why; a condition that is null does not hold."""
    state, stated = F.col("state"), F.col("says_none").isNotNull()
    unwritable = F.col("problem").isNotNull()
    below = (F.col("confidence") < F.col("threshold")) | ~F.col("reached")
    far_below = F.col("confidence") < F.col("threshold") - margin
    who = F.when(F.col("origin") == "audit", F.lit("an auditor")).otherwise(F.lit("the seller"))
    closed = F.coalesce(F.concat(F.lit("the gate is closed: "), "gate_reason"), F.lit("nobody calibrated this group"))
    unread = F.coalesce("reason", F.lit("the model could not read this input"))
    return [
        (F.col("killed").isNotNull(), Decision.ABSTAINED, F.concat(F.lit("killed: "), "killed")),
        (state == State.ERROR, Decision.QUARANTINED, unread),
        (state == State.UNKNOWN, Decision.ABSTAINED, F.lit("the model says that the page does not show it")),
        (state == State.TRUNCATED, Decision.ABSTAINED, F.lit("the answer did not end: its value is a beginning")),
        (
            F.col("verdict") == Verdict.WRONG,
            Decision.ABSTAINED,
            F.concat(F.lit("an auditor found it wrong"), F.coalesce(F.concat(F.lit(": "), "right_value"), F.lit(""))),
        ),
        (
            (F.col("support") == Support.INFERRED) & ~F.col("inferable"),
            Decision.ABSTAINED,
            F.lit("inferred, which this attribute may not be"),
        ),
        (F.col("gate_id").isNull() | (F.col("gate_state") == GateState.CLOSED), Decision.ABSTAINED, closed),
        (
            F.col("normaliser_version") != NORMALISER_VERSION,
            Decision.ABSTAINED,
            F.lit("the gate was measured with another normaliser: calibrate again"),
        ),
        (far_below | (below & (stated | unwritable)), Decision.ABSTAINED, F.lit("below the gate")),
        (below, Decision.REVIEW, F.lit("a little below the gate")),
        (unwritable, Decision.REVIEW, F.col("problem")),
        (F.col("says_none"), Decision.REVIEW, F.concat(who, F.lit(" says that there is none"))),
        (F.col("agrees"), Decision.CONFIRMED, F.concat(who, F.lit(" says so too"))),
        (stated, Decision.REVIEW, F.concat(who, F.lit(" says otherwise"))),
        (
            ~publishes,
            Decision.REVIEW,
            F.concat(F.lit("passes a gate that is only "), "gate_state"),
        ),
        (F.lit(True), Decision.PUBLISHED, F.concat(F.lit("passes a gate that is "), "gate_state")),
    ]


def count(decided: DataFrame, *, requested: int) -> dict[str, int]:
    """Count what was decided; every requested pair must be among it, once."""
    # A restored value is what became of its pair; that another answer was killed for it is counted nowhere.
    last = F.max_by("decision", "is_restored").alias("decision")
    fate = decided.groupBy(*PAIR).agg(last, F.count_if(~F.col("is_restored")).alias("answers"))
    found = {row.decision: row.num for row in fate.groupBy("decision").agg(F.sum("answers").alias("num")).collect()}
    counts = {str(outcome): found.get(str(outcome), 0) for outcome in OUTCOMES}
    if requested != sum(counts.values()):
        raise ContractError(
            "publish, decided pairs", f"{sum(counts.values()):,}", f"the {requested:,} requested; run enrich"
        )
    return {"requested": requested} | counts


def last(log: DataFrame) -> DataFrame:
    """The last decision about each answer."""
    columns = [name for name in DECISIONS.columns if name not in ANSWER]
    newest = F.max_by(F.struct(*columns), "decided_at").alias("last")
    return log.groupBy(*ANSWER).agg(newest).select(*ANSWER, "last.*")


def changes(decided: DataFrame, log: DataFrame, at: datetime, models: Sequence[Pinned]) -> DataFrame:
    """The decisions that are not in the log already, and a withdrawal for every one that stands no more."""
    before = last(log)
    content = F.struct(*CONTENT)
    known = before.select(*ANSWER, content.alias("known"))
    differs = ~content.eqNullSafe(F.col("known"))
    now = decided.select(*ANSWER, *CONTENT)
    new = now.join(known, on=list(ANSWER), how="left").where(differs).drop("known")
    # A value leaves a moment before it is decided anew: the last word on an answer is what is true of it now.
    moment = F.lit(at) + F.expr("INTERVAL 1 MICROSECOND")
    return (
        withdrawn(decided, before, models)
        .withColumn("decided_at", F.lit(at))
        .unionByName(new.withColumn("decided_at", moment))
    )


def withdrawn(decided: DataFrame, before: DataFrame, models: Sequence[Pinned]) -> DataFrame:
    """A decision for every answer that was published and is not so now, or that gave way to another model's.

    The second concerns the models that may publish now: what was decided of one that is retired stays its last word.
    """
    published = F.col("decision") == Decision.PUBLISHED
    rival = F.col("model_version").isin([model.version for model in models])
    gave_way = rival & (F.col("now_version") != F.col("model_version"))
    now = decided.where("NOT is_restored").select(
        *PAIR,
        F.col("model_version").alias("now_version"),
        F.col("decision").alias("now"),
        F.col("reason").alias("because"),
    )
    still = decided.where(published).select(*ANSWER)
    gone = (
        before.where(F.col("decision") != Decision.WITHDRAWN)
        .join(still, on=list(ANSWER), how="left_anti")
        .join(now, on=list(PAIR), how="left")
        .where(published | gave_way)
    )
    because = (
        F.when(gave_way, F.concat(F.lit("chosen is now "), "now_version"))
        .when(F.col("now") == Decision.PUBLISHED, F.lit("a newer answer took its place"))
        .when(F.col("now").isNotNull(), F.concat_ws("", F.lit("now "), "now", F.lit(": "), "because"))
        .otherwise(F.lit("its product or its attribute is no more asked about"))
    )
    return gone.select(
        *ANSWER,
        *(name for name in CONTENT if name not in ("decision", "reason")),
        F.lit(str(Decision.WITHDRAWN)).alias("decision"),
        because.alias("reason"),
    )


def current_attributes(standing: DataFrame, log: DataFrame, predictions: DataFrame, gates: DataFrame) -> DataFrame:
    """Rows of `attributes`: what is published now, with what it was read from."""
    published = F.col("decision") == Decision.PUBLISHED
    made = F.min_by(F.struct("decided_at", "run_id", "day"), "decided_at").alias("first")
    first = log.where(published).groupBy(*PAIR, "value").agg(made)
    origin = (F.col("first.decided_at").alias("published_at"), F.col("first.run_id"), F.col("first.day"))
    states = gates.select("gate_id", F.col("state").alias("gate_state"))
    return (
        with_evidence(standing.where(published), predictions)
        .join(states, on="gate_id", how="inner")
        .drop("run_id", "day")
        .join(first.select(*PAIR, "value", *origin), on=[*PAIR, "value"], how="inner")
        .select(*ATTRIBUTES.columns)
    )


def current_reviews(standing: DataFrame, predictions: DataFrame) -> DataFrame:
    """Rows of `review_queue`: what a person should look at now."""
    queued = standing.where(F.col("decision") == Decision.REVIEW)
    return with_evidence(queued, predictions).select(*REVIEW_QUEUE.columns)


def with_evidence(decisions: DataFrame, predictions: DataFrame) -> DataFrame:
    """Decisions with the value as it was read and where: a published value replays from its own row."""
    read = predictions.select(*ANSWER, F.col("value").alias("value_as_read"), "vocab_id", "evidence")
    return decisions.join(read, on=list(ANSWER), how="inner")


if __name__ == "__main__":
    main()
