"""Which pictures a product has, and what became of them."""

import pyarrow as pa

from schemas.enums import Status
from schemas.table import Table, column, one_of

PRODUCT_PICTURES = Table(
    name="product_pictures",
    row="a picture of a product",
    key=("product_id", "position"),
    schema=pa.schema(
        [
            column("product_id", pa.string(), "the product", required=True),
            column("position", pa.int32(), "place on the page; 0 is the main picture", required=True),
            column("uri", pa.string(), "path below the picture root, or s3://", required=True),
            column("image_hash", pa.string(), "SHA-256 of the picture's bytes; null until read"),
            column("status", pa.string(), "unread, ok or failed", required=True),
            column("reason", pa.string(), "why it failed"),
        ]
    ),
    checks={"known_status": one_of("status", Status)},
)
