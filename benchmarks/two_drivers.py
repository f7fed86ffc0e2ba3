"""Two drivers write to one Delta table on S3 at once: how many commits that were reported made are there afterwards.

    python -m benchmarks.two_drivers
    python -m benchmarks.two_drivers --guards lease --commits 6

Each of two processes, with a JVM of its own, appends ten rows a commit; every third commit is a merge. They begin
each commit together. The guards: `none` (Delta's default on S3), `flag` (the same with S3A's
performance.flags=create), `lease` (jobs/lease.py, what the jobs do).
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from deltalake import DeltaTable
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from benchmarks.moto_store import BUCKET, Store, moto
from extractor.errors import CatalogError
from jobs import config
from jobs.lease import Leases
from jobs.session import open_session
from jobs.tables import Tables
from schemas.catalog_attributes import CATALOG_ATTRIBUTES

GUARDS = ("none", "flag", "lease")
DRIVERS = ("one", "two")
ROWS = 10
"""Rows a commit."""


class Unguarded:
    """Leases that nobody needs to hold."""

    lost = None

    @contextmanager
    def hold(self, table: str, *, on_loss: object) -> Iterator["Unguarded"]:
        """Hold nothing."""
        yield self

    def check(self) -> None:
        """Nothing can be lost."""


class Outcome(NamedTuple):
    """What became of the commits of both drivers."""

    guard: str
    reported: int
    """Commits that a driver was told are made."""
    failed: int
    """Commits that ended in an error, such as that they are not to be found afterwards."""
    lost_rows: int
    """Rows of reported commits that the table has not got."""
    double_rows: int
    seconds: float


def main(argv: Sequence[str] | None = None) -> None:
    """Run the drivers under each guard and print the outcomes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--guards", nargs="+", choices=GUARDS, default=GUARDS)
    parser.add_argument("--commits", type=int, default=15, help="of each driver")
    parser.add_argument("--out", type=Path, help="a JSON file")
    parser.add_argument("--write", nargs=4, metavar=("GUARD", "DRIVER", "ENDPOINT", "FOLDER"), help=argparse.SUPPRESS)
    asked = parser.parse_args(argv)
    if asked.write:
        guard, driver, endpoint, folder = asked.write
        print(json.dumps(write(guard, driver, endpoint, Path(folder), asked.commits)))
        return
    outcomes = []
    with moto() as store:
        for guard in asked.guards:
            outcomes.append(compete(store, guard, asked.commits))
            print(outcomes[-1])
    if asked.out:
        asked.out.write_text(json.dumps([outcome._asdict() for outcome in outcomes], indent=1) + "\n")


def compete(store: Store, guard: str, commits: int) -> Outcome:
    """Both drivers at once, then the table as delta-rs reads it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.two_drivers", "--commits", str(commits), "--write", guard]
        start = time.monotonic()
        drivers = [
            subprocess.Popen(  # noqa: S603  # this very file
                [*command, name, store.endpoint, folder], stdout=subprocess.PIPE, text=True, env=store.environment()
            )
            for name in DRIVERS
        ]
        told = [json.loads(driver.communicate()[0].splitlines()[-1]) for driver in drivers]
    table = DeltaTable(f"s3://{BUCKET}/{guard}/{CATALOG_ATTRIBUTES.name}", storage_options=store.reader())
    found = [row["product_id"] for row in table.to_pyarrow_table(columns=["product_id"]).to_pylist()]
    wanted = {
        f"{driver}-{k}-{n}" for driver, one in zip(DRIVERS, told, strict=True) for k in one["made"] for n in range(ROWS)
    }
    return Outcome(
        guard,
        reported=sum(len(one["made"]) for one in told),
        failed=sum(len(one["failed"]) for one in told),
        lost_rows=len(wanted - set(found)),
        double_rows=len(found) - len(set(found)),
        seconds=round(time.monotonic() - start, 1),
    )


def write(guard: str, driver: str, endpoint: str, folder: Path, commits: int) -> dict[str, Any]:
    """One driver: wait for the other, then commit again and again."""
    root = f"s3a://{BUCKET}/{guard}"
    conf = config.load(
        [config.BASE, "conf/local.yaml", "conf/test.yaml"], [f"warehouse={root}", f"s3.endpoint={endpoint}"]
    )
    if guard == "flag":
        conf.spark.confs["spark.hadoop.fs.s3a.performance.flags"] = "create"  # which conf would refuse
    spark = open_session(f"driver {driver}", conf.spark)
    leases: Any = Leases(conf.s3, root, driver, lambda text: None) if guard == "lease" else Unguarded()
    tables = Tables(spark, root, leases)
    if driver == DRIVERS[0]:
        tables.create(CATALOG_ATTRIBUTES)
    made, failed = [], []
    for k in range(commits):
        frame = tables.rows([row(f"{driver}-{k}-{n}") for n in range(ROWS)], CATALOG_ATTRIBUTES)
        meet(folder, driver, k)
        try:
            if k % 3 == 2:
                tables.upsert(frame, CATALOG_ATTRIBUTES)
            else:
                tables.append(frame, CATALOG_ATTRIBUTES, txn=f"{driver}-{k}")
            made.append(k)
        except (CatalogError, Py4JJavaError, PySparkException) as error:
            failed.append(str(error)[:300])
    spark.stop()
    return {"made": made, "failed": failed}


def meet(folder: Path, driver: str, k: int) -> None:
    """Wait until both drivers are about to make their k-th commit."""
    (folder / f"{driver}-{k}").touch()
    while not all((folder / f"{name}-{k}").exists() for name in DRIVERS):
        time.sleep(0.005)


def row(product_id: str) -> dict[str, Any]:
    """A row of the table."""
    at = datetime(2026, 1, 15, tzinfo=UTC)
    named = {"product_id": product_id, "attribute": "brand", "origin": "seller"}
    return named | {"observed_at": at, "value": "Alba", "run_id": "r"}


if __name__ == "__main__":
    main()
