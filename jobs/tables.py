"""The only door to Delta: every read and write is checked against its contract, every append happens once."""

from collections.abc import Callable, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import delta.exceptions  # makes Delta's Java errors arrive as Python classes
import pyarrow as pa
from delta.tables import DeltaTable
from py4j.protocol import Py4JJavaError
from pyspark import StorageLevel
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructField

from extractor.errors import ContractError
from jobs import s3
from jobs.columns import same_types, spark_schema
from jobs.lease import Leases
from schemas.table import Table

Result = TypeVar("Result")


class Tables:
    """The warehouse of one job: one folder a table."""

    def __init__(self, spark: SparkSession, root: str, leases: Leases | None = None) -> None:
        """`leases` are those that a warehouse on S3 is written under; a reader needs none."""
        self.spark = spark
        # Delta takes a relative path for the name of a table.
        self.root = root.rstrip("/") if "://" in root else str(Path(root).absolute())
        self.leases = leases
        self.versions: dict[str, int] = {}
        """Table to the version that this job read last: the run book keeps it."""

    def path(self, table: Table) -> str:
        """Where a table lies."""
        return f"{self.root}/{table.name}"

    def exists(self, table: Table) -> bool:
        """Whether a Delta table lies there."""
        return bool(DeltaTable.isDeltaTable(self.spark, self.path(table)))

    def read(self, table: Table, *, version: int | None = None) -> DataFrame:
        """A table as it is now or was at a version; the same rows for as long as the frame lives."""
        if not self.exists(table):
            raise ContractError(f"table {table.name} at {self.path(table)}", "no Delta table", "one; run its job first")
        pinned = self.version(table) if version is None else version
        self.versions[table.name] = pinned
        frame = self.spark.read.format("delta").option("versionAsOf", pinned).load(self.path(table))
        frame = _completed(frame, table)
        self._check(frame, table, f"table {table.name} at {self.path(table)}")
        return frame

    def read_or_empty(self, table: Table) -> DataFrame:
        """A table, or none of its rows where it was never written: for tables that a first run has not."""
        if self.exists(table):
            return self.read(table)
        return self.rows([], table)

    def version(self, table: Table) -> int:
        """The newest version of a table."""
        return int(self._snapshot(table).version())

    def columns_of(self, table: Table) -> list[str]:
        """The columns that a table has where it lies: an older one may lack some."""
        return list(self._snapshot(table).schema().fieldNames())

    def rows(self, rows: Sequence[dict[str, Any]], table: Table) -> DataFrame:
        """A few rows made on the driver, as a frame of the table's contract."""
        arrow = pa.Table.from_pylist(list(rows), schema=table.schema)
        return self.spark.createDataFrame(arrow, schema=spark_schema(table.schema))

    def append(self, frame: DataFrame, table: Table, *, txn: str) -> bool:
        """Append once a transaction id, whoever dies when; where it was appended before: False, nothing is computed."""
        if self.appended(table, txn=txn):
            return False
        rows = self._fit(frame, table)
        if s3.is_on_s3(self.root):  # computed beforehand: the lease is held for the commit alone
            rows = rows.localCheckpoint(storageLevel=StorageLevel.DISK_ONLY)
        return self.write(table, lambda: self._append(rows, table, txn))

    def _append(self, rows: DataFrame, table: Table, txn: str) -> bool:
        self.create(table)
        if self.appended(table, txn=txn):
            return False
        writer = rows.write.format("delta").mode("append")
        try:
            writer.option("txnAppId", txn).option("txnVersion", 0).save(self.path(table))
        except delta.exceptions.ConcurrentTransactionException:
            return False  # a twin committed the same transaction while we computed
        if not self.appended(table, txn=txn):
            raise ContractError(f"table {table.name}", f"no commit of transaction {txn}", "the append just made")
        return True

    def appended(self, table: Table, *, txn: str) -> bool:
        """Whether a transaction id was committed."""
        return self.exists(table) and bool(self._snapshot(table).transactions().get(txn).isDefined())

    def upsert(self, frame: DataFrame, table: Table, *, when: str | None = None) -> None:
        """Insert rows of new keys, update rows that differ; `when` is SQL over `new` and `old` that an update needs."""
        self.write(table, lambda: self._merge(frame, table, when).execute())

    def synchronise(self, frame: DataFrame, table: Table, *, within: str = "true") -> None:
        """Make the rows where `within` holds (SQL over `old`) be exactly the frame: upsert, and delete the rest."""
        self.write(table, lambda: self._merge(frame, table, None).whenNotMatchedBySourceDelete(within).execute())

    def create(self, table: Table) -> None:
        """Make an empty table with NOT NULL and CHECK constraints; give one that is there the columns it lacks."""
        lacking = self._lacking(table) if self.exists(table) else None
        if lacking is None or lacking:
            self.write(table, lambda: self._create(table))

    def write(self, table: Table, commit: Callable[[], Result]) -> Result:
        """Commit to a table; on S3 under its lease, for Delta's log there lets a second driver overwrite the first."""
        if not s3.is_on_s3(self.root):
            return commit()
        if self.leases is None:
            raise ContractError(f"warehouse {self.root}", "no leases", "leases, without which nobody writes to S3")
        with self.leases.hold(table.name, on_loss=self.spark.sparkContext.cancelAllJobs) as lease:
            lease.check()
            try:
                return commit()
            except (Py4JJavaError, PySparkException) as error:
                if lease.lost is not None:
                    raise lease.loss() from error
                raise

    def _create(self, table: Table) -> None:
        if self.exists(table):
            self._widen(table)
            return
        builder = DeltaTable.createIfNotExists(self.spark).location(self.path(table))
        builder = builder.addColumns(spark_schema(table.schema))
        for name, sql in table.checks.items():
            builder = builder.property(f"delta.constraints.{name}", sql)
        indexed = [name for name in table.columns if name not in table.blobs and _is_plain(table.schema.field(name))]
        builder.property("delta.dataSkippingStatsColumns", ",".join(indexed)).execute()

    def _widen(self, table: Table) -> None:
        new = self._lacking(table)
        if new:
            columns = ", ".join(f"`{f.name}` {f.dataType.simpleString()}" for f in new)
            self.spark.sql(f"ALTER TABLE delta.`{self.path(table)}` ADD COLUMNS ({columns})")

    def _lacking(self, table: Table) -> list[StructField]:
        """The columns that an older table has not got, as far as they may be null."""
        found = self.columns_of(table)
        return [f for f in spark_schema(table.schema).fields if f.name not in found and f.nullable]

    def _merge(self, frame: DataFrame, table: Table, when: str | None) -> Any:  # delta's builder publishes no types
        self.create(table)
        others = [name for name in table.columns if name not in table.key]
        changed = " OR ".join(f"NOT (new.`{name}` <=> old.`{name}`)" for name in others) or "false"
        condition = f"({changed})" if when is None else f"({changed}) AND ({when})"
        same_key = reduce(lambda a, b: f"{a} AND {b}", (f"new.`{name}` = old.`{name}`" for name in table.key))
        target = DeltaTable.forPath(self.spark, self.path(table)).alias("old")
        merge = target.merge(self._fit(frame, table).alias("new"), same_key)
        return merge.whenMatchedUpdateAll(condition).whenNotMatchedInsertAll()

    def _fit(self, frame: DataFrame, table: Table) -> DataFrame:
        """The table's columns in its order; a missing or foreign column is an error, no cast is silent."""
        missing = [name for name in table.columns if name not in frame.columns]
        foreign = [name for name in frame.columns if name not in table.columns]
        if missing or foreign:
            raise ContractError(f"frame for {table.name}", f"missing {missing}, foreign {foreign}", "its columns")
        fitted = frame.select(*table.columns)
        self._check(fitted, table, f"frame for {table.name}")
        return fitted

    def _check(self, frame: DataFrame, table: Table, thing: str) -> None:
        expected = spark_schema(table.schema)
        if not same_types(frame.schema, expected):
            found = {f.name: f.dataType.simpleString() for f in frame.schema.fields}
            wanted = {f.name: f.dataType.simpleString() for f in expected.fields}
            odd = {name: kind for name, kind in found.items() if wanted.get(name) != kind}
            lacking = {name: kind for name, kind in wanted.items() if found.get(name) != kind}
            raise ContractError(
                thing, f"{odd or 'another order'}", f"{lacking or list(wanted)} (schemas/{table.name}.py)"
            )

    def _snapshot(self, table: Table) -> Any:  # a Java object
        jvm: Any = self.spark._jvm
        log = jvm.org.apache.spark.sql.delta.DeltaLog.forTable(self.spark._jsparkSession, self.path(table))
        return log.update(False, jvm.scala.Option.empty(), jvm.scala.Option.empty())


def _completed(frame: DataFrame, table: Table) -> DataFrame:
    """The contract's columns in its order; one that was added later, and may be null, is null in an older table."""
    fields = spark_schema(table.schema).fields
    new = {f.name: F.lit(None).cast(f.dataType) for f in fields if f.name not in frame.columns and f.nullable}
    whole = frame.withColumns(new) if new else frame
    in_order = whole.columns == table.columns or set(whole.columns) != set(table.columns)
    return whole if in_order else whole.select(*table.columns)


def _is_plain(field: pa.Field) -> bool:
    """Whether Delta keeps statistics of a column: not of lists, blobs and truth values."""
    kind = field.type
    return not (pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_boolean(kind))


def aligned(frame: DataFrame, table: Table) -> DataFrame:
    """Cast a frame's columns to the table's types and order, for frames made by SQL whose numbers are wider."""
    kinds = {field.name: field.dataType for field in spark_schema(table.schema).fields}
    return frame.select(*(F.col(name).cast(kinds[name]).alias(name) for name in table.columns))
