"""Region features of Faster R-CNN (ResNet-50 FPN, torchvision): the paper's kind of detector, with weights by path.

A vector is the box head's fc6 after ReLU, 1024 floats, of a detection or, through the same pooling, of an OCR box.
Nothing is downloaded: without weights the network is random, which serves tests and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from extractor.errors import ConfigError
from extractor.images import Raster, padded
from extractor.records import Box, Features
from extractor.regions.backbones import weights
from extractor.regions.base import half

KEY = "read_images.regions.weights"
C = 1024
"""Floats that fc6 gives."""
MAX_RATIO = 5 / 3
"""Longer to shorter side of a resized picture, at most: torchvision's 1333 to 800."""
STRIP = 16
"""Longer to shorter side of a picture, at most; resized, a longer strip would have no pixel across."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which weights, how many regions, at what size."""

    follows_words: ClassVar[bool] = True

    weights: str = ""
    """State dict of torchvision's model, .safetensors or .pth (tensors alone); empty means random."""
    seed: int = 0
    """Of random weights."""
    regions: int = 10
    """Detections kept, the surest first (S0: 10)."""
    short_side: int = 800
    """Pixels that the picture's shorter side is resized to, unless its longer side becomes too long."""

    @property
    def schema(self) -> str:
        """Network with its weights' hash, layer, regions, size, floats a vector, dtype."""
        name = weights.named(self.weights, self.seed, key=KEY)
        return f"fasterrcnn-resnet50-fpn-{name}/fc6/top{self.regions}/side{self.short_side}/{C}/f2"


class Detector:
    """As many regions as were found, at most `regions`; every token has its vector."""

    dim = C

    def __init__(self, config: Config) -> None:
        import torch  # noqa: PLC0415  # seconds, for those who read pictures

        try:
            from torchvision.models.detection import fasterrcnn_resnet50_fpn  # noqa: PLC0415  # an extra
        except ImportError as error:
            raise ConfigError("read_images.regions.name", "fasterrcnn", "the extra facetmill[regions]") from error
        self.schema = config.schema
        self._torch = torch
        state = weights.read(config.weights, key=KEY) if config.weights else None
        # Building draws random weights; the draw is ours alone.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self._network: Any = fasterrcnn_resnet50_fpn(  # its parts are typed as bare modules
                weights=None,
                weights_backbone=None,
                num_classes=91 if state is None else len(state["roi_heads.box_predictor.cls_score.bias"]),
                min_size=config.short_side,
                max_size=round(config.short_side * MAX_RATIO),
                box_score_thresh=0.0,  # a region is wanted for its vector, not for its class
                box_detections_per_img=config.regions,
            ).eval()
        if state is not None:
            weights.load(self._network, state, config.weights, key=KEY, expected="torchvision's model")

    def detect(self, picture: Raster, token_boxes: Sequence[Box]) -> Features:
        """Regions of one picture, and one vector a token box."""
        torch, network = self._torch, self._network
        rgb = padded(picture.rgb, STRIP)
        with torch.inference_mode():
            pixels = torch.from_numpy(rgb.transpose(2, 0, 1).copy()).float() / 255
            images, _ = network.transform([pixels])
            maps = network.backbone(images.tensors)
            proposals, _ = network.rpn(images, maps)
            [found], _ = network.roi_heads(maps, proposals, images.image_sizes)
            # Shares of the picture, not of its padding, at the size that the network saw.
            seen_height, seen_width = images.image_sizes[0]
            height = picture.height * seen_height / rgb.shape[0]
            width = picture.width * seen_width / rgb.shape[1]
            size = torch.tensor([width, height, width, height], dtype=torch.float32)
            tokens = torch.tensor(token_boxes, dtype=torch.float32).reshape(-1, 4) * size
            vectors = self._fc6(maps, torch.cat([found["boxes"], tokens]), images.image_sizes)
            boxes = (found["boxes"] / size).clamp(0, 1).numpy().astype(np.float32)
        return Features(boxes, vectors[: len(boxes)], vectors[len(boxes) :])

    def _fc6(self, maps: Any, boxes: Any, sizes: Any) -> npt.NDArray[np.float16]:  # tensors; torch is imported late
        heads = self._network.roi_heads
        pooled = heads.box_roi_pool(maps, [boxes], sizes).flatten(start_dim=1)
        vectors: npt.NDArray[np.float32] = self._torch.relu(heads.box_head.fc6(pooled)).numpy()
        return half(vectors)
