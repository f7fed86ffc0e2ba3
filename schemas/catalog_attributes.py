"""Attribute values that the catalogue had at a time, with who said so."""

import pyarrow as pa

from schemas.table import TIMESTAMP, Table, column

CATALOG_ATTRIBUTES = Table(
    name="catalog_attributes",
    row="a value that the catalogue had at a time",
    key=("product_id", "attribute", "origin", "observed_at"),
    schema=pa.schema(
        [
            column("product_id", pa.string(), "the product", required=True),
            column("attribute", pa.string(), "attribute name", required=True),
            column("origin", pa.string(), "seller, audit or model:<version>: who said so", required=True),
            column("observed_at", TIMESTAMP, "when the catalogue showed it", required=True),
            column("value", pa.string(), "the value; null where it was stated that there is none"),
            column("run_id", pa.string(), "the run that ingested it", required=True),
        ]
    ),
    checks={"known_origin": "origin IN ('seller', 'audit') OR origin LIKE 'model:%'"},
)
