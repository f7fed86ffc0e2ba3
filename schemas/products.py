"""Products as their sellers sent them, one row a revision."""

import pyarrow as pa

from schemas.table import TIMESTAMP, Table, column

PRODUCTS = Table(
    name="products",
    row="one revision of a product as the seller sent it",
    key=("product_id", "content_hash"),
    schema=pa.schema(
        [
            column("product_id", pa.string(), "the seller's identifier", required=True),
            column("content_hash", pa.string(), "SHA-256 of everything a seller can change", required=True),
            column("is_current", pa.bool_(), "the newest revision of its product, which is not deleted", required=True),
            column("product_type", pa.string(), "category; decides which attributes are asked", required=True),
            column("locale", pa.string(), "language and market, BCP 47", required=True),
            column("family_id", pa.string(), "variants of one product share it; splits go by it", required=True),
            column("title", pa.string(), "title; null where the page has none"),
            column("bullets", pa.list_(pa.string()), "bullet points, in page order", required=True),
            column("source", pa.string(), "the file or feed that it came from", required=True),
            column("updated_at", TIMESTAMP, "when the seller changed it", required=True),
            column("run_id", pa.string(), "the run that ingested it", required=True),
        ]
    ),
)
