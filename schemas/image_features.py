"""What a frozen network saw in pictures: ragged, half precision, one blob a picture."""

import pyarrow as pa

from schemas.enums import Status
from schemas.table import Table, column

IMAGE_FEATURES = Table(
    name="image_features",
    row="what a network saw in a picture",
    key=("image_hash", "feature_schema"),
    schema=pa.schema(
        [
            column("image_hash", pa.string(), "SHA-256 of the picture's bytes", required=True),
            column("feature_schema", pa.string(), "extractor, layer, dims and dtype", required=True),
            column("num_regions", pa.int32(), "regions in the blob; 0 where it failed", required=True),
            column("dim", pa.int32(), "floats a vector", required=True),
            column(
                "boxes", pa.binary(), "float32 little-endian [num_regions, 4], shares of the picture", required=True
            ),
            column("regions", pa.binary(), "float16 little-endian [num_regions, dim]", required=True),
            column("ocr_schema", pa.string(), "whose tokens the token vectors follow; null without them"),
            column("num_tokens", pa.int32(), "token vectors in the blob", required=True),
            column("token_vectors", pa.binary(), "float16 little-endian [num_tokens, dim]", required=True),
            column("content_hash", pa.string(), "SHA-256 of the blobs; input hashes use it", required=True),
            column("status", pa.string(), "ok or failed", required=True),
            column("reason", pa.string(), "why it failed"),
            column("run_id", pa.string(), "the run that wrote it", required=True),
        ]
    ),
    checks={
        "known_status": f"status IN ('{Status.OK}', '{Status.FAILED}')",
        "boxes_fit": "length(boxes) = 16 * num_regions",
        "regions_fit": "length(regions) = 2 * num_regions * dim",
        "token_vectors_fit": "length(token_vectors) = 2 * num_tokens * dim",
    },
    blobs=("boxes", "regions", "token_vectors"),
)
