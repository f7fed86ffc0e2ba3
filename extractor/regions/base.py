"""What a region detector promises.

A module of this folder offers `Config`, whose `schema` names extractor, layer, dims and dtype without loading
anything heavy and whose `follows_words` says whether a picture must be seen again when other words are read off it;
and `Detector`, built from a Config, which loads the network.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from extractor.images import Raster
from extractor.records import Box, Features


class Detector(Protocol):
    """Finds regions and their vectors; built from its module's Config, one instance a worker process."""

    @property
    def schema(self) -> str:
        """Extractor, layer, dims and dtype: a model refuses features of another schema."""

    @property
    def dim(self) -> int:
        """Floats a vector."""

    def detect(self, picture: Raster, token_boxes: Sequence[Box]) -> Features:
        """Regions of one picture, and one vector a token box; none where its Config follows no words."""


def half(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
    """Vectors after a ReLU as they are stored; half precision ends at 65504, which foreign weights may go beyond."""
    return np.minimum(vectors, np.finfo(np.float16).max).astype(np.float16)
