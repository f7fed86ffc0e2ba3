"""The contracts as a page for analysts: `python -m schemas.markdown > docs/tables.md`."""

import pyarrow as pa

from schemas.catalogue import WAREHOUSE
from schemas.table import Table
from schemas.truth import TRUTH

HEAD = """# Tables

Every table is a Delta folder `<warehouse>/<table>` with reader version 1: Spark, DuckDB, Polars and delta-rs open it.
The contracts live in `schemas/`; this page is printed from them (`python -m schemas.markdown > docs/tables.md`) and
a test keeps it true. A **key** identifies a row; **required** columns are never null.

A box is `{x1, y1, x2, y2}` in shares of the picture (0..1). A token is `{text, confidence, box}`. Evidence is a list of
`{word, source, field_index, image_hash, token_index, start, end, box}`: `start` and `end` are code points of the field
or token; words that are neighbours in a source are rebuilt from its slice, so replaying the evidence gives the value.

```sql
-- DuckDB
INSTALL delta; LOAD delta;
SELECT product_id, attribute, value, confidence, support FROM delta_scan('demo/warehouse/attributes') LIMIT 10;
```
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(section(table) for table in WAREHOUSE.values()), truth()])


def section(table: Table) -> str:
    """One table: what a row is, its key, its columns, its checks."""
    lines = [
        f"## {table.name}",
        f"One row is {table.row}. Key: {', '.join(f'`{name}`' for name in table.key)}.",
        "",
        "| column | type | required | meaning |",
        "|---|---|---|---|",
    ]
    for field in table.schema:
        required = "" if field.nullable else "yes"
        lines.append(f"| `{field.name}` | {kind(field.type)} | {required} | {field.metadata[b'meaning'].decode()} |")
    if table.checks:
        lines += ["", "Checks: " + "; ".join(f"`{sql}`" for sql in table.checks.values()) + "."]
    return "\n".join([*lines, ""])


def truth() -> str:
    """The one contract that stands outside the warehouse."""
    return section(TRUTH).replace(
        "One row is", "Not in the warehouse: a Parquet file that only evaluate reads. One row is", 1
    )


def kind(of: pa.DataType) -> str:
    """A type in an analyst's words."""
    if pa.types.is_list(of):
        return f"list of {kind(of.value_type)}"
    if pa.types.is_map(of):
        return f"map of {kind(of.key_type)} to {kind(of.item_type)}"
    if pa.types.is_struct(of):
        return "{" + ", ".join(field.name for field in of) + "}"
    if pa.types.is_timestamp(of):
        return "timestamp (UTC)"
    return str(of)


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201  # printing is what this command is for
