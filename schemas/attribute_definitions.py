"""Which attributes a product type has, how they are asked, and what may be answered."""

import pyarrow as pa

from schemas.enums import Kind, Pictures
from schemas.table import Table, column, one_of

ATTRIBUTE_DEFINITIONS = Table(
    name="attribute_definitions",
    row="an attribute that a product type has",
    key=("product_type", "attribute"),
    schema=pa.schema(
        [
            column("product_type", pa.string(), "product type, as products name it", required=True),
            column("attribute", pa.string(), "attribute name, e.g. item_form", required=True),
            column("question", pa.string(), "the attribute asked in words; what models read", required=True),
            column("kind", pa.string(), "text, quantity or yes_no: how values are normalised", required=True),
            column(
                "options",
                pa.list_(
                    pa.struct(
                        [
                            pa.field("value", pa.string(), nullable=False),
                            pa.field("aliases", pa.list_(pa.string()), nullable=False),
                        ]
                    )
                ),
                "the closed list of values with their aliases; null where the values are open",
            ),
            column("inferable", pa.bool_(), "a value that is printed nowhere may be published", required=True),
            column("pictures", pa.string(), "main or all: which pictures may be read", required=True),
            column("precision_target", pa.float64(), "share of published values that must be right", required=True),
        ]
    ),
    checks={
        "known_kind": one_of("kind", Kind),
        "known_pictures": one_of("pictures", Pictures),
        "target_is_a_share": "precision_target > 0 AND precision_target < 1",
    },
)
