"""What verdicts prove: a certificate, or none, for every gate whose last sample is judged whole."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

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

Row = dict[str, Any]  # a row of GATES: text, numbers and times by column


class Proof(NamedTuple):
    """What the last audit sample of a gate says."""

    sample_id: str
    attempt: int
    population: int
    lacking: int
    """Answers that nobody has judged yet: until there are none, the sample proves nothing."""
    unsure: int
    """Answers that auditors could not judge."""
    certificate: Certificate | None
    """None while verdicts are lacking."""


def audited(job: runs.Job, model: Pinned) -> pd.DataFrame:
    """The answers of every gate's last sample with their verdicts; there are no more than people can judge."""
    samples = verdicts.newest_samples(job.tables.read_or_empty(AUDIT_SAMPLES), model)
    said = verdicts.verdicts(job.tables.read_or_empty(AUDITS))
    items = verdicts.judged(samples, job.tables.read_or_empty(AUDIT_ITEMS), said)
    columns = ("sample_id", "attempt", "thresholds", "population", "score", "verdict")
    return items.select(*GROUP, *columns).orderBy(*GROUP, "score", "verdict").toPandas()


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
            str(first["sample_id"]), int(first["attempt"]), int(first["population"]), lacking, unsure, None
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


def certified(gate: Row, proof: Proof | None, evidence: pd.DataFrame) -> Row:
    """The gate after what its audits say: certified, closed where they do not prove the target, else as it was."""
    if proof is None:
        return gate
    gate = gate | {"audit_sample": proof.sample_id}
    if proof.lacking:
        return gate | {"reason": f"{gate['reason']}; its audit sample lacks {proof.lacking} verdicts"}
    found = proof.certificate
    if found is None:
        return gate
    unsure = f", {proof.unsure} of the sample could not be judged" if proof.unsure else ""
    gate |= {"n": found.n, "errors": found.errors, "bound": round(found.bound, DECIMALS), "delta": found.level}
    gate |= {"population": f"{proof.population} answers to pairs of which no seller says anything, when it was drawn"}
    gate |= {
        "method": f"learn then test, {len(found.tests)} thresholds by exact binomial tests, attempt {proof.attempt}"
    }
    if found.threshold is None:
        reason = f"the audits do not prove {gate['target']}: {found.errors} errors in {found.n}{unsure}"
        return gate | {"state": str(GateState.CLOSED), "reason": reason, "threshold": None, "recall": None}
    passed = evidence[[tuple(row) == group_of(gate) for row in evidence[list(GROUP)].itertuples(index=False)]]
    num_right = int((passed["right"] & (passed["score"] >= found.threshold)).sum())
    return gate | {
        "state": str(GateState.CERTIFIED),
        "reason": f"{found.errors} errors in {found.n} audits prove a precision of at least {found.bound:.3f}{unsure}",
        "least_score": found.threshold,
        "threshold": float(calibration.from_json(gate["calibrator"])([found.threshold])[0]),
        "recall": metrics.share(num_right, gate["num_stated"]),
    }


def group_of(gate: Row) -> tuple[str, ...]:
    """What a gate is for."""
    return tuple(gate[name] for name in GROUP)
