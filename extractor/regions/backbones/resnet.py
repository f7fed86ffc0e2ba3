"""ResNet-152 (He et al., CVPR 2016) under torchvision's names, so that its published weights load; no classifier.

B pictures, H x W pixels or cells, K channels of an input, D of a bottleneck, C = 4 D of its output.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

DEPTHS = (3, 8, 36, 3)
"""Bottlenecks of each stage: with three convolutions each, the stem and the classifier, 152 layers."""
EXPANSION = 4


class Bottleneck(nn.Module):
    """Narrow, look, widen, and add the input."""

    def __init__(self, K: int, D: int, stride: int) -> None:
        super().__init__()
        C = EXPANSION * D
        self.conv1, self.bn1 = nn.Conv2d(K, D, 1, bias=False), nn.BatchNorm2d(D)
        # The paper strides in conv1; the published weights are of torchvision's variant, which strides here.
        self.conv2, self.bn2 = nn.Conv2d(D, D, 3, stride, padding=1, bias=False), nn.BatchNorm2d(D)
        self.conv3, self.bn3 = nn.Conv2d(D, C, 1, bias=False), nn.BatchNorm2d(C)
        projected = K != C or stride != 1
        self.downsample = (
            nn.Sequential(nn.Conv2d(K, C, 1, stride, bias=False), nn.BatchNorm2d(C)) if projected else nn.Identity()
        )

    def forward(self, input_BKHW: Tensor) -> Tensor:
        """[B, C, H / stride, W / stride]."""
        narrow_BDHW = F.relu(self.bn1(self.conv1(input_BKHW)))
        narrow_BDHW = F.relu(self.bn2(self.conv2(narrow_BDHW)))
        return F.relu(self.bn3(self.conv3(narrow_BDHW)) + self.downsample(input_BKHW))


class ResNet(nn.Module):
    """A picture as one vector: the mean of its last map."""

    def __init__(self, depths: Sequence[int] = DEPTHS) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(64)
        self.layer1 = _stage(64, 64, depths[0], stride=1)
        self.layer2 = _stage(256, 128, depths[1], stride=2)
        self.layer3 = _stage(512, 256, depths[2], stride=2)
        self.layer4 = _stage(1024, 512, depths[3], stride=2)

    def forward(self, pixel_B3HW: Tensor) -> Tensor:
        """[B, 2048] of pixels by ImageNet's mean and deviation."""
        map_BKHW = F.relu(self.bn1(self.conv1(pixel_B3HW)))
        map_BKHW = F.max_pool2d(map_BKHW, 3, stride=2, padding=1)
        map_BCHW = self.layer4(self.layer3(self.layer2(self.layer1(map_BKHW))))
        return torch.mean(map_BCHW, dim=(2, 3))


def _stage(K: int, D: int, depth: int, *, stride: int) -> nn.Sequential:
    """Bottlenecks in a row, of which the first halves the map."""
    rest = (Bottleneck(EXPANSION * D, D, 1) for _ in range(depth - 1))
    return nn.Sequential(Bottleneck(K, D, stride), *rest)
