"""What audit runs on executors: one gate's plan from the scores of its answers, never from a verdict."""

from collections.abc import Callable

import pandas as pd
from pyspark.sql.types import ArrayType, DoubleType, IntegerType, LongType, StringType, StructField, StructType

from extractor import auditing, certificates
from extractor.auditing import Terms

PLAN = StructType(
    [
        StructField("product_type", StringType()),
        StructField("attribute", StringType()),
        StructField("support", StringType()),
        StructField("target", DoubleType()),
        StructField("attempt", IntegerType()),
        StructField("floor", DoubleType()),  # the least raw score that is audited
        StructField("population", LongType()),  # answers from there on
        StructField("audits", LongType()),  # null where no attempt is worth it
        StructField("to_judge", LongType()),  # of these, not judged yet
        StructField("thresholds", ArrayType(DoubleType())),
        StructField("chance", DoubleType()),
        StructField("volume", DoubleType()),
    ]
)


def planner(*, most: int, slack: float, delta: float, starts: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """A function of one gate's answers, for applyInPandas.

    Its rows hold the gate, raw `score`, `confidence`, `place` in the order of draws, `judged` (somebody has judged this
    value), `size` (answers of the gate; these may be the first `most`), `target`, `attempt` and `again` (what this
    attempt must draw; null for a first one).
    """

    def plan(answers: pd.DataFrame) -> pd.DataFrame:
        first = answers.iloc[0]
        level = certificates.attempt_level(delta, int(first["attempt"]))
        terms = Terms(target=float(first["target"]), level=level, starts=starts, slack=slack)
        floor = auditing.auditable(answers["score"], answers["confidence"], terms)
        able = answers[answers["score"] >= (2.0 if floor is None else floor)].sort_values("place")
        population = round(len(able) / len(answers) * int(first["size"]))
        largest = min(population, most)
        again = None if pd.isna(first["again"]) else min(int(first["again"]), largest)
        found = auditing.plan(able["score"], able["confidence"], largest, terms, audits=again)
        drawn = able.head(0 if found is None else found.audits)
        row = {name: first[name] for name in ("product_type", "attribute", "support", "target", "attempt")}
        row |= {"floor": floor, "population": population, "to_judge": int((~drawn["judged"].astype(bool)).sum())}
        row |= {"audits": None, "thresholds": [], "chance": 0.0, "volume": 0.0}
        if found is not None:
            row |= {"audits": found.audits, "thresholds": list(found.thresholds), "chance": found.chance}
            row |= {"volume": found.volume * population / largest}
        return pd.DataFrame([row], columns=PLAN.names).astype({"audits": object})

    return plan
