"""Answer a part of the catalogue with one model version, beside the nightly runs: a new model, new types, missed days.

    python -m jobs.backfill --conf conf/mine.yaml --day 2026-01-15 --version 4 --hours 6
    python -m jobs.backfill --conf conf/mine.yaml --day 2026-01-15 --product-types "[tea]" --since 2026-01-01
    python -m jobs.backfill --conf conf/mine.yaml --day 2026-01-15 --version 4 --promote

It stops at its budget and goes on where it stopped when it is started again, on whatever day. What a version answers
that is not champion is published by nobody: calibrate it (`--set enrich.version=4`), look at its gates, and --promote
makes it champion once it has answered everything; the next publish then switches to it in one commit.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from pyspark.sql import Column
from pyspark.sql import functions as F

from extractor.errors import ModelError
from jobs import answers, choosing, enrich, pinned, registry, runs
from jobs.config import Backfill, Enrich
from schemas.attribute_definitions import ATTRIBUTE_DEFINITIONS
from schemas.gates import GATES

SHORTHANDS = {
    "--model": "backfill.model",
    "--version": "backfill.version",
    "--product-types": "backfill.product_types",
    "--since": "backfill.since",
    "--until": "backfill.until",
    "--products": "backfill.products",
    "--hours": "backfill.hours",
    "--promote": "backfill.promote",
}


def main(argv: Sequence[str] | None = None) -> None:
    """The story of the job."""
    with runs.job("backfill", argv, doc=__doc__, shorthands=SHORTHANDS) as job:
        asked = job.conf.backfill
        pairs = asked.products * attributes_a_type(job)
        job.conf = replace(job.conf, enrich=as_enrich(job.conf.enrich, asked, pairs))
        left = enrich.enrich(job, where=wanted(asked), goes_on=within(asked, pairs))
        job.counts["left"] = left
        if left:
            job.say(f"{left:,} pairs are left: run it again")
        elif asked.promote:
            promote(job)


def attributes_a_type(job: runs.Job) -> int:
    """How many attributes a product type has in the mean: what a product costs, about."""
    row = job.tables.read(ATTRIBUTE_DEFINITIONS).agg(F.count("*"), F.count_distinct("product_type")).collect()[0]
    mean: float = row[0] / max(1, row[1])
    return math.ceil(mean)


def as_enrich(conf: Enrich, asked: Backfill, pairs: int) -> Enrich:
    """Settings of enrich that ask this version, in chunks no larger than the budget."""
    chunk = min(conf.chunk_pairs, pairs) if pairs else conf.chunk_pairs
    return replace(conf, model=asked.model or conf.model, version=asked.version, chunk_pairs=chunk)


def wanted(asked: Backfill) -> Column:
    """The products that are asked."""
    holds, changed = F.lit(True), F.to_date("updated_at")
    if asked.product_types:
        holds = holds & F.col("product_type").isin(*asked.product_types)
    if asked.since is not None:
        holds = holds & (changed >= F.lit(asked.since))
    if asked.until is not None:
        holds = holds & (changed <= F.lit(asked.until))
    return holds


def within(asked: Backfill, pairs: int) -> Callable[[int], bool]:
    """Whether the budget allows another chunk after so many answered pairs."""
    end = time.monotonic() + asked.hours * 3600
    return lambda answered: (not asked.hours or time.monotonic() < end) and (not pairs or answered < pairs)


def promote(job: runs.Job) -> None:
    """Make the version champion, if its gates let anything out.

    Raises:
        ModelError: they do not: it would take all back that stands.
    """
    model = pinned.pin(job.conf)
    gates = choosing.in_force(job.tables.read_or_empty(GATES), [model]).withColumnRenamed("state", "gate_state")
    if gates.where(answers.publishing(job.conf.publish)).isEmpty():
        states = ", ".join(job.conf.publish.states)
        raise ModelError(
            model.version, "no gate that publishes", f"one that is {states}: calibrate --set enrich.version"
        )
    conf = job.conf.registry
    where = registry.connect(conf.tracking_uri, conf.experiment, artifacts_root=conf.artifacts)
    where.promote(model.name, model.version.rpartition("/")[2])
    job.say(
        f"{model.version} is champion: the next publish switches to it in one commit (--dry-run shows what changes)"
    )


if __name__ == "__main__":
    main()
