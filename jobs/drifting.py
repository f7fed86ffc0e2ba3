"""Which answers wait, because they are unlike those that their gate was earned on.

A batch is what a model version answered about an attribute of a product type on one day. It is held against all that
this version had answered when the audits of the gate were drawn; a gate that only agrees with sellers speaks of what
there was when the group first had an open gate. Batches too small to be judged alone are judged together, each day's.
A batch that has moved waits until its answers are given anew, a new sample certifies the gate, or an operator says that
it may go out (`publish.drift.known`); all other answers go on.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import reduce
from typing import NamedTuple

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from extractor import drift
from extractor.drift import Aspect, Shift
from jobs import answers
from jobs.answers import GROUP, Asked
from jobs.config import Drift, Known
from jobs.pinned import Pinned
from jobs.workers import drifting
from schemas.enums import GateState, State

ATTRIBUTE = ("product_type", "attribute", "model_version")
BATCH = (*ATTRIBUTE, "answered_on")
PLAIN = {State.VALUE, State.UNKNOWN}
Key = tuple[str, str, str, date]
"""The columns of BATCH."""


class Waiting(NamedTuple):
    """A batch that has moved."""

    product_type: str
    attribute: str
    model_version: str
    answered_on: date
    known_at: datetime
    """Answers given up to then are known."""
    why: str


def waiting(
    predictions: DataFrame, asked: Mapping[str, Asked], models: Sequence[Pinned], known: DataFrame, settings: Drift
) -> list[Waiting]:
    """The batches that have moved; `predictions` are those of `models`, `known` is from `known_since`."""
    kept = known.collect()
    if not kept:
        return []
    earliest = min(row.known_at for row in kept)
    later = predictions.where(F.col("predicted_at") > F.lit(earliest))
    new = [answers.current(later, asked[model.version].pairs, model) for model in models]
    since = F.broadcast(known.sparkSession.createDataFrame(kept, known.schema))
    batches = reduce(DataFrame.unionByName, new).join(since, on=list(ATTRIBUTE)).where("predicted_at > known_at")
    found = histograms(batches).persist()
    if found.isEmpty():
        return []
    before = answers.without_evidence(predictions).join(since, on=list(ATTRIBUTE)).where("predicted_at <= known_at")
    reference = histograms(before.withColumn("answered_on", F.lit(None).cast("date")))
    judge = drifting.judge(smallest=settings.smallest)
    judged = found.unionByName(reference).groupBy(*ATTRIBUTE).applyInPandas(judge, schema=drifting.JUDGED).persist()
    moved = [
        (key, why)
        for key, why in batches_that_moved(judged, settings)
        if not any(_covers(one, key) for one in settings.known)
    ]
    found.unpersist()
    judged.unpersist()
    times = {tuple(row[name] for name in ATTRIBUTE): row.known_at for row in kept}
    return sorted({key: Waiting(*key, times[key[:3]], why) for key, why in reversed(moved)}.values())


def known_since(gates: DataFrame, in_force: DataFrame, samples: DataFrame) -> DataFrame:
    """ATTRIBUTE and `known_at`: up to when the answers that open gates speak of were given."""
    group = [*GROUP, "model_version"]
    opened = gates.where(F.col("state") != GateState.CLOSED)
    first = opened.groupBy(*group).agg(F.min("valid_from").alias("first"))
    drawn = samples.groupBy(*group, F.col("sample_id").alias("audit_sample")).agg(F.max("drawn_at").alias("drawn"))
    certified = F.when(F.col("state") == GateState.CERTIFIED, F.col("drawn"))
    known = in_force.where(F.col("state") != GateState.CLOSED).join(first, on=group)
    known = known.join(drawn, on=[*group, "audit_sample"], how="left")
    return known.groupBy(*ATTRIBUTE).agg(F.min(F.coalesce(certified, F.col("first"))).alias("known_at"))


def histograms(answered: DataFrame) -> DataFrame:
    """BATCH, aspect, bin and num: answers by what is compared of them."""
    plain = F.when(F.col("state").isin(*PLAIN), F.col("state")).otherwise("neither")
    place = reduce(Column.__add__, [(F.col("score") >= cut).cast("int") for cut in drift.CUTS])
    floors = F.array(*(F.lit(f"{cut:g} or more") for cut in (0, *drift.CUTS)))
    bins = {
        Aspect.CONFIDENCES: F.get(floors, place),
        Aspect.SOURCES: F.col("sources"),
        Aspect.VALUES: F.lower(F.trim("value")),
    }
    pairs = [F.struct(F.lit(str(Aspect.STATES)).alias("aspect"), plain.alias("bin"))]
    # Printed and inferred values have gates of their own, and are compared apart.
    for aspect, name in bins.items():
        told = F.concat_ws(" ", "support", F.lit(str(aspect)))
        pairs.append(F.struct(told.alias("aspect"), F.when(F.col("state") == State.VALUE, name).alias("bin")))
    compared = answered.select(*BATCH, F.explode(F.array(*pairs)).alias("told")).where("told.bin IS NOT NULL")
    return compared.groupBy(*BATCH, "told.aspect", "told.bin").agg(F.count("*").cast("double").alias("num"))


def with_waits(answered: DataFrame, waits: Sequence[Waiting]) -> DataFrame:
    """Answers and `waits`: why their batch waits, null where it does not."""
    if not waits:
        return answered.withColumn("waits", F.lit(None).cast("string"))
    kinds = "product_type string, attribute string, model_version string, answered_on date, since timestamp, why string"
    held = answered.sparkSession.createDataFrame([tuple(one) for one in waits], kinds)
    joined = answered.join(F.broadcast(held), on=list(BATCH), how="left")
    return joined.withColumn("waits", F.when(F.col("predicted_at") > F.col("since"), F.col("why"))).drop("since", "why")


def batches_that_moved(judged: DataFrame, settings: Drift) -> list[tuple[Key, str]]:
    """Those that moved by themselves, the farthest first, then small ones of days on which they moved together.

    All tests of a day share its chance of a false alarm.
    """
    rows = judged.where("p IS NOT NULL").orderBy(F.desc("distance"), *BATCH).collect()
    small = judged.where("p IS NULL")
    sums = small_together(small)
    num_tests = Counter([row.answered_on for row in rows] + [day for (_, day, _) in sums])

    def moved(found: Shift, day: date) -> bool:
        return found.distance > settings.distance and found.p <= settings.false_alarm / num_tests[day]

    told: list[tuple[Key, str]] = []
    for row in rows:
        found = Shift(row.distance, row.p, row.bin, row.before, row.now)
        if moved(found, row.answered_on):
            told.append((_key(row), _why(found, row.aspect, f"{row.num:.0f} answers of {row.answered_on}")))
    why = {}
    for (version, day, aspect), (found, num) in sums.items():
        if moved(found, day):
            why[version, day] = _why(found, aspect, f"{num:.0f} answers of {day} in small groups together")
    batches = small.select(*BATCH).distinct().collect() if why else []
    return told + [
        (_key(row), why[row.model_version, row.answered_on])
        for row in batches
        if (row.model_version, row.answered_on) in why
    ]


def small_together(small: DataFrame) -> dict[tuple[str, date, str], tuple[Shift, float]]:
    """By model version, day and aspect: how far small batches have moved together, and how many answers they hold."""
    group = ("model_version", "answered_on", "aspect")
    summed = small.groupBy(*group, "bin").agg(F.sum("before").alias("before"), F.sum("now").alias("now"))
    expected: dict[tuple[str, date, str], dict[str, float]] = {}
    observed: dict[tuple[str, date, str], dict[str, float]] = {}
    for row in summed.orderBy(*group, "bin").collect():
        key = row.model_version, row.answered_on, row.aspect
        expected.setdefault(key, {})[row.bin] = row.before
        observed.setdefault(key, {})[row.bin] = row.now
    return {key: (drift.shift_of_many(expected[key], observed[key]), sum(observed[key].values())) for key in observed}


def _covers(known: Known, key: Key) -> bool:
    product_type, attribute, _, day = key
    return day == known.day and known.covers(product_type, attribute)


def _why(found: Shift, aspect: str, batch: str) -> str:
    moved = f"{found.bin} {found.before:.0%} before, {found.now:.0%} now"
    return f"drift: the {aspect} of the {batch} are unlike those its gate was earned on ({moved})"


def _key(row: Row) -> Key:
    return row.product_type, row.attribute, row.model_version, row.answered_on
