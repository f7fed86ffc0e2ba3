"""What an OCR engine promises.

A module of this folder offers `Config`, whose `schema` names engine, version and settings without loading anything
heavy, and `Reader`, built from a Config, which loads the engine.
"""

from typing import NamedTuple, Protocol

from extractor.images import Raster
from extractor.records import Box, Token


class Reading(NamedTuple):
    """What was read off one picture: words in the engine's reading order."""

    tokens: tuple[Token, ...]


class Reader(Protocol):
    """Reads words off pictures; built from its module's Config, one instance a worker process."""

    @property
    def schema(self) -> str:
        """Engine, version and settings: readings of different schemas never mix (image_texts.ocr_schema)."""

    def read(self, picture: Raster) -> Reading:
        """The words of one picture; ContractError where the picture is to blame, BackendError where the engine is."""


def in_shares(left: float, top: float, right: float, bottom: float, *, width: float, height: float) -> Box:
    """A rectangle as shares of the picture, clipped to it; engines let boxes hang over the edge."""
    x1, x2 = _share(left, width), _share(right, width)
    y1, y2 = _share(top, height), _share(bottom, height)
    return Box(x1, y1, x2, y2)


def _share(edge: float, length: float) -> float:
    return min(max(edge / length, 0.0), 1.0)
