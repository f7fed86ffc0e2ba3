"""Grid features: the picture, nine windows and every word over the last cells of EfficientNet-Lite0.

Grid features match region features in visual question answering (Jiang et al., CVPR 2020), and no detector with
free weights has a class for a pack.

C channels, G cells along one side, N token boxes, R regions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from extractor.images import Raster
from extractor.records import Box, Features
from extractor.regions.backbones.efficientnet import C, EfficientNetLite0, G

WINDOW, STRIDE = 3, 2
"""Cells: three windows of three cover seven cells, each overlapping its neighbour by one."""

CORNERS = [(x, y) for y in range(0, G - WINDOW + 1, STRIDE) for x in range(0, G - WINDOW + 1, STRIDE)]
BOXES = np.array(
    [(0, 0, G, G), *((x, y, x + WINDOW, y + WINDOW) for x, y in CORNERS)],
    dtype=np.float32,
) / np.float32(G)
"""[R, 4]: the whole picture, then 3 x 3 windows, row by row."""

Half = npt.NDArray[np.float16]


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose: another network is another file."""

    follows_words: ClassVar[bool] = True

    @property
    def schema(self) -> str:
        """Network, cells, regions, floats a vector, dtype."""
        return f"efficientnet-lite0/{G}x{G}/whole+3x3/{C}/f2"


class Detector:
    """Always ten regions; a token's vector is the mean of the cells under its box, by the area it covers."""

    dim = C

    def __init__(self, config: Config) -> None:
        self.schema = config.schema
        self._network = EfficientNetLite0()

    def detect(self, picture: Raster, token_boxes: Sequence[Box]) -> Features:
        """Regions of one picture, and one vector a token box."""
        cells_GGC = self._network.cells(picture)
        windows = [cells_GGC[y : y + WINDOW, x : x + WINDOW] for x, y in CORNERS]
        regions_RC = np.stack([part.mean(axis=(0, 1)) for part in (cells_GGC, *windows)])
        return Features(BOXES, regions_RC.astype(np.float16), _under(cells_GGC, token_boxes))


def _under(cells_GGC: npt.NDArray[np.float32], boxes: Sequence[Box]) -> Half:
    """[N, C]: the mean of the cells under each box, weighed by how much of each it covers."""
    if not boxes:
        return np.zeros((0, C), dtype=np.float16)
    edges_N4 = np.asarray(boxes, dtype=np.float64)
    across_NG, down_NG = covered(edges_N4[:, 0], edges_N4[:, 2]), covered(edges_N4[:, 1], edges_N4[:, 3])
    share_NGG = down_NG[:, :, None] * across_NG[:, None]
    vectors_NC = share_NGG.reshape(len(boxes), -1).astype(np.float32) @ cells_GGC.reshape(-1, cells_GGC.shape[-1])
    return np.asarray(vectors_NC, dtype=np.float16)


def covered(start_N: npt.NDArray[np.float64], end_N: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """[N, G]: which share of each interval of 0..1 lies in each cell; an empty interval is widened to a point."""
    least = 1e-6
    start_N = np.clip(start_N, 0, 1 - least)
    end_N = np.clip(end_N, start_N + least, 1)
    left_G, right_G = np.arange(G) / G, np.arange(1, G + 1) / G
    inside_NG = np.minimum(end_N[:, None], right_G) - np.maximum(start_N[:, None], left_G)
    inside_NG = np.clip(inside_NG, 0, None)
    return np.asarray(inside_NG / inside_NG.sum(axis=1, keepdims=True))
