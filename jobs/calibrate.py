"""Make the precision gates of a model version from its answers on products whose sellers gave a value.

    python -m jobs.calibrate --conf conf/local.yaml --day 2026-01-15
    python -m jobs.calibrate --conf conf/local.yaml --day 2026-01-15 --dry-run

Judged are answers on the configured split, which training never saw, by what the seller says (never by a value that a
model wrote, or that repeats one we published). All models are judged on the same pairs, so that recalls can be
compared. Every (product type, attribute, support) that definitions know gets a gate, closed ones with a reason. Where
people have judged a gate's audit sample, that decides: it is certified at the threshold that the verdicts prove, or
closed; it is closed as well where checks of what it let out speak against it, or where sellers agree with us far more
than people do. A gate is appended when it differs from the one before it, so calibrating again appends nothing.
--dry-run appends none either: it says which values the next publish would let out and take back.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from extractor import calibration, metrics
from extractor.calibration import Calibrator
from extractor.normalise import NORMALISER_VERSION
from extractor.records import Definition
from jobs import answers, choosing, firewall, outcome, pinned, runs
from jobs.answers import GROUP, PAIR, Asked
from jobs.auditing import proofs
from jobs.auditing.proofs import Row, Seen, Watched
from jobs.config import Calibrate
from jobs.pinned import Pinned
from jobs.workers import reading
from schemas.catalog_attributes import CATALOG_ATTRIBUTES
from schemas.enums import GateState, State, Support
from schemas.examples import EXAMPLES
from schemas.gates import GATES
from schemas.predictions import PREDICTIONS

MOST_JUDGED = 5_000
"""Judged pairs an attribute of a product type, at most: more change no threshold, and they are sorted on the driver."""
MADE_LATER = ("gate_id", "valid_from", "run_id")
"""What a gate is given when it is appended; the rest is its content."""


def main(argv: Sequence[str] | None = None) -> None:
    """The story of the job."""
    with runs.job("calibrate", argv, doc=__doc__, shorthands={"--dry-run": "calibrate.dry_run"}) as job:
        calibrate(job, pinned.pin(job.conf))


def calibrate(job: runs.Job, model: Pinned) -> None:
    """Judge, make gates, append those that are new."""
    job.model_version = model.version
    settings = job.conf.calibrate
    asked = answers.asked(job.tables, model)
    judges = judging(
        firewall.own_words(job.tables, answers.stated(job.tables.read(CATALOG_ATTRIBUTES), "seller"), asked.known),
        of_split(job.tables.read(EXAMPLES), settings.split),
        asked.pairs,
        unknown_words=job.conf.label.unknown_words,
    )
    evidence = judged(answers.current(job.tables.read(PREDICTIONS), asked.pairs, model), judges, asked).toPandas()
    made = list(make(evidence, num_stated(judges), asked.known, model.version, settings))
    gates = certified(job, model, made, evidence, asked.known)

    in_force = answers.in_force(job.tables.read_or_empty(GATES), model).collect()
    before = {proofs.group_of(row.asDict()): row.asDict() for row in in_force}
    changed = [named(gate, before.get(proofs.group_of(gate))) for gate in gates]
    new = [gate | {"valid_from": job.started_at, "run_id": job.id} for gate in changed if gate is not None]
    if settings.dry_run:
        preview(job, new)
    elif new:
        txn = hashlib.sha256(json.dumps(sorted(gate["gate_id"] for gate in new)).encode()).hexdigest()[:16]
        job.tables.append(job.tables.rows(new, GATES), GATES, txn=f"calibrate:{txn}")
    job.counts |= {"judged": len(evidence), "right": int(evidence["right"].sum()), "gates": len(gates)}
    job.counts |= {state: sum(gate["state"] == state for gate in gates) for state in map(str, GateState)}
    job.counts["new"] = len(new)


def certified(
    job: runs.Job, model: Pinned, made: Sequence[Row], evidence: pd.DataFrame, known: Sequence[Definition]
) -> list[Row]:
    """The gates after what people have said."""
    settings = job.conf.calibrate.certify
    proven = proofs.proven(proofs.audited(job, model), known, settings)
    watched = proofs.watched(job, model)
    of_group: Mapping[Any, pd.DataFrame] = dict(iter(evidence.groupby(list(GROUP))))
    gates = []
    for gate in made:
        group = proofs.group_of(gate)
        proof = proven.get(group)
        since = Watched() if proof is None else watched.get((*group, proof.sample_id), Watched())
        seen = Seen(of_group.get(group, evidence.iloc[:0]), since)
        gates.append(proofs.certified(gate, proof, seen, settings))
    return gates


def preview(job: runs.Job, new: Sequence[Row]) -> None:
    """Say what these gates would change, and append nothing."""
    gates = job.tables.read_or_empty(GATES).unionByName(job.tables.rows(new, GATES))
    found = outcome.outcome(job, choosing.candidates(job.conf), gates)
    for line in outcome.differences(job, found):
        job.say(line)
    found.release()


def of_split(examples: DataFrame, split: str) -> DataFrame:
    """The products that the newest snapshot of examples has in a split."""
    # A run's id holds its day and start, so the greatest is the newest.
    newest = examples.agg(F.max_by("examples_id", "run_id").alias("examples_id"))
    found = examples.join(newest, on="examples_id", how="left_semi").where(F.col("split") == split)
    return found.select("product_id").distinct()


def judging(stated: DataFrame, products: DataFrame, pairs: DataFrame, *, unknown_words: Sequence[str]) -> DataFrame:
    """What judges answers: PAIR, product_type, stated, says_none, for pairs that are asked and a seller speaks of."""
    order = Window.partitionBy("product_type", "attribute").orderBy(F.xxhash64("product_id"), "product_id")
    return (
        stated.join(pairs.select(*PAIR, "product_type"), on=list(PAIR), how="inner")
        .join(products, on="product_id", how="left_semi")
        .withColumn("place", F.row_number().over(order))
        .where(F.col("place") <= MOST_JUDGED)
        .select(*PAIR, "product_type", "stated", answers.states_none(F.col("stated"), unknown_words).alias("says_none"))
    )


def num_stated(judges: DataFrame) -> dict[tuple[str, str], int]:
    """For how many pairs of each attribute of a product type the seller states a value."""
    counted = judges.where(~F.col("says_none")).groupBy("product_type", "attribute").agg(F.count("*").alias("num"))
    return {(row.product_type, row.attribute): row.num for row in counted.collect()}


def judged(current: DataFrame, judges: DataFrame, asked: Asked) -> DataFrame:
    """Answers with a value, held against what the seller says: GROUP, score, right. `unknown` is no claim to judge.

    A seller who says that there is no value makes every answer wrong: what is read off such pages is invented.
    """
    read = reading.reader(asked.known)("product_type", "attribute", "value", "stated")
    agrees = F.coalesce(read["agrees"], F.lit(False))
    return (
        current.where(F.col("state") == State.VALUE)
        .join(judges.drop("product_type"), on=list(PAIR), how="inner")
        .withColumn("right", ~F.col("says_none") & agrees)
        # Sums of floats depend on their order, and gates are named by a hash of their figures.
        .orderBy(*GROUP, "score", "right", "product_id")
        .select(*GROUP, "score", "right")
    )


def make(
    evidence: pd.DataFrame,
    stated: Mapping[tuple[str, str], int],
    definitions: Sequence[Definition],
    model_version: str,
    settings: Calibrate,
) -> Iterator[Row]:
    """A gate for each attribute of each product type and each support, with or without evidence."""
    for support in Support:
        pool = evidence[evidence["support"] == str(support)]
        curves = fitted(pool, prior_strength=settings.prior_strength)
        rows: Mapping[Any, pd.DataFrame] = dict(iter(pool.groupby(["product_type", "attribute"])))
        for definition in definitions:
            group = (definition.product_type, definition.attribute)
            judged_ones = rows.get(group, pool.iloc[:0])
            num = stated.get(group, 0)
            made = gate(definition, support, curves.of(*group), judged_ones, settings, num_stated=num)
            yield made | {"model_version": model_version}


class Curves(NamedTuple):
    """Calibrations of one support: of groups, of attributes over all product types, of everything."""

    groups: Mapping[tuple[str, str], Calibrator]
    attributes: Mapping[str, Calibrator]
    everything: Calibrator

    def of(self, product_type: str, attribute: str) -> Calibrator:
        """The nearest that there is."""
        return self.groups.get((product_type, attribute)) or self.attributes.get(attribute) or self.everything


def fitted(pool: pd.DataFrame, *, prior_strength: float) -> Curves:
    """Each group pooled with its attribute's other product types, each attribute with all others."""
    score, right = pool["score"], pool["right"]
    names, groups = list(pool["attribute"]), list(zip(pool["product_type"], pool["attribute"], strict=True))
    everything = calibration.fit(score, right)
    attributes = calibration.fit_groups(names, score, right, pools=lambda _: everything, prior_strength=prior_strength)
    own = calibration.fit_groups(
        groups, score, right, pools=lambda group: attributes[group[1]], prior_strength=prior_strength
    )
    return Curves(own, attributes, everything)


def gate(
    definition: Definition,
    support: Support,
    calibrator: Calibrator,
    rows: pd.DataFrame,
    settings: Calibrate,
    *,
    num_stated: int,
) -> Row:
    """One gate: the least threshold that is estimated to keep the target, or closed.

    `num_stated` counts the judged pairs that have a value, answered or not: what recall is a share of.
    """
    right = rows["right"].to_numpy(dtype=bool)
    found = calibration.threshold(
        calibrator(rows["score"]), right, definition.precision_target, prior_strength=settings.prior_strength
    )
    threshold, n, errors = found
    closed = None
    if support == Support.INFERRED and not definition.inferable:
        closed = "the definition publishes no inferred value"
    elif len(rows) < settings.min_judged:
        closed = f"{len(rows)} judged answers, at least {settings.min_judged} needed"
    elif threshold is None:
        closed = f"no threshold keeps {definition.precision_target}"
    if closed is not None:
        threshold, n, errors = None, len(rows), int((~right).sum())
    return {
        "product_type": definition.product_type,
        "attribute": definition.attribute,
        "support": str(support),
        "normaliser_version": NORMALISER_VERSION,
        "calibrator": calibrator.to_json(),
        "target": definition.precision_target,
        "threshold": threshold,
        "least_score": None,
        "state": str(GateState.PROVISIONAL if closed is None else GateState.CLOSED),
        "reason": closed or "agreement with sellers alone: whether they repeat our errors no audit has shown",
        "n": n,
        "errors": errors,
        "num_judged": len(rows),
        "num_stated": num_stated,
        "recall": None if threshold is None else metrics.share(n - errors, num_stated),
        "bound": None,
        "delta": None,
        "method": f"least threshold whose precision, counted with a prior of {settings.prior_strength:g} answers at "
        "the pooled logistic calibration, reaches the target",
        "audit_sample": None,
        "population": f"products of split {settings.split} of which the seller says something",
    }


def named(gate: Row, before: Row | None) -> Row | None:
    """The gate with its id, None where it is the one before: a gate that comes back after another is a new one."""
    if before is not None and gate == {name: value for name, value in before.items() if name not in MADE_LATER}:
        return None
    content = json.dumps([gate, None if before is None else before["gate_id"]], sort_keys=True)
    return gate | {"gate_id": hashlib.sha256(content.encode()).hexdigest()[:16]}


if __name__ == "__main__":
    main()
