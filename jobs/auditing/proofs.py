"""What verdicts prove: a certificate, or none, for every gate whose last sample is judged whole."""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

import pandas as pd
from pyspark.sql import functions as F

from extractor import calibration, certificates, metrics
from extractor.calibration import DECIMALS
from extractor.certificates import Certificate
from extractor.records import Definition
from jobs import runs
from jobs.answers import GROUP
from jobs.auditing import verdicts
from jobs.config import Certify
from jobs.pinned import Pinned
from schemas.audit_items import AUDIT_ITEMS
from schemas.audit_samples import AUDIT_SAMPLES
from schemas.audits import AUDITS
from schemas.enums import GateState, Support, Verdict
from schemas.gates import GATES

Row = dict[str, Any]  # a row of GATES: text, numbers and times by column


class Proof(NamedTuple):
    """What the last audit sample of a gate says."""

    sample_id: str
    attempt: int
    population: int
    drawn_on: date
    """The day whose answers it is a sample of."""
    lacking: int
    """Answers that nobody has judged yet: until there are none, the sample proves nothing."""
    unsure: int
    """Answers that auditors could not judge."""
    certificate: Certificate | None
    """None while verdicts are lacking."""
    floor: float
    """The least score that was audited."""
    num_right: int
    num_judged: int
    """What people have said so far."""


class Watched(NamedTuple):
    """What people say of answers that a certificate let out."""

    right: tuple[bool, ...] = ()
    """In the order in which they were judged."""


class Seen(NamedTuple):
    """What is known of the answers of one gate beside its audit sample."""

    agreement: pd.DataFrame
    """Answers with score and whether the seller says the same (`right`)."""
    since: Watched


def audited(job: runs.Job, model: Pinned) -> pd.DataFrame:
    """The answers of every gate's last sample with their verdicts; there are no more than people can judge."""
    samples = verdicts.newest_samples(job.tables.read_or_empty(AUDIT_SAMPLES), model)
    said = verdicts.verdicts(job.tables.read_or_empty(AUDITS))
    items = verdicts.judged(samples, job.tables.read_or_empty(AUDIT_ITEMS), said)
    columns = ("sample_id", "attempt", "thresholds", "population", "day", "score", "verdict")
    return items.select(*GROUP, *columns).orderBy(*GROUP, "score", "verdict").toPandas()


def watched(job: runs.Job, model: Pinned) -> dict[tuple[str, ...], Watched]:
    """By group and audit sample: verdicts about published answers that its certificate let out."""
    of_gate = job.tables.read_or_empty(GATES).select("gate_id", "audit_sample").where("audit_sample IS NOT NULL")
    mine = job.tables.read_or_empty(AUDIT_ITEMS).where(F.col("model_version") == model.version)
    said = verdicts.verdicts(job.tables.read_or_empty(AUDITS)).select(*verdicts.VALUE, "verdict", "judged_at")
    if not job.conf.calibrate.certify.cannot_tell_is_wrong:
        said = said.where(F.col("verdict") != Verdict.CANNOT_TELL)
    judged = mine.join(F.broadcast(of_gate), on="gate_id").join(said, on=list(verdicts.VALUE))
    one = F.struct("judged_at", "product_id", (F.col("verdict") == Verdict.RIGHT).alias("right"))
    rows = judged.groupBy(*GROUP, "audit_sample").agg(F.sort_array(F.collect_list(one)).alias("said")).collect()
    return {
        (*(row[name] for name in GROUP), row.audit_sample): Watched(tuple(said.right for said in row.said))
        for row in rows
    }


def proven(items: pd.DataFrame, definitions: Sequence[Definition], settings: Certify) -> dict[tuple[str, ...], Proof]:
    """What each gate's audits prove: every attempt at its own part of delta, all gates under one promise."""
    promised: dict[tuple[str, ...], float] = {
        (one.product_type, one.attribute, str(support)): one.precision_target
        for one in definitions
        for support in Support
        if one.inferable or support == Support.PRINTED
    }
    whole: dict[tuple[str, ...], pd.DataFrame] = {}
    proofs: dict[tuple[str, ...], Proof] = {}
    for key, rows in items.groupby(list(GROUP)):
        group, first = tuple(map(str, key)), rows.iloc[0]
        lacking, unsure = int(rows["verdict"].isna().sum()), int((rows["verdict"] == Verdict.CANNOT_TELL).sum())
        proofs[group] = Proof(
            sample_id=str(first["sample_id"]),
            attempt=int(first["attempt"]),
            population=int(first["population"]),
            drawn_on=first["day"],
            lacking=lacking,
            unsure=unsure,
            certificate=None,
            floor=float(min(first["thresholds"])),
            num_right=int((rows["verdict"] == Verdict.RIGHT).sum()),
            num_judged=len(rows) - lacking,
        )
        if not lacking and group in promised:
            whole[group] = rows if settings.cannot_tell_is_wrong else rows[rows["verdict"] != Verdict.CANNOT_TELL]
    tested = {group: certify(rows, promised[group], settings, proofs[group].attempt) for group, rows in whole.items()}
    p_values = [least_p(found, proofs[group].attempt, settings) for group, found in tested.items()]
    for group, level in zip(tested, certificates.levels(p_values, settings.promise, settings.delta), strict=True):
        found = tested[group]._replace(threshold=None)
        if level:
            share, attempt = level / settings.delta, proofs[group].attempt
            found = certify(whole[group], promised[group], settings, attempt, share=share)
        proofs[group] = proofs[group]._replace(certificate=found)
    return proofs


def certify(rows: pd.DataFrame, target: float, settings: Certify, attempt: int, *, share: float = 1.0) -> Certificate:
    """Test one gate's thresholds at a share of what its attempt may spend."""
    return certificates.certify(
        rows["score"],
        rows["verdict"] == Verdict.RIGHT,
        list(rows["thresholds"].iloc[0]),
        target=target,
        level=share * certificates.attempt_level(settings.delta, attempt),
        starts=settings.starts,
    )


def least_p(found: Certificate, attempt: int, settings: Certify) -> float:
    """The gate's p-value after this attempt, which spends a part of delta on each of its sequences."""
    part = settings.delta / certificates.attempt_level(settings.delta, attempt)
    return min(1.0, part * settings.starts * found.first)


def certified(gate: Row, proof: Proof | None, seen: Seen, settings: Certify) -> Row:
    """The gate after what its audits say: certified, closed where they speak against it, else as it was."""
    if proof is None:
        return gate
    gate = gate | {"audit_sample": proof.sample_id}
    if proof.lacking and proof.attempt > 1:
        lacks = f"attempt {proof.attempt} lacks {proof.lacking} verdicts"
        return gate | closed(
            f"an earlier audit sample did not prove {gate['target']}, or its certificate was lost; {lacks}"
        )
    if proof.lacking:
        return gate | {"reason": f"{gate['reason']}; its audit sample lacks {proof.lacking} verdicts"}
    found = proof.certificate
    if found is None or found.threshold is None:
        agree = seen.agreement[seen.agreement["score"] >= proof.floor]["right"]
        counts = int(agree.sum()), len(agree), proof.num_right, proof.num_judged
        if certificates.agreement_p(*counts) <= settings.collusion:
            return gate | closed(collusion(*counts))
    return gate if found is None else tested(gate, proof, found, seen, settings)


def tested(gate: Row, proof: Proof, found: Certificate, seen: Seen, settings: Certify) -> Row:
    """The gate after a sample that was judged whole."""
    unsure = f", {proof.unsure} of the sample could not be judged" if proof.unsure else ""
    gate = gate | {"n": found.n, "errors": found.errors, "bound": round(found.bound, DECIMALS), "delta": found.level}
    whose = f"the {proof.population} answers of {proof.drawn_on} to pairs of which no seller said anything"
    gate |= {"population": whose}
    gate |= {
        "method": f"learn then test, {len(found.tests)} thresholds by exact binomial tests, attempt {proof.attempt}"
    }
    if found.threshold is None:
        return gate | closed(f"the audits do not prove {gate['target']}: {found.errors} errors in {found.n}{unsure}")
    checks = seen.since.right
    if certificates.lost_p(checks, gate["target"]) <= settings.delta:
        num_wrong = len(checks) - sum(checks)
        return gate | closed(f"the certificate is lost: {num_wrong} errors in {len(checks)} checks of what it let out")
    num_right = int((seen.agreement["right"] & (seen.agreement["score"] >= found.threshold)).sum())
    return gate | {
        "state": str(GateState.CERTIFIED),
        "reason": f"{found.errors} errors in {found.n} audits prove a precision of at least {found.bound:.3f}{unsure}",
        "least_score": found.threshold,
        "threshold": float(calibration.from_json(gate["calibrator"])([found.threshold])[0]),
        "recall": metrics.share(num_right, gate["num_stated"]),
    }


def closed(reason: str) -> Row:
    """What closes a gate."""
    return {"state": str(GateState.CLOSED), "reason": reason, "threshold": None, "recall": None}


def collusion(num_agree: int, n: int, num_right: int, num_audits: int) -> str:
    """Why agreement with sellers is no evidence here."""
    return (
        f"collusion: sellers agree with {num_agree} of {n} answers, people find {num_right} of {num_audits} right; "
        "either sellers repeat our errors, or what they leave open is harder"
    )


def group_of(gate: Row) -> tuple[str, ...]:
    """What a gate is for."""
    return tuple(gate[name] for name in GROUP)
