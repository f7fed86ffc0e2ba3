"""The only door to Delta: every read and write is checked against its contract, every append happens once."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial, reduce
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import delta.exceptions  # makes Delta's Java errors arrive as Python classes
import pyarrow as pa
from delta.tables import DeltaTable
from py4j.protocol import Py4JJavaError
from pyspark import StorageLevel
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructField

from extractor.errors import ConflictError, ContractError
from jobs import s3
from jobs.columns import same_types, spark_schema
from jobs.lease import Leases
from schemas.table import Table

Result = TypeVar("Result")
REPEATS = 1_000_000
"""How often a table may be brought into line with the same commit."""
CONFLICTS = (  # Delta's classes of them have no common one of their own
    delta.exceptions.ConcurrentAppendException,
    delta.exceptions.ConcurrentDeleteDeleteException,
    delta.exceptions.ConcurrentDeleteReadException,
    delta.exceptions.ConcurrentTransactionException,
    delta.exceptions.ConcurrentWriteException,
    delta.exceptions.DeltaConcurrentModificationException,
    delta.exceptions.MetadataChangedException,
    delta.exceptions.ProtocolChangedException,
)
"""What a commit fails with that lost against another writer."""
PAUSES = (1.0, 4.0, 16.0)
"""Seconds, at most, after which a merge that lost against another writer is tried again."""


class Size(NamedTuple):
    """How large a table is."""

    num_files: int
    num_bytes: int


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

    def reader_version(self, table: Table) -> int:
        """The version of Delta's protocol that a reader of the table must know."""
        return int(self._snapshot(table).protocol().minReaderVersion())

    def rows(self, rows: Sequence[dict[str, Any]], table: Table) -> DataFrame:
        """A few rows made on the driver, as a frame of the table's contract."""
        arrow = pa.Table.from_pylist(list(rows), schema=table.schema)
        return self.spark.createDataFrame(arrow, schema=spark_schema(table.schema))

    def append(self, frame: DataFrame, table: Table, *, txn: str) -> bool:
        """Append once a transaction id, whoever dies when; where it was appended before: False, nothing is computed."""
        if self.appended(table, txn=txn):
            return False
        rows = self._computed(self._fit(frame, table))
        return self.write(table, lambda: self._append(rows, table, txn))

    def _computed(self, rows: DataFrame) -> DataFrame:
        """Rows that a commit has only to write: on S3 they are computed before, so a lease is held for moments."""
        return rows.localCheckpoint(storageLevel=StorageLevel.DISK_ONLY) if s3.is_on_s3(self.root) else rows

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
        return self._transaction(table, txn) is not None

    def append_next(self, frame: DataFrame, table: Table, *, stream: str, after: int, note: str) -> int:
        """Append as the commit of a stream that follows number `after`, and give its number.

        The number is Delta's transaction version. Of writers that planned from the same number one goes on; whoever
        comes later, be it a driver that slept, gets a ConflictError, and Delta drops what it wrote. `note` is kept with
        the commit (`notes`) and must be the writer's own.
        """
        self._expect(table, stream, after)  # before anything is computed
        rows = self._computed(self._fit(frame, table))
        self.write(table, lambda: self._append_next(rows, table, stream, after, note))
        return after + 1

    def _append_next(self, rows: DataFrame, table: Table, stream: str, after: int, note: str) -> None:
        self.create(table)
        self._expect(table, stream, after)
        before = self.version(table)
        writer = rows.write.format("delta").mode("append").option("userMetadata", note)
        try:
            writer.option("txnAppId", stream).option("txnVersion", after + 1).save(self.path(table))
        except delta.exceptions.ConcurrentTransactionException as error:
            raise _overtaken(table, stream, after) from error
        # Delta skips a number that is taken without a word.
        if note not in self.notes(table, since=before + 1):
            raise _overtaken(table, stream, after)

    def _expect(self, table: Table, stream: str, after: int) -> None:
        if self.number(table, stream) != after:
            raise _overtaken(table, stream, after)

    def number(self, table: Table, stream: str) -> int:
        """The number of a stream's last commit; 0 before the first."""
        found = self._transaction(table, stream)
        return 0 if found is None else found

    def number_read(self, table: Table, stream: str) -> int:
        """The number that a stream had in the version of a table that this job has read; 0 where it read none."""
        version = self.versions.get(table.name)
        if version is None or not self.exists(table):
            return 0
        found = self._snapshot(table, version).transactions().get(stream)
        return int(found.get()) if found.isDefined() else 0

    def notes(self, table: Table, *, since: int = 0) -> dict[str, datetime]:
        """The notes of a table's commits from a version on, as far as its history reaches, and when they landed."""
        if not self.exists(table):
            return {}
        num = self.version(table) - since + 1
        history = DeltaTable.forPath(self.spark, self.path(table)).history(num) if num > 0 else None
        rows = [] if history is None else history.select("userMetadata", "timestamp").collect()
        return {row.userMetadata: row.timestamp for row in rows if row.userMetadata is not None}

    def upsert(self, frame: DataFrame, table: Table, *, when: str | None = None) -> None:
        """Insert rows of new keys, update rows that differ; `when` is SQL over `new` and `old` that an update needs."""
        self._retried(table, lambda: self._merge(frame, table, when).execute())

    def synchronise(self, frame: DataFrame, table: Table, *, within: str = "true") -> None:
        """Make the rows where `within` holds (SQL over `old`) be exactly the frame: upsert, and delete the rest."""
        self._retried(table, lambda: self._merge(frame, table, None).whenNotMatchedBySourceDelete(within).execute())

    def follow(self, frame: DataFrame, table: Table, *, stream: str, number: int) -> None:
        """Make a table be exactly the frame, which follows from commit `number` of a stream of another table.

        Raises:
            ConflictError: the table follows from a later commit already; it stays as it is.
        """
        self.create(table)
        last, after_ours = self.number(table, stream), (number + 1) * REPEATS
        if last < after_ours:
            with self._transacted(stream, max(last + 1, number * REPEATS)):
                self._retried(table, lambda: self._merge(frame, table, None).whenNotMatchedBySourceDelete().execute())
        if self.number(table, stream) >= after_ours:
            raise ConflictError(f"table {table.name}, {stream}", "what follows from a later commit", f"from {number}")

    @contextmanager
    def _transacted(self, app: str, version: int) -> Iterator[None]:
        """Let the writes of the body be this transaction: a merge has no options of its own."""
        own = {"txnAppId": app, "txnVersion": str(version)}
        for name, value in own.items():
            self.spark.conf.set(f"spark.databricks.delta.write.{name}", value)
        try:
            yield
        finally:
            for name in own:
                self.spark.conf.unset(f"spark.databricks.delta.write.{name}")

    def _retried(self, table: Table, write: Callable[[], None]) -> None:
        """A merge reads what it changes: one that lost against another writer reads anew and tries again."""
        for seconds in PAUSES:
            try:
                self.write(table, write)
            except CONFLICTS:
                time.sleep(seconds * random.uniform(0.5, 1.0))
            else:
                return
        raise ConflictError(f"table {table.name}", f"other writers, {len(PAUSES)} times", "a moment without")

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
        for place in (self.root, self.path(table)):
            if "://" not in place and Path(place).is_file():
                raise ContractError(f"table {table.name}, {place}", "a file", "a folder, or nothing yet")
        builder = DeltaTable.createIfNotExists(self.spark).location(self.path(table))
        builder = builder.addColumns(spark_schema(table.schema))
        for name, sql in table.checks.items():
            builder = builder.property(f"delta.constraints.{name}", sql)
        indexed = [name for name in table.columns if name not in table.blobs and _is_plain(table.schema.field(name))]
        builder.property("delta.dataSkippingStatsColumns", ",".join(indexed)).execute()

    def _transaction(self, table: Table, txn: str) -> int | None:
        """The last version that a transaction id committed."""
        if not self.exists(table):
            return None
        found = self._snapshot(table).transactions().get(txn)
        return int(found.get()) if found.isDefined() else None

    def size(self, table: Table) -> Size:
        """Files and bytes of the newest version."""
        row = DeltaTable.forPath(self.spark, self.path(table)).detail().select("numFiles", "sizeInBytes").collect()[0]
        return Size(row.numFiles, row.sizeInBytes)

    def compact(self, table: Table, *, by: str | None) -> None:
        """Write small files anew as large ones; with `by` all files, sorted so that a column's values lie together."""
        optimize = DeltaTable.forPath(self.spark, self.path(table)).optimize()
        try:
            self.write(table, optimize.executeCompaction if by is None else partial(optimize.executeZOrderBy, by))
        except CONFLICTS as error:
            raise ConflictError(f"table {table.name}", "rows that changed while it was compacted", "none") from error

    def vacuum(self, table: Table, *, retain_hours: int, transaction_days: int) -> None:
        """Delete the files that no version younger than `retain_hours` needs; forget old transactions and logs."""
        wanted = {
            "delta.deletedFileRetentionDuration": f"interval {retain_hours} hours",
            "delta.setTransactionRetentionDuration": f"interval {transaction_days} days",
        }
        told = DeltaTable.forPath(self.spark, self.path(table)).detail().select("properties").collect()[0].properties
        if any(told.get(key) != value for key, value in wanted.items()):
            properties = ", ".join(f"'{key}' = '{value}'" for key, value in wanted.items())
            alter = f"ALTER TABLE delta.`{self.path(table)}` SET TBLPROPERTIES ({properties})"
            self.write(table, lambda: self.spark.sql(alter))
        DeltaTable.forPath(self.spark, self.path(table)).vacuum(retain_hours)

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

    def _snapshot(self, table: Table, version: int | None = None) -> Any:  # a Java object
        jvm: Any = self.spark._jvm
        log = jvm.org.apache.spark.sql.delta.DeltaLog.forTable(self.spark._jsparkSession, self.path(table))
        none = jvm.scala.Option.empty()
        newest = log.update(False, none, none)
        return newest if version in (None, newest.version()) else log.getSnapshotAt(version, none, none, False)


def _overtaken(table: Table, stream: str, after: int) -> ConflictError:
    return ConflictError(f"table {table.name}, {stream}", f"commit {after + 1} of another writer", "ours")


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
