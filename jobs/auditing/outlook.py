"""What people's verdicts are worth, and what more of them would open."""

from collections import Counter
from typing import Any, NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from extractor import certificates, metrics
from jobs.answers import GROUP
from jobs.auditing.verdicts import VALUE, newest_words
from jobs.config import Certify
from schemas.enums import Decision, GateState


class Concordance(NamedTuple):
    """How two people judge the same values."""

    n: int
    """Values that two have judged, by the first two who did."""
    num_same: int
    kappa: float | None
    """Cohen's: 1 is always the same, 0 is as often as by chance; None where chance alone would always agree."""


def agreement(audits: DataFrame) -> Concordance:
    """The last verdicts of two auditors on the same values, word by word."""
    said = F.sort_array(F.collect_list(F.struct("auditor", "verdict"))).alias("said")
    pairs = newest_words(audits).groupBy(*VALUE).agg(said).where(F.size("said") > 1)
    both = pairs.groupBy(F.col("said")[0]["verdict"].alias("one"), F.col("said")[1]["verdict"].alias("other"))
    counts = Counter({(row.one, row.other): row["count"] for row in both.count().collect()})
    num_same = sum(num for (one, other), num in counts.items() if one == other)
    return Concordance(counts.total(), num_same, metrics.cohen_kappa(counts))


def gates(in_force: DataFrame, decided: DataFrame, samples: DataFrame, certify: Certify) -> list[dict[str, Any]]:
    """Rows of schemas/gates.py with what each gate published, what waits for it, and the audits that could open it.

    `audits` is the least number that certifies in the gate's next attempt, if all are right; None where it is
    certified. `waiting` are answers that pass a gate which may not publish.
    """
    group = [*GROUP, "model_version"]
    published = F.count_if(F.col("decision") == Decision.PUBLISHED).alias("published")
    waits = (F.col("decision") == Decision.REVIEW) & F.col("reason").startswith("passes a gate that is only")
    counted = decided.groupBy("gate_id").agg(published, F.count_if(waits).alias("waiting"))
    attempts = samples.groupBy(*group).agg(F.max("attempt").alias("attempts"))
    rows = in_force.join(counted, on="gate_id", how="left").join(attempts, on=group, how="left")
    rows = rows.fillna({"published": 0, "waiting": 0, "attempts": 0}).orderBy(*GROUP, "model_version")
    return [row.asDict() | {"audits": least(row.asDict(), certify)} for row in rows.collect()]


def least(gate: dict[str, Any], certify: Certify) -> int | None:
    """The least audits that certify a gate in its next attempt."""
    if gate["state"] == GateState.CERTIFIED:
        return None
    # A provisional gate with a sample waits for verdicts of that attempt.
    pending = gate["state"] == GateState.PROVISIONAL and gate["attempts"]
    level = certificates.attempt_level(certify.delta, gate["attempts"] if pending else gate["attempts"] + 1)
    return certificates.error_free(gate["target"], level / certify.starts)
