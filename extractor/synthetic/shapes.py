"""The silhouettes of packs: which part of a picture has which tone, how light falls on it, where print may go."""

from collections.abc import Callable, Mapping
from functools import cache
from math import cos, pi, sin
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

SIZE = 480
"""Edge of a drawn picture, pixels."""
FINE = 2
"""Outlines are filled on a canvas this much finer, then averaged: smooth edges."""

TONES = ("body", "accent", "paper", "dark", "metal", "shade", "light")
"""What a part may be painted with; shade and light are the body's colour, darker and lighter."""

Floats = npt.NDArray[np.floating[Any]]
Bytes = npt.NDArray[np.uint8]
Fill = Callable[[ImageDraw.ImageDraw], None]


class Rect(NamedTuple):
    """A rectangle in pixels of the picture."""

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def width(self) -> float:
        """Pixels across."""
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        """Pixels down."""
        return self.y2 - self.y1


class Part(NamedTuple):
    """A piece of a pack: an outline with a tone; later parts cover earlier ones."""

    fill: Fill
    tone: str
    light: str = "flat"
    """How light falls: flat, round (as on a cylinder) or crinkled."""


class Shape(NamedTuple):
    """A silhouette as a list of parts, and the area for print."""

    parts: tuple[Part, ...]
    text: Rect


class Silhouette(NamedTuple):
    """A shape, rasterised: H = W = 480, K tones."""

    tones: Bytes
    """[K, H, W] how much of each tone each pixel has (0..255); bytes, as a worker keeps all silhouettes."""
    light: npt.NDArray[np.float32]
    """[H, W] brightness; 1 is the colour itself."""
    body: Bytes
    """[H, W] where a label may be stuck (0..255)."""
    text: Rect


def box(x1: float, y1: float, x2: float, y2: float, radius: float = 0) -> Fill:
    """A rectangle with round corners."""
    return lambda draw: draw.rounded_rectangle(_fine((x1, y1, x2, y2)), radius * FINE, fill=255)


def oval(x1: float, y1: float, x2: float, y2: float) -> Fill:
    """An ellipse."""
    return lambda draw: draw.ellipse(_fine((x1, y1, x2, y2)), fill=255)


def polygon(*points: tuple[float, float]) -> Fill:
    """Straight edges."""
    return lambda draw: draw.polygon([(x * FINE, y * FINE) for x, y in points], fill=255)


def stroke(width: float, *points: tuple[float, float]) -> Fill:
    """A line with round joints."""
    return lambda draw: draw.line([(x * FINE, y * FINE) for x, y in points], 255, round(width * FINE), joint="curve")


def arc(x1: float, y1: float, x2: float, y2: float, *, span: tuple[float, float], width: float) -> Fill:
    """A part of an ellipse's line, from angle to angle in degrees."""
    return lambda draw: draw.arc(_fine((x1, y1, x2, y2)), *span, 255, round(width * FINE))


def teeth(left: float, right: float, y: float, height: float, count: int) -> list[tuple[float, float]]:
    """A zigzag from left to right, as a sealed edge is cut."""
    step = (right - left) / count
    return [(left + step * i / 2, y + (height if i % 2 else 0)) for i in range(2 * count + 1)]


def _bag() -> Fill:
    top, bottom = teeth(118, 362, 48, 7, 17), teeth(118, 362, 432, -7, 17)
    right = [(362 + 8 * sin(pi * t / 8), 48 + 48 * t) for t in range(1, 8)]
    left = [(118 - 8 * sin(pi * t / 8), 432 - 48 * t) for t in range(1, 8)]
    return polygon(*top, *right, *reversed(bottom), *left)


def _flow_pack() -> Fill:
    left = [(y, x) for x, y in teeth(140, 350, 26, 7, 15)]
    right = [(480 - x, y) for x, y in left]
    top = [(60 + 45 * t, 138 + 6 * cos(pi * t / 4)) for t in range(9)]
    bottom = [(x, 490 - y) for x, y in top]
    return polygon(*top, *right, *reversed(bottom), *reversed(left))


SHAPES: Mapping[str, Shape] = {
    "box": Shape(
        (
            Part(polygon((352, 52), (392, 72), (392, 420), (352, 440)), "shade"),
            Part(polygon((104, 52), (352, 52), (392, 72), (150, 70)), "light"),
            Part(box(104, 58, 352, 440, 3), "body"),
        ),
        Rect(118, 72, 338, 428),
    ),
    "carton": Shape(
        (
            Part(polygon((92, 96), (372, 96), (410, 126), (60, 126)), "light"),
            Part(arc(170, 52, 310, 150, span=(180, 360), width=9), "dark"),
            Part(box(56, 122, 414, 436, 4), "body"),
            Part(box(56, 122, 414, 144), "accent"),
        ),
        Rect(74, 152, 396, 426),
    ),
    "pouch": Shape(
        (
            Part(
                polygon(
                    (112, 50),
                    (368, 50),
                    (360, 120),
                    (374, 300),
                    (384, 436),
                    (240, 446),
                    (96, 436),
                    (106, 300),
                    (120, 120),
                ),
                "body",
                "crinkled",
            ),
            Part(box(112, 50, 368, 78, 2), "accent"),
            Part(box(118, 90, 362, 93), "light"),
            Part(arc(96, 380, 384, 500, span=(200, 340), width=3), "shade"),
        ),
        Rect(128, 100, 352, 408),
    ),
    "bag": Shape(
        (
            Part(_bag(), "body", "crinkled"),
            Part(box(116, 62, 364, 66), "shade"),
            Part(box(114, 414, 366, 418), "shade"),
        ),
        Rect(128, 76, 352, 406),
    ),
    "flow_pack": Shape(
        (
            Part(_flow_pack(), "body", "crinkled"),
            Part(box(50, 142, 53, 348), "shade"),
            Part(box(427, 142, 430, 348), "shade"),
        ),
        Rect(66, 148, 414, 342),
    ),
    "tin": Shape(
        (
            Part(oval(106, 396, 374, 448), "shade", "round"),
            Part(box(106, 92, 374, 424), "body", "round"),
            Part(oval(106, 396, 374, 446), "body", "round"),
            Part(box(98, 66, 382, 100, 6), "metal", "round"),
            Part(oval(98, 44, 382, 92), "metal"),
            Part(oval(116, 50, 364, 84), "light"),
        ),
        Rect(124, 110, 356, 418),
    ),
    "jar": Shape(
        (
            Part(box(132, 118, 348, 150, 10), "shade", "round"),
            Part(box(84, 140, 396, 430, 52), "body", "round"),
            Part(box(118, 66, 362, 126, 12), "accent", "round"),
            Part(box(118, 104, 362, 108), "dark", "round"),
        ),
        Rect(110, 164, 370, 410),
    ),
    "pot": Shape(
        (
            Part(box(70, 214, 410, 420, 40), "body", "round"),
            Part(box(60, 136, 420, 226, 20), "accent", "round"),
            Part(box(60, 206, 420, 210), "dark", "round"),
        ),
        Rect(96, 236, 384, 408),
    ),
    "candle": Shape(
        (
            Part(stroke(5, (240, 84), (240, 124)), "dark"),
            Part(polygon((240, 20), (258, 60), (252, 88), (240, 94), (228, 88), (222, 60)), "accent"),
            Part(oval(232, 58, 248, 90), "paper"),
            Part(box(106, 112, 374, 436, 30), "metal", "round"),
            Part(oval(106, 100, 374, 138), "paper"),
            Part(oval(118, 106, 362, 132), "light"),
            Part(box(112, 160, 368, 428, 22), "body", "round"),
        ),
        Rect(126, 172, 354, 416),
    ),
    "tube": Shape(
        (
            Part(polygon((122, 36), (358, 36), (358, 56), (330, 366), (150, 366), (122, 56)), "body", "round"),
            Part(box(122, 34, 358, 56, 2), "shade"),
            Part(box(164, 364, 316, 446, 12), "accent", "round"),
            Part(box(164, 384, 316, 387), "dark", "round"),
        ),
        Rect(148, 68, 332, 352),
    ),
    "spray": Shape(
        (
            Part(box(204, 128, 262, 190, 4), "accent", "round"),
            Part(polygon((150, 44), (300, 36), (318, 62), (262, 134), (204, 134), (196, 92), (150, 84)), "accent"),
            Part(polygon((196, 92), (176, 96), (158, 150), (170, 156), (206, 120)), "dark"),
            Part(box(138, 50, 154, 80, 3), "dark"),
            Part(polygon((204, 174), (262, 174), (334, 226), (334, 300), (140, 300), (140, 226)), "body", "round"),
            Part(box(140, 220, 334, 446, 22), "body", "round"),
        ),
        Rect(150, 226, 324, 438),
    ),
    "stick": Shape(
        (
            Part(box(150, 134, 330, 440, 16), "body", "round"),
            Part(box(156, 34, 324, 140, 34), "accent", "round"),
            Part(box(156, 132, 324, 138), "dark", "round"),
            Part(box(142, 424, 338, 450, 8), "accent", "round"),
        ),
        Rect(160, 148, 320, 418),
    ),
    "jug": Shape(
        (
            Part(box(112, 36, 210, 96, 10), "accent", "round"),
            Part(box(126, 90, 196, 128), "shade", "round"),
            Part(polygon((118, 116), (206, 116), (330, 126), (396, 190), (396, 300), (78, 300), (78, 190)), "body"),
            Part(box(78, 168, 396, 444, 30), "body"),
            Part(polygon((262, 148), (318, 150), (366, 194), (352, 206), (262, 178)), "dark"),
        ),
        Rect(94, 206, 380, 432),
    ),
    "tub": Shape(
        (
            Part(polygon((72, 130), (408, 130), (386, 436), (94, 436)), "body", "round"),
            Part(box(58, 76, 422, 136, 16), "accent", "round"),
            Part(box(58, 118, 422, 122), "dark", "round"),
            Part(box(110, 366, 370, 430, 26), "paper"),
            *(Part(oval(122 + 48 * i, 376, 164 + 48 * i, 420), "accent") for i in range(5)),
            *(Part(oval(134 + 48 * i, 384, 152 + 48 * i, 402), "light") for i in range(5)),
        ),
        Rect(100, 142, 380, 360),
    ),
    "backpack": Shape(
        (
            Part(arc(178, 14, 262, 92, span=(180, 360), width=12), "shade"),
            Part(stroke(22, (96, 110), (58, 190), (62, 330), (100, 400)), "shade"),
            Part(stroke(22, (344, 110), (382, 190), (378, 330), (340, 400)), "shade"),
            Part(box(84, 50, 356, 440, 76), "body", "round"),
            Part(arc(100, 68, 340, 380, span=(190, 350), width=5), "dark"),
            Part(box(104, 262, 336, 424, 34), "light", "round"),
            Part(box(104, 286, 336, 292, 2), "dark"),
            Part(stroke(3, (290, 140), (330, 176)), "dark"),
            Part(polygon((262, 176), (278, 160), (446, 160), (462, 176), (462, 402), (262, 402)), "paper"),
            Part(oval(354, 166, 368, 180), "dark"),
        ),
        Rect(270, 186, 454, 396),
    ),
    "back": Shape(
        (
            Part(box(36, 30, 444, 450, 14), "body"),
            Part(box(56, 50, 424, 430, 6), "paper"),
        ),
        Rect(72, 66, 408, 414),
    ),
}


@cache
def silhouette(name: str) -> Silhouette:
    """Rasterise a shape; once a process, as every pack of that shape shares it."""
    tones_KHW = np.zeros((len(TONES), SIZE, SIZE), np.float32)
    light_HW = np.ones((SIZE, SIZE), np.float32)
    for part in SHAPES[name].parts:
        canvas = Image.new("L", (SIZE * FINE, SIZE * FINE))
        part.fill(ImageDraw.Draw(canvas))
        covered_HW = np.asarray(canvas.reduce(FINE), np.float32) / 255
        tones_KHW *= 1 - covered_HW
        tones_KHW[TONES.index(part.tone)] += covered_HW
        light_HW += covered_HW * (_light(part.light, covered_HW) - light_HW)
    body_HW = tones_KHW[TONES.index("body")]
    return Silhouette(_bytes(tones_KHW), light_HW, _bytes(body_HW), SHAPES[name].text)


def _light(kind: str, covered_HW: Floats) -> Floats:
    """Brightness over a part: a cylinder has a highlight on its left and falls off to both sides."""
    rows, columns = np.nonzero(covered_HW > 0.5)
    across_W: Floats = (np.arange(SIZE) - columns.min()) / max(1, np.ptp(columns)) * 2 - 1
    down_H1: Floats = ((np.arange(SIZE) - rows.min()) / max(1, np.ptp(rows)))[:, None]
    if kind == "round":
        curve_W = 0.66 + 0.36 * np.maximum(0, np.cos(across_W * pi / 2)) ** 0.7
        return np.broadcast_to(curve_W + 0.14 * np.exp(-(((across_W + 0.5) / 0.12) ** 2)), covered_HW.shape)
    fade_H1: Floats = 1.03 - 0.08 * down_H1
    if kind == "flat":
        return np.broadcast_to(fade_H1, covered_HW.shape)
    folds_HW = 0.035 * np.sin(9 * across_W + 5 * down_H1) * np.sin(4 * down_H1 + 2 * across_W)
    creases_HW = 0.03 * np.sin(23 * across_W - 7 * down_H1)
    crinkled: Floats = fade_H1 * (1 + folds_HW + creases_HW) - 0.14 * across_W**4
    return crinkled


def _bytes(shares: Floats) -> Bytes:
    whole: Bytes = np.round(shares * 255).astype(np.uint8)
    return whole


def _fine(edges: tuple[float, float, float, float]) -> list[float]:
    return [edge * FINE for edge in edges]
