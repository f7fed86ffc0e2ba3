"""What a model reads of a product: the row that enrich and train hand to the extractor. Not a stored table."""

import pyarrow as pa

from schemas.table import TOKEN, Table, column

MODEL_INPUTS = Table(
    name="model_inputs",
    row="a product as a model reads it, with what is asked of it",
    key=("product_id",),
    schema=pa.schema(
        [
            column("product_id", pa.string(), "the product", required=True),
            column("product_type", pa.string(), "the product's type", required=True),
            column("locale", pa.string(), "language and market, BCP 47", required=True),
            column("title", pa.string(), "title; null where the page has none"),
            column("bullets", pa.list_(pa.string()), "bullet points, in page order", required=True),
            column(
                "pictures",
                pa.list_(
                    pa.struct(
                        [
                            pa.field("position", pa.int32(), nullable=False),
                            pa.field("image_hash", pa.string(), nullable=False),
                            pa.field("tokens", pa.list_(TOKEN), nullable=False),
                        ]
                    )
                ),
                "readable pictures in page order, with their words",
                required=True,
            ),
            column(
                "features_of", pa.string(), "image hash of the picture that the features are of: the first readable"
            ),
            column("dim", pa.int32(), "floats a vector"),
            column("num_regions", pa.int32(), "regions in the blob"),
            column("boxes", pa.binary(), "float32 [num_regions, 4]"),
            column("regions", pa.binary(), "float16 [num_regions, dim]"),
            column("num_tokens", pa.int32(), "token vectors in the blob"),
            column("token_vectors", pa.binary(), "float16 [num_tokens, dim], following the picture's tokens"),
            column(
                "asked",
                pa.list_(
                    pa.struct(
                        [
                            pa.field("attribute", pa.string(), nullable=False),
                            pa.field("input_hash", pa.string(), nullable=False),
                            pa.field("answer", pa.string()),
                        ]
                    )
                ),
                "attributes asked; `answer` is the label in training (null: unknown), unused in inference",
                required=True,
            ),
        ]
    ),
    blobs=("boxes", "regions", "token_vectors"),
)
