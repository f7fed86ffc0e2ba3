"""Decide what may be published of the models' answers, and keep `attributes` and `review_queue` true to it.

    python -m jobs.publish --conf conf/local.yaml --day 2026-01-15
    python -m jobs.publish --conf conf/local.yaml --day 2026-01-15 --dry-run

No model is called. Where `publish.models` lets several answer, one is chosen for each attribute of a product type
(jobs/choosing.py) and its answers alone are decided. Answers that are unlike those their gate was earned on wait
(jobs/drifting.py). A decision is appended when it differs from the last one about the same answer; `attributes` and
`review_queue` follow from the decisions, so a run that died between the two is mended by the next. A value of a seller
or an auditor is never overwritten: agreement is `confirmed`, anything else a case for review. --dry-run says which
values would appear and disappear, and writes nothing but its line in the run book.
"""

from collections.abc import Sequence

from pyspark.sql import functions as F

from jobs import choosing, limits, outcome, runs
from jobs.choosing import Candidate
from schemas.attributes import ATTRIBUTES
from schemas.decisions import DECISIONS
from schemas.enums import Decision
from schemas.gates import GATES
from schemas.review_queue import REVIEW_QUEUE
from schemas.runs import RUNS

STREAM = "publish"
"""The commits of decisions; the two current tables follow from them, and never from an older one."""
SHORTHANDS = {"--dry-run": "publish.dry_run"}


def main(argv: Sequence[str] | None = None) -> None:
    """The story of the job."""
    with runs.job("publish", argv, doc=__doc__, shorthands=SHORTHANDS) as job:
        publish(job, choosing.candidates(job.conf))


def publish(job: runs.Job, candidates: Sequence[Candidate]) -> None:
    """Decide, append what is new, bring the two current tables into line."""
    settings = job.conf.publish
    job.model_version = choosing.versions(choosing.models(candidates))
    # Before anything is read: decisions made in between make this run stop, not overrule them.
    after = job.tables.number(DECISIONS, STREAM)
    found = outcome.outcome(job, candidates, job.tables.read(GATES))
    for one in found.waits:
        job.say(f"{one.product_type}, {one.attribute} waits: {one.why}")
    job.counts |= outcome.count(found)
    is_new = F.count("*"), F.count_if(F.col("decision") == Decision.WITHDRAWN)
    num_new, num_withdrawn = found.new.agg(*is_new).collect()[0]
    waiting = found.decided.where("is_waiting").count() if found.waits else 0
    job.counts |= {"new_decisions": num_new, "withdrawn": num_withdrawn, "waiting": waiting}
    if settings.limits.nights:
        before = limits.nights_before(job.tables.read_or_empty(RUNS), job.day, settings.limits.nights)
        limits.check(job.counts, before, settings.limits)
    if settings.dry_run:
        job.name = "publish --dry-run"  # the run book's last publish is another one
        for line in outcome.differences(job, found):
            job.say(line)
        found.release()
        return
    if num_new:
        after = job.tables.append_next(found.new, DECISIONS, stream=STREAM, after=after, note=job.id)
    log = job.tables.read_or_empty(DECISIONS)
    shown = found.shown(log).persist()
    attributes = outcome.current_attributes(shown, log, found.gates)
    job.tables.follow(attributes, ATTRIBUTES, stream=STREAM, number=after)
    job.tables.follow(outcome.current_reviews(shown), REVIEW_QUEUE, stream=STREAM, number=after)
    shown.unpersist()
    found.release()


if __name__ == "__main__":
    main()
