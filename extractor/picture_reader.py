"""One picture, one row of image_texts or image_features: whatever goes wrong with it is the row's status and reason.

`failed` means that the picture is to blame: it is never tried again under this schema. `unread` means that a service
is: no such row is stored, and the next run tries again. A service that will refuse every picture is no picture's fate:
its BackendError goes through.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from extractor import images
from extractor.errors import BackendError, ContractError
from extractor.ocr.base import Reader
from extractor.records import Box
from extractor.regions.base import Detector
from schemas.enums import Status

Row = dict[str, Any]  # columns of every type


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where pictures lie, and what is allowed of them."""

    root: str
    """Folder or s3:// prefix; see images.open_bytes."""
    limits: images.Config


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture to read."""

    image_hash: str
    uri: str
    hash_is_of_bytes: bool = True
    """False where an imported reading named the picture by its uri: its bytes cannot be checked."""


def hash_row(uri: str, source: Source) -> Row:
    """What names a picture: uri, image_hash, status (unread: can be opened) and reason."""
    try:
        content = images.open_bytes(source.root, uri, source.limits)
    except (ContractError, BackendError) as error:
        return {"uri": uri, "image_hash": None, **_verdict(error)}
    return {"uri": uri, "image_hash": images.hash_bytes(content), "status": str(Status.UNREAD), "reason": None}


def text_row(picture: Picture, reader: Reader, source: Source) -> Row:
    """The words of a picture, as image_texts has them."""
    row: Row = {
        "image_hash": picture.image_hash,
        "ocr_schema": reader.schema,
        "width": None,
        "height": None,
        "tokens": [],
        "status": str(Status.OK),
        "reason": None,
    }
    try:
        raster = _open(picture, source)
        row |= {"width": raster.width, "height": raster.height}
        tokens = reader.read(raster).tokens
    except (ContractError, BackendError) as error:
        return row | _verdict(error)
    named = [{"text": token.text, "confidence": token.confidence, "box": token.box._asdict()} for token in tokens]
    return row | {"tokens": named}


def feature_row(
    picture: Picture, detector: Detector, source: Source, *, ocr_schema: str | None, token_boxes: Sequence[Box]
) -> Row:
    """The regions of a picture and a vector a token, as image_features has them; without OCR both stay empty."""
    row: Row = {
        "image_hash": picture.image_hash,
        "feature_schema": detector.schema,
        "num_regions": 0,
        "dim": detector.dim,
        "boxes": b"",
        "regions": b"",
        "ocr_schema": ocr_schema,
        "num_tokens": 0,
        "token_vectors": b"",
        "status": str(Status.OK),
        "reason": None,
    }
    try:
        features = detector.detect(_open(picture, source), token_boxes)
    except (ContractError, BackendError) as error:
        return row | {"ocr_schema": None} | _verdict(error)
    return row | {
        "num_regions": len(features.regions),
        "boxes": features.boxes.astype("<f4").tobytes(),
        "regions": features.regions.astype("<f2").tobytes(),
        "num_tokens": len(features.token_vectors),
        "token_vectors": features.token_vectors.astype("<f2").tobytes(),
    }


def box_of(edges: Mapping[str, float]) -> Box:
    """A box as a row holds it."""
    return Box(*(edges[name] for name in Box._fields))


def _open(picture: Picture, source: Source) -> images.Raster:
    raster = images.decode(images.open_bytes(source.root, picture.uri, source.limits), source.limits)
    if picture.hash_is_of_bytes and raster.image_hash != picture.image_hash:
        raise ContractError(f"picture {picture.uri!r}", "other bytes than when it was hashed", "the same file")
    return raster


def _verdict(error: ContractError | BackendError) -> Row:
    if isinstance(error, BackendError) and not error.retry:
        raise error
    status = Status.FAILED if isinstance(error, ContractError) else Status.UNREAD
    return {"status": str(status), "reason": str(error)}
