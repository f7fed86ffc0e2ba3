"""What OCR engines read off pictures."""

import pyarrow as pa

from schemas.enums import Status
from schemas.table import TOKEN, Table, column

IMAGE_TEXTS = Table(
    name="image_texts",
    row="what an OCR engine read off a picture",
    key=("image_hash", "ocr_schema"),
    schema=pa.schema(
        [
            column("image_hash", pa.string(), "SHA-256 of the picture's bytes", required=True),
            column("ocr_schema", pa.string(), "engine, version and settings that read it", required=True),
            column("width", pa.int32(), "picture width in pixels; null where unknown"),
            column("height", pa.int32(), "picture height in pixels; null where unknown"),
            column("tokens", pa.list_(TOKEN), "words in the engine's order; boxes in shares", required=True),
            column("content_hash", pa.string(), "SHA-256 of the tokens; input hashes use it", required=True),
            column("status", pa.string(), "ok or failed", required=True),
            column("reason", pa.string(), "why it failed"),
            column("run_id", pa.string(), "the run that wrote it", required=True),
        ]
    ),
    checks={"known_status": f"status IN ('{Status.OK}', '{Status.FAILED}')"},
)
