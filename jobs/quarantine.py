"""The one way into the quarantine: a row that could not be processed, once, with its reason."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.feeds.lines import PAYLOAD_CHARACTERS
from jobs.runs import Job
from schemas.quarantine import QUARANTINE

REFUSED = ("source", "key", "reason", "payload")
"""What a job says of a row that it refuses; the rest follows from the job."""

REASON = r"^(?:\w+: )?(\w+)"
"""What a reason is about: the word that it begins with, behind the class of an error."""


def add(job: Job, refused: DataFrame, *, part: str) -> None:
    """Append rows of REFUSED that this job has not refused before for the same reason; `part` names the write."""
    known = job.tables.read_or_empty(QUARANTINE).where(F.col("job") == job.name)
    after = job.tables.number_read(QUARANTINE, job.name)
    rows = refused.select(
        F.lit(job.name).alias("job"),
        "source",
        F.make_valid_utf8(F.coalesce("key", F.lit(""))).alias("key"),
        "reason",
        F.substring(F.make_valid_utf8("payload"), 1, PAYLOAD_CHARACTERS).alias("payload"),
        F.lit(job.day).alias("day"),
        F.lit(job.started_at).alias("quarantined_at"),
        F.lit(job.id).alias("run_id"),
    )
    key = list(QUARANTINE.key)
    fresh = rows.dropDuplicates(key).join(known.select(*key), on=key, how="left_anti")
    kinds = fresh.groupBy(F.regexp_extract("reason", REASON, 1).alias("kind")).count().collect()
    if not kinds:
        job.tables.create(QUARANTINE)
        return
    job.quarantined.update({row.kind: row["count"] for row in kinds})
    job.tables.append_next(fresh, QUARANTINE, stream=job.name, after=after, note=f"{job.id}, {part}")
