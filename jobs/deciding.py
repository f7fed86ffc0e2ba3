"""Rules that make decisions of answers, and what of them the log lacks: frames in, frames out, no table."""

from collections.abc import Sequence
from datetime import datetime

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from extractor.normalise import NORMALISER_VERSION
from jobs import answers
from jobs.answers import PAIR
from jobs.config import Publish
from jobs.pinned import Pinned
from schemas.decisions import DECISIONS
from schemas.enums import Decision, GateState, State, Support, Verdict
from schemas.predictions import PREDICTIONS

ANSWER = PREDICTIONS.key
STAMP = ("run_id", "day", "decided_at")
UNKNOWN = "the model says that the page does not show it"
CONTENT = tuple(name for name in DECISIONS.columns if name not in (*ANSWER, *STAMP))
"""What must differ for a decision to be a new one."""


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
        (F.col("waits").isNotNull() & F.col("killed").isNull()).alias("is_waiting"),
        F.lit(False).alias("is_restored"),
        "waits",
    )


def origins(log: DataFrame) -> DataFrame:
    """Every answer that was ever published: ANSWER, when last (`published_at`), and whether it `stands`."""
    published = F.col("decision") == Decision.PUBLISHED
    last = F.max(F.when(published, F.col("decided_at"))).alias("published_at")
    found = log.groupBy(*ANSWER).agg(last, F.max_by(published, "decided_at").alias("stands"))
    return found.where("published_at IS NOT NULL")


def with_restored(decided: DataFrame, able: DataFrame, inputs: DataFrame) -> DataFrame:
    """What was decided, and for killed and waiting answers the value that was published before.

    `able` are answers of `origins` that today's rules would publish (decided rows with `published_at` and `stands`):
    what is killed, judged wrong, closed by its gate or overruled by a seller since does not come back.
    """
    gaps = decided.where("is_killed OR is_waiting").select(
        *PAIR,
        "is_waiting",
        F.col("product_type").alias("now_type"),
        F.col("model_version").alias("now_version"),
        F.when(F.col("is_waiting"), F.col("waits")).otherwise(F.col("reason")).alias("because"),
    )
    newest = Window.partitionBy(*PAIR).orderBy(F.col("published_at").desc(), *ANSWER)
    # For a killed answer, what was read from the page as it is now; for one that waits, what stands: nothing changes
    # there until the batch is no more held back.
    read_now = inputs.withColumn("is_of_now", F.lit(True))
    fits = F.when(F.col("is_waiting"), F.col("stands")).otherwise(F.col("is_of_now"))
    before = (
        able.drop("is_killed", "is_waiting")
        .join(decided.select(*ANSWER), on=list(ANSWER), how="left_anti")
        .join(gaps, on=list(PAIR), how="inner")
        .join(read_now, on=[*PAIR, "input_hash"], how="left")
        .where(fits & (F.col("product_type") == F.col("now_type")))
        .withColumn("age", F.row_number().over(newest))
        .where("age = 1")
    )
    kept = F.concat(F.lit("kept, for the answer of "), "now_version", F.lit(" waits: "), "because")
    restored = F.concat(F.lit("restored, for "), "now_version", F.lit(" is "), "because")
    columns = {"reason": F.when(F.col("is_waiting"), kept).otherwise(restored), "is_restored": F.lit(True)}
    columns |= {"is_killed": F.lit(False), "is_waiting": F.lit(False)}
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
        (state == State.UNKNOWN, Decision.ABSTAINED, F.lit(UNKNOWN)),
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
        (F.col("waits").isNotNull(), Decision.REVIEW, F.col("waits")),
        (
            ~publishes,
            Decision.REVIEW,
            F.concat(F.lit("passes a gate that is only "), "gate_state"),
        ),
        (F.lit(True), Decision.PUBLISHED, F.concat(F.lit("passes a gate that is "), "gate_state")),
    ]


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
