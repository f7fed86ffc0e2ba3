"""Keep tables small and quick: compact small files, delete those that no reader needs, forget old transactions.

    python -m jobs.maintain --conf conf/mine.yaml --day 2026-01-15
    python -m jobs.maintain --conf conf/mine.yaml --day 2026-01-15 --tables "[predictions, decisions]"

It may run beside readers, and beside other jobs: versions younger than `maintain.retain_hours` stay as they are, and a
table that another job changes at the same time is left as it is until the next time.
"""

from collections.abc import Sequence
from datetime import timedelta

from extractor.errors import ConfigError, ConflictError
from jobs import runs, working
from jobs.config import Maintain
from jobs.tables import Size
from schemas.catalogue import WAREHOUSE
from schemas.table import Table

SHORTHANDS = {"--tables": "maintain.tables", "--sort": "maintain.sort"}


def main(argv: Sequence[str] | None = None) -> None:
    """The story of the job."""
    with runs.job("maintain", argv, doc=__doc__, shorthands=SHORTHANDS) as job:
        for table in wanted(job.conf.maintain):
            if job.tables.exists(table):
                tend(job, table)
        forget_dead(job)


def wanted(conf: Maintain) -> list[Table]:
    """The tables that conf names."""
    if odd := sorted(set(conf.tables) - set(WAREHOUSE)):
        raise ConfigError("maintain.tables", odd[0], f"names among {', '.join(WAREHOUSE)}")
    return [table for name, table in WAREHOUSE.items() if not conf.tables or name in conf.tables]


def tend(job: runs.Job, table: Table) -> None:
    """One table."""
    conf, before = job.conf.maintain, job.tables.size(table)
    try:
        if conf.sort or (conf.compact and before.num_files > 1):
            job.tables.compact(table, by=table.key[0] if conf.sort else None)
    except ConflictError as conflict:
        job.say(f"{conflict}: left for the next time")
    job.tables.vacuum(table, retain_hours=conf.retain_hours, transaction_days=conf.transaction_days)
    after = job.tables.size(table)
    job.counts |= {f"{table.name}_files": after.num_files, f"{table.name}_bytes": after.num_bytes}
    job.say(f"{table.name}: {told(before)}, now {told(after)}")


def forget_dead(job: runs.Job) -> None:
    """Remove the signs of runs that died long ago."""
    for sign in working.signs(job.spark, job.tables.root):
        if sign.seen_at < job.started_at - timedelta(hours=job.conf.maintain.retain_hours):
            working.remove(job.spark, job.tables.root, sign.run_id)


def told(size: Size) -> str:
    """`12 files of 3.4 MB`."""
    return f"{size.num_files:,} files of {size.num_bytes / 1e6:,.1f} MB"


if __name__ == "__main__":
    main()
