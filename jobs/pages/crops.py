"""Pictures for a page that opens without network: small JPEGs inside the page, whole or cut to where words stand."""

import base64
import io
from collections.abc import Iterable
from typing import NamedTuple

from PIL import Image

from extractor.records import Box

WHOLE = 300
"""Longest side of a product's picture, pixels."""
CROP_HEIGHT = 56
"""Height of a cut piece, pixels."""
CROP_WIDTH = 260
QUALITY = 74
MARGINS = (0.4, 0.12)
"""What is kept beside and above words, as shares of their height: little, so that no other line looks in."""


class Shown(NamedTuple):
    """A picture in the page."""

    uri: str
    """data:image/jpeg;base64,..."""
    width: int
    height: int


def whole(image: Image.Image) -> Shown:
    """The picture, small."""
    small = image.copy()
    small.thumbnail((WHOLE, WHOLE), Image.Resampling.LANCZOS)
    return _shown(small)


def around(image: Image.Image, boxes: Iterable[Box]) -> Shown:
    """The piece of a picture that holds all boxes, with a margin, at reading size."""
    union = joined(boxes)
    beside, above = (margin * (union.y2 - union.y1) * image.height for margin in MARGINS)
    left = min(max(0, round(union.x1 * image.width - beside)), image.width - 1)
    top = min(max(0, round(union.y1 * image.height - above)), image.height - 1)
    right = min(image.width, max(left + 1, round(union.x2 * image.width + beside)))
    bottom = min(image.height, max(top + 1, round(union.y2 * image.height + above)))
    piece = image.crop((left, top, right, bottom))
    scale = min(CROP_HEIGHT / piece.height, CROP_WIDTH / piece.width)
    size = (max(1, round(piece.width * scale)), max(1, round(piece.height * scale)))
    return _shown(piece.resize(size, Image.Resampling.LANCZOS))


def joined(boxes: Iterable[Box]) -> Box:
    """The smallest box that holds all."""
    found = list(boxes)
    return Box(
        min(box.x1 for box in found), min(box.y1 for box in found),
        max(box.x2 for box in found), max(box.y2 for box in found),
    )  # fmt: skip


def _shown(image: Image.Image) -> Shown:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    content = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Shown(f"data:image/jpeg;base64,{content}", image.width, image.height)
