"""Views for analysts, the same SQL in DuckDB and in Spark: what is published, what is missing and why, what changed.

    python -m jobs.views --conf conf/local.yaml --day 2026-01-15 [--name coverage] [--out demo/views.sql]
    duckdb -init demo/views.sql

Writes a DuckDB script that makes a view of every table, by its bare name, and then the views of jobs/views. A table
that was never written is an empty view: run this again once it is there. --name prints the first rows of a view, by
Spark. In a notebook `register(Tables(spark, "demo/warehouse"))` makes the same views of the tables as they are then.
"""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from extractor.errors import ConfigError
from jobs import runs
from jobs.tables import Tables
from schemas.catalogue import WAREHOUSE
from schemas.table import Table

FOLDER = Path(__file__).resolve().parent / "views"
VIEWS = (
    "last_publish", "stated", "standing", "questions", "coverage", "published", "catalogue", "changes", "gates_now",
    "missing", "audit_agreement",
)  # fmt: skip
"""The views; each reads tables and views before it."""
SHORTHANDS = {"--name": "views.name", "--out": "views.out"}
NUM_ROWS = 20
HEAD = """-- Views for analysts: duckdb -init {name}, or .read {name} within DuckDB. jobs/views.py wrote this file.
INSTALL delta;
LOAD delta;
"""


def main(argv: Sequence[str] | None = None) -> None:
    """The story of the job."""
    with runs.job("views", argv, doc=__doc__, shorthands=SHORTHANDS) as job:
        views = job.conf.views
        if views.name and views.name not in VIEWS:
            raise ConfigError("views.name", views.name, f"one of {', '.join(VIEWS)}")
        write(job.tables, Path(views.out))
        empty = [table.name for table in WAREHOUSE.values() if not job.tables.exists(table)]
        job.counts |= {"tables": len(WAREHOUSE) - len(empty), "views": len(VIEWS)}
        if empty:
            job.say(f"never written, so empty: {', '.join(empty)}")
        job.say(f"the views are {views.out}")
        if views.name:
            register(job.tables)
            job.spark.table(views.name).show(NUM_ROWS, truncate=60)


def register(tables: Tables) -> None:
    """Make every table and every view a temporary view of the Spark session, by its bare name."""
    for table in WAREHOUSE.values():
        tables.read_or_empty(table).createOrReplaceTempView(table.name)
    for name in VIEWS:
        tables.spark.sql(sql(name)).createOrReplaceTempView(name)


def write(tables: Tables, path: Path) -> None:
    """Write the DuckDB script."""
    bodies = {table.name: scan(tables, table) for table in WAREHOUSE.values()} | {name: sql(name) for name in VIEWS}
    statements = [f'CREATE OR REPLACE VIEW "{name}" AS\n{body};\n' for name, body in bodies.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([HEAD.format(name=path.name), *statements]), encoding="utf-8")


def sql(name: str) -> str:
    """A view's SQL."""
    return (FOLDER / f"{name}.sql").read_text(encoding="utf-8").rstrip()


def scan(tables: Tables, table: Table) -> str:
    """DuckDB's SQL that reads a table: no row where it was never written, null for a column that an older one lacks."""
    if not tables.exists(table):
        return f"SELECT {', '.join(_null(field) for field in table.schema)} WHERE false"
    tables.read(table)  # a table of another contract is told of here
    found = tables.columns_of(table)
    columns = [f'"{field.name}"' if field.name in found else _null(field) for field in table.schema]
    path = _text(address(tables.path(table)))
    return f"SELECT {', '.join(columns)} FROM delta_scan({path})"  # noqa: S608  # our own names, an escaped path


def address(path: str) -> str:
    """A path as DuckDB spells it: S3 has one name there."""
    return f"s3://{path.removeprefix('s3a://')}" if path.startswith("s3a://") else path


def duckdb_type(kind: pa.DataType) -> str:
    """An Arrow type in DuckDB's words."""
    if pa.types.is_list(kind):
        return f"{duckdb_type(kind.value_type)}[]"
    if pa.types.is_map(kind):
        return f"MAP({duckdb_type(kind.key_type)}, {duckdb_type(kind.item_type)})"
    if pa.types.is_struct(kind):
        fields = (f'"{field.name}" {duckdb_type(field.type)}' for field in kind)
        return f"STRUCT({', '.join(fields)})"
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP WITH TIME ZONE"
    return DUCKDB_TYPES[kind]


DUCKDB_TYPES = {
    pa.string(): "VARCHAR", pa.bool_(): "BOOLEAN", pa.int32(): "INTEGER", pa.int64(): "BIGINT",
    pa.float32(): "FLOAT", pa.float64(): "DOUBLE", pa.date32(): "DATE", pa.binary(): "BLOB",
}  # fmt: skip


def _null(field: pa.Field) -> str:
    return f'CAST(NULL AS {duckdb_type(field.type)}) AS "{field.name}"'


def _text(text: str) -> str:
    """A text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


if __name__ == "__main__":
    main()
