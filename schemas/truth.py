"""What is really true of a product: kept outside the warehouse, read by evaluate alone."""

import pyarrow as pa

from schemas.table import Table, column

TRUTH = Table(
    name="truth",
    row="the true values of one (product, attribute)",
    key=("product_id", "attribute"),
    schema=pa.schema(
        [
            column("product_id", pa.string(), "the product", required=True),
            column("attribute", pa.string(), "the attribute", required=True),
            column("product_type", pa.string(), "the product's type", required=True),
            column(
                "values",
                pa.list_(pa.string()),
                "acceptable values; empty where the page does not show it",
                required=True,
            ),
            column(
                "stands",
                pa.string(),
                "where the value stands: title, bullets, pack, nowhere; unknown without a value",
                required=True,
            ),
            column("split", pa.string(), "the split that a benchmark fixes; null where the family decides"),
        ]
    ),
)
