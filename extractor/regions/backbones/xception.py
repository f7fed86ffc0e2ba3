"""Xception (Chollet, CVPR 2017, figure 5) under timm's names, so that its published weights load; no classifier.

B pictures, H x W pixels or cells, K channels of an input, C of an output.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

MIDDLE = 728
"""Channels of the middle flow."""


class SeparableConv(nn.Module):
    """3 x 3 in each channel by itself, then 1 x 1 across channels."""

    def __init__(self, K: int, C: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(K, K, 3, padding=1, groups=K, bias=False)
        self.pointwise = nn.Conv2d(K, C, 1, bias=False)

    def forward(self, input_BKHW: Tensor) -> Tensor:
        """[B, C, H, W]."""
        output_BCHW: Tensor = self.pointwise(self.conv1(input_BKHW))
        return output_BCHW


class Block(nn.Module):
    """Separable convolutions from width to width, and the input added; a block that widens also halves the map."""

    def __init__(self, *widths: int, first_relu: bool = True) -> None:
        super().__init__()
        K, C = widths[0], widths[-1]
        halves = K != C
        layers = list(_layers(widths))[0 if first_relu else 1 :]
        self.rep = nn.Sequential(*layers, *([nn.MaxPool2d(3, stride=2, padding=1)] if halves else []))
        self.skip = nn.Conv2d(K, C, 1, stride=2, bias=False) if halves else nn.Identity()
        self.skipbn = nn.BatchNorm2d(C) if halves else nn.Identity()

    def forward(self, input_BKHW: Tensor) -> Tensor:
        """[B, C, H, W], or half of each side where the block widens."""
        output_BCHW: Tensor = self.rep(input_BKHW) + self.skipbn(self.skip(input_BKHW))
        return output_BCHW


class Xception(nn.Module):
    """A picture as the map of its last separable convolution; 299 pixels a side give 10 cells."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 32, 3, stride=2, bias=False), nn.BatchNorm2d(32)
        self.conv2, self.bn2 = nn.Conv2d(32, 64, 3, bias=False), nn.BatchNorm2d(64)
        blocks = [
            Block(64, 128, 128, first_relu=False),
            Block(128, 256, 256),
            Block(256, MIDDLE, MIDDLE),
            *(Block(MIDDLE, MIDDLE, MIDDLE, MIDDLE) for _ in range(8)),
            Block(MIDDLE, MIDDLE, 1024),
        ]
        self._names = [f"block{number}" for number in range(1, len(blocks) + 1)]
        for name, block in zip(self._names, blocks, strict=True):
            self.add_module(name, block)
        self.conv3, self.bn3 = SeparableConv(1024, 1536), nn.BatchNorm2d(1536)
        self.conv4, self.bn4 = SeparableConv(1536, 2048), nn.BatchNorm2d(2048)

    def forward(self, pixel_B3HW: Tensor) -> Tensor:
        """[B, 2048, H, W] of pixels in -1..1."""
        map_BKHW = F.relu(self.bn1(self.conv1(pixel_B3HW)))
        map_BKHW = F.relu(self.bn2(self.conv2(map_BKHW)))
        for name in self._names:
            map_BKHW = self.get_submodule(name)(map_BKHW)
        map_BKHW = F.relu(self.bn3(self.conv3(map_BKHW)))
        return F.relu(self.bn4(self.conv4(map_BKHW)))


def _layers(widths: Sequence[int]) -> Iterator[nn.Module]:
    """ReLU, separable convolution, norm, from each width to the next."""
    for K, C in pairwise(widths):
        yield from (nn.ReLU(), SeparableConv(K, C), nn.BatchNorm2d(C))
