"""What publishing would come to: decisions of the chosen models' answers, and the tables that follow from them.

`publish` writes it; `--dry-run` shows it, with gates that are in force or would be.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from extractor.errors import ContractError
from jobs import answers, choosing, deciding, drifting, runs, switches, weighing
from jobs.answers import PAIR, Asked
from jobs.auditing import verdicts
from jobs.choosing import Attribute, Candidate
from jobs.deciding import ANSWER
from jobs.drifting import Waiting
from jobs.pinned import Pinned
from schemas.attributes import ATTRIBUTES
from schemas.audit_samples import AUDIT_SAMPLES
from schemas.audits import AUDITS
from schemas.catalog_attributes import CATALOG_ATTRIBUTES
from schemas.decisions import DECISIONS
from schemas.enums import Decision
from schemas.predictions import PREDICTIONS
from schemas.review_queue import REVIEW_QUEUE
from schemas.switches import SWITCHES

OUTCOMES = (Decision.PUBLISHED, Decision.CONFIRMED, Decision.REVIEW, Decision.ABSTAINED, Decision.QUARANTINED)
"""What becomes of a requested pair; their counts make up `requested`."""
KINDS = ("appear", "disappear", "change", "stay")
"""What may become of a value of `attributes`."""


class Outcome(NamedTuple):
    """What was decided, and what it was decided from, each table at one version."""

    asked: Mapping[str, Asked]
    """By model version."""
    gates: DataFrame
    predictions: DataFrame
    """Of all models: a value may be restored whose model publishes no more."""
    log: DataFrame
    """The decisions made before."""
    decided: DataFrame
    """One row an answer, and one for each value that is restored or kept in place of another."""
    new: DataFrame
    """The decisions that the log lacks."""
    waits: Sequence[Waiting]
    """Batches that are held back."""

    def shown(self, log: DataFrame) -> DataFrame:
        """What a log of decisions leaves published or queued, with what was read and where.

        A published value replays from its own row.
        """
        standing = deciding.last(log).join(self.decided.select(*ANSWER), on=list(ANSWER), how="left_semi")
        seen = standing.where(F.col("decision").isin(Decision.PUBLISHED, Decision.REVIEW))
        read = self.predictions.select(*ANSWER, F.col("value").alias("value_as_read"), "vocab_id", "evidence")
        return seen.join(read, on=list(ANSWER), how="inner")

    def release(self) -> None:
        """Forget what was kept in memory."""
        for frame in (*(one.pairs for one in self.asked.values()), self.decided, self.new):
            frame.unpersist()


def outcome(job: runs.Job, candidates: Sequence[Candidate], gates: DataFrame) -> Outcome:
    """Decide, with the newest of these gates in force."""
    models, tables, conf = choosing.models(candidates), job.tables, job.conf
    everything = tables.read(PREDICTIONS)
    predictions = choosing.of_models(everything, models)
    by_version = choosing.asked(tables, models)
    asked = by_version[models[0].version]
    for exception in conf.publish.states_of:
        choosing.check_names("publish.states_of", exception, asked.known)
    in_force = choosing.in_force(gates, models)
    chosen = choosing.choose(candidates, asked.known, choosing.recalls(in_force, conf.publish))
    current = answers_of(chosen, predictions, by_version)
    stated = answers.stated(tables.read(CATALOG_ATTRIBUTES), "seller", "audit")
    said = verdicts.verdicts(tables.read_or_empty(AUDITS))
    turned = switches.in_force(tables.read_or_empty(SWITCHES)).collect()
    known = drifting.known_since(gates, in_force, tables.read_or_empty(AUDIT_SAMPLES))
    waits = drifting.waiting(predictions, by_version, models, known, conf.publish.drift)

    def decide(answered: DataFrame, gates: DataFrame, waits: Sequence[Waiting]) -> DataFrame:
        weighed = weighing.weigh(answered, gates, stated, asked, unknown_words=conf.label.unknown_words)
        waiting = drifting.with_waits(weighing.with_verdicts(weighed, said), waits)
        return deciding.decide(switches.killed(waiting, turned), conf.publish)

    log = tables.read_or_empty(DECISIONS)
    decided = decide(current, in_force, waits)
    if turned or waits:
        inputs = choosing.inputs(by_version, models).select(*PAIR, "input_hash").distinct()
        origins = deciding.origins(log)
        before = answers.without_evidence(everything).join(origins.select(*ANSWER), on=list(ANSWER), how="left_semi")
        again = decide(before, answers.newest(gates), ()).where(F.col("decision") == Decision.PUBLISHED)
        decided = deciding.with_restored(decided, again.join(origins, on=list(ANSWER)), inputs)
    decided = decided.persist()
    new = deciding.changes(decided, log, job.started_at, models)
    new = new.withColumns({"run_id": F.lit(job.id), "day": F.lit(job.day)}).persist()
    return Outcome(by_version, gates, everything, log, decided, new, waits)


def answers_of(
    chosen: Mapping[Attribute, Pinned], predictions: DataFrame, by_version: Mapping[str, Asked]
) -> DataFrame:
    """The current answers of the chosen models, each for what it was chosen for: one a pair."""
    parts = []
    for model in dict.fromkeys(chosen.values()):
        given = answers.current(predictions, by_version[model.version].pairs, model)
        parts.append(choosing.only(given, [attribute for attribute, winner in chosen.items() if winner == model]))
    return reduce(DataFrame.unionByName, parts)


def count(outcome: Outcome) -> dict[str, int]:
    """Count what was decided; every requested pair must be among it, once.

    Raises:
        ContractError: a pair has no answer, or several.
    """
    requested = next(iter(outcome.asked.values())).pairs.count()
    # A restored value is what became of its pair; that another answer gave way to it is counted nowhere.
    last = F.max_by("decision", "is_restored").alias("decision")
    unknown = F.count_if(F.col("reason") == deciding.UNKNOWN).alias("unknown")
    fate = outcome.decided.groupBy(*PAIR).agg(last, F.count_if(~F.col("is_restored")).alias("answers"), unknown)
    sums = fate.groupBy("decision").agg(F.sum("answers").alias("num"), F.sum("unknown").alias("unknown")).collect()
    found = {row.decision: row.num for row in sums}
    counts = {str(outcome): found.get(str(outcome), 0) for outcome in OUTCOMES}
    if requested != sum(counts.values()):
        raise ContractError(
            "publish, decided pairs", f"{sum(counts.values()):,}", f"the {requested:,} requested; run enrich"
        )
    return {"requested": requested, "unknown": sum(row.unknown for row in sums)} | counts


def current_attributes(shown: DataFrame, log: DataFrame, gates: DataFrame) -> DataFrame:
    """Rows of `attributes`: what is published now; `shown` is from `Outcome.shown`."""
    published = F.col("decision") == Decision.PUBLISHED
    made = F.min_by(F.struct("decided_at", "run_id", "day"), "decided_at").alias("first")
    first = log.where(published).groupBy(*PAIR, "value").agg(made)
    origin = (F.col("first.decided_at").alias("published_at"), F.col("first.run_id"), F.col("first.day"))
    states = gates.select("gate_id", F.col("state").alias("gate_state"))
    return (
        shown.where(published)
        .join(states, on="gate_id", how="inner")
        .drop("run_id", "day")
        .join(first.select(*PAIR, "value", *origin), on=[*PAIR, "value"], how="inner")
        .select(*ATTRIBUTES.columns)
    )


def current_reviews(shown: DataFrame) -> DataFrame:
    """Rows of `review_queue`: what a person should look at now; `shown` is from `Outcome.shown`."""
    return shown.where(F.col("decision") == Decision.REVIEW).select(*REVIEW_QUEUE.columns)


def differences(job: runs.Job, outcome: Outcome) -> Iterator[str]:
    """What would become of `attributes`, a line for each attribute of a product type that changes, and one of all."""
    before = job.tables.read_or_empty(ATTRIBUTES).select(*PAIR, "product_type", F.col("value").alias("was"))
    log = outcome.log.unionByName(outcome.new.select(*outcome.log.columns))
    after = current_attributes(outcome.shown(log), log, outcome.gates)
    after = after.select(*PAIR, F.col("product_type").alias("type_then"), F.col("value").alias("then"))
    kind = F.when(F.col("was").isNull(), "appear").when(F.col("then").isNull(), "disappear")
    kind = kind.when(F.col("was") != F.col("then"), "change").otherwise("stay")
    both = before.join(after, on=list(PAIR), how="outer").withColumn("kind", kind)
    group = (F.coalesce("type_then", "product_type").alias("product_type"), "attribute")
    counted = both.groupBy(*group).pivot("kind", list(KINDS)).count().fillna(0)
    rows = counted.orderBy(-(F.col("appear") + F.col("disappear")), "product_type", "attribute").collect()
    for row in rows:
        if row.appear or row.disappear or row.change:
            yield f"{row.product_type}, {row.attribute}: " + _told(row.asDict())
    yield "values in all: " + _told({name: sum(row[name] for row in rows) for name in KINDS})


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{counts[name]:,} {name}" for name in KINDS)
