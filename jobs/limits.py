"""Whether a night is like the nights before it: far fewer pairs, or far more unread or unknown ones, stop publish.

A feed that lost half of its products, a reader that reads nothing, a model that knows nothing any more: each answer may
be right by its gate, and the night is wrong all the same.
"""

from collections.abc import Mapping
from datetime import date
from statistics import median

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from extractor.errors import ContractError
from jobs.config import Limits
from jobs.runs import succeeded

Counts = Mapping[str, int]


def nights_before(runs: DataFrame, day: date, num: int) -> list[Counts]:
    """What publish counted on the last `num` days before a day, the last run of each, the newest first."""
    earlier = succeeded(runs, "publish").where(F.col("day") < day)
    newest = earlier.groupBy("day").agg(F.max_by("counts", "started_at").alias("counts"))
    return [dict(row.counts) for row in newest.orderBy(F.desc("day")).limit(num).collect()]


def check(counts: Counts, before: list[Counts], limits: Limits) -> None:
    """Compare a night with the nights before it, once there are enough of them.

    Raises:
        ContractError: it is too far from their medians.
    """
    if len(before) < limits.least:
        return
    usual = median(one["requested"] for one in before)
    requested = counts["requested"]
    if abs(requested - usual) > limits.volume * usual:
        raise _stop(f"{requested:,} pairs", f"{limits.volume:.0%} more or less than the usual {usual:,.0f}")
    for name, may_rise in (("quarantined", limits.quarantined), ("unknown", limits.unknown)):
        share = _share(counts, name)
        most = median(_share(one, name) for one in before) + may_rise
        if share > most:
            raise _stop(f"{share:.1%} of {requested:,} pairs {name}", f"at most {most:.1%}")


def _share(counts: Counts, name: str) -> float:
    return counts.get(name, 0) / max(1, counts["requested"])


def _stop(found: str, expected: str) -> ContractError:
    advice = "nothing was published; find the cause, or say that it is meant: --set publish.limits.nights=0"
    return ContractError("publish, held against the last nights", found, f"{expected} ({advice})")
