"""How packs are coloured and what is stuck on them: palettes, colours that are values, label designs, ornaments."""

from collections.abc import Callable, Mapping, Sequence
from math import cos, pi, sin
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from extractor.synthetic.shapes import SIZE, Rect, Silhouette

Color = tuple[int, int, int]


class Palette(NamedTuple):
    """The colours of one brand's packs."""

    body: Color
    accent: Color
    paper: Color
    ink: Color


def _palette(body: str, accent: str, paper: str, ink: str) -> Palette:
    return Palette(*(_color(text) for text in (body, accent, paper, ink)))


def _color(text: str) -> Color:
    return int(text[:2], 16), int(text[2:4], 16), int(text[4:], 16)


PALETTES: tuple[Palette, ...] = (
    _palette("1f4d3a", "e3b23c", "fbf6e9", "16291f"),
    _palette("1d3557", "d9363e", "f8f9fa", "0b1a2e"),
    _palette("f1e6d2", "b5462f", "fffdf7", "3b2a20"),
    _palette("0f766e", "fbbf24", "f6fbf9", "0a2f2c"),
    _palette("e57350", "4f1d1b", "fff4e6", "3a1512"),
    _palette("b9a5d6", "5e3b8c", "faf7ff", "2e1b47"),
    _palette("93c9e6", "0b4f79", "fbfdff", "0a2c44"),
    _palette("2b2d33", "e0a458", "f4f1ea", "17181b"),
    _palette("b9caaa", "4c6b38", "fbfcf7", "24331a"),
    _palette("e6a2aa", "8e2a43", "fff7f7", "45131f"),
    _palette("f4f4f1", "0077b6", "ffffff", "14303f"),
    _palette("f5c449", "c03a1b", "fffaea", "43200c"),
)

BODY_COLORS: Mapping[str, Color] = {
    "black": _color("27282c"),
    "red": _color("c4262e"),
    "blue": _color("2159c4"),
    "green": _color("23874b"),
    "yellow": _color("f0bd1f"),
    "pink": _color("f194b8"),
}
"""Values of the attribute `color` as the drawing shows them."""


class Zones(NamedTuple):
    """Where a label leaves room for print."""

    upper: Rect
    """For brand, product, variants and claims."""
    lower: Rect | None
    """For net content and small print; None where they share the upper zone."""


Draw = ImageDraw.ImageDraw
Design = Callable[[Draw, Draw, Rect], Zones]
"""Fills a mask of paper and a mask of accent, and says where to print."""


def _bare(paper: Draw, accent: Draw, area: Rect) -> Zones:
    return Zones(area, None)


def _panel(paper: Draw, accent: Draw, area: Rect) -> Zones:
    paper.rounded_rectangle(area, 12, fill=255)
    return Zones(_inset(area, 4, 6), None)


def _band(paper: Draw, accent: Draw, area: Rect) -> Zones:
    y1, y2 = area.y1 + 0.06 * area.height, area.y2 - 0.06 * area.height
    accent.rectangle((0, y1 - 8, SIZE, y2 + 8), fill=255)
    accent.rectangle((0, y1, SIZE, y2), fill=0)
    paper.rectangle((0, y1, SIZE, y2), fill=255)
    return Zones(Rect(area.x1, y1 + 4, area.x2, y2 - 4), None)


def _stripe(paper: Draw, accent: Draw, area: Rect) -> Zones:
    edge = area.x1 + 0.1 * area.width
    accent.rectangle((0, 0, edge, SIZE), fill=255)
    paper.rectangle((edge, 0, edge + 4, SIZE), fill=255)
    return Zones(Rect(edge + 8, area.y1, area.x2, area.y2), None)


def _slope(paper: Draw, accent: Draw, area: Rect) -> Zones:
    left, right = area.y1 + 0.62 * area.height, area.y1 + 0.74 * area.height
    accent.polygon(((0, right + 6), (SIZE, left + 6), (SIZE, SIZE), (0, SIZE)), fill=255)
    paper.polygon(((0, right), (SIZE, left), (SIZE, left + 6), (0, right + 6)), fill=255)
    return Zones(area._replace(y2=left + 0.03 * area.height), area._replace(y1=right + 2))


def _frame(paper: Draw, accent: Draw, area: Rect) -> Zones:
    paper.rectangle(area, fill=255)
    accent.rectangle(_inset(area, 4, 4), outline=255, width=3)
    return Zones(_inset(area, 10, 12), None)


def _oval(paper: Draw, accent: Draw, area: Rect) -> Zones:
    grown = _inset(area, -0.12 * area.width, -0.06 * area.height)
    paper.ellipse(grown, fill=255)
    accent.ellipse(_inset(grown, 6, 6), outline=255, width=2)
    return Zones(_inset(area, 0.07 * area.width, 0.1 * area.height), None)


def _wave(paper: Draw, accent: Draw, area: Rect) -> Zones:
    level = area.y1 + 0.7 * area.height
    crest = [(x, level + 9 * sin(x / 38)) for x in range(0, SIZE + 1, 8)]
    accent.polygon((*crest, (SIZE, SIZE), (0, SIZE)), fill=255)
    paper.line([(x, y - 3) for x, y in crest], fill=255, width=5)
    return Zones(area._replace(y2=level - 14), area._replace(y1=level + 10))


DESIGNS: Sequence[Design] = (_bare, _panel, _band, _stripe, _slope, _frame, _oval, _wave)


def stick(picture: Image.Image, shape: Silhouette, design: int, palette: Palette) -> Zones:
    """Put a label on a pack, never beyond its body; says where to print."""
    body = Image.fromarray(shape.body)
    masks = [Image.new("L", (SIZE, SIZE)) for _ in range(2)]
    zones = DESIGNS[design](ImageDraw.Draw(masks[0]), ImageDraw.Draw(masks[1]), shape.text)
    for mask, color in zip(masks, (palette.paper, palette.accent), strict=True):
        picture.paste(color, mask=ImageChops.multiply(mask, body))
    return zones


def _inset(area: Rect, x: float, y: float) -> Rect:
    return Rect(area.x1 + x, area.y1 + y, area.x2 - x, area.y2 - y)


def ornament(picture: Image.Image, which: int, center: tuple[float, float], radius: float, color: Color) -> None:
    """A small drawing between the lines of print."""
    edge = max(8, round(2 * radius))
    mask = Image.new("L", (3 * edge, 3 * edge))
    ORNAMENTS[which % len(ORNAMENTS)](ImageDraw.Draw(mask), 3 * edge / 2)
    picture.paste(color, (round(center[0] - edge / 2), round(center[1] - edge / 2)), mask.reduce(3))


def _sun(draw: ImageDraw.ImageDraw, r: float) -> None:
    draw.ellipse((0.55 * r, 0.55 * r, 1.45 * r, 1.45 * r), fill=255)
    for k in range(12):
        x, y = cos(k * pi / 6), sin(k * pi / 6)
        draw.line((r + 0.58 * r * x, r + 0.58 * r * y, r + 0.92 * r * x, r + 0.92 * r * y), 255, round(0.1 * r))


def _leaf(draw: ImageDraw.ImageDraw, r: float) -> None:
    for side in (-1, 1):
        blade = [
            (r + side * r * 0.95 * t, r * 1.35 - r * 1.1 * t - 0.5 * r * sin(pi * t)) for t in np.linspace(0, 1, 12)
        ]
        back = [
            (r + side * r * 0.95 * t, r * 1.35 - r * 1.1 * t + 0.25 * r * sin(pi * t)) for t in np.linspace(1, 0, 12)
        ]
        draw.polygon(blade + back, fill=255)
    draw.line((r, 1.3 * r, r, 1.9 * r), 255, round(0.08 * r))


def _waves(draw: ImageDraw.ImageDraw, r: float) -> None:
    for row in (0.6, 1.0, 1.4):
        draw.line([(x * r / 12, row * r + 0.16 * r * sin(x)) for x in range(25)], 255, round(0.11 * r), joint="curve")


def _hills(draw: ImageDraw.ImageDraw, r: float) -> None:
    draw.polygon(((0, 1.7 * r), (0.75 * r, 0.5 * r), (1.5 * r, 1.7 * r)), fill=255)
    draw.polygon(((0.95 * r, 1.7 * r), (1.45 * r, 0.9 * r), (2 * r, 1.7 * r)), fill=170)


def _flower(draw: ImageDraw.ImageDraw, r: float) -> None:
    for k in range(8):
        x, y = r + 0.55 * r * cos(k * pi / 4), r + 0.55 * r * sin(k * pi / 4)
        draw.ellipse((x - 0.27 * r, y - 0.27 * r, x + 0.27 * r, y + 0.27 * r), fill=255)
    draw.ellipse((0.72 * r, 0.72 * r, 1.28 * r, 1.28 * r), fill=0)


def _dots(draw: ImageDraw.ImageDraw, r: float) -> None:
    for k in range(5):
        size = 0.2 * r if k == 2 else 0.11 * r
        draw.ellipse((0.2 * r + 0.4 * k * r - size, r - size, 0.2 * r + 0.4 * k * r + size, r + size), fill=255)


def barcode(picture: Image.Image, corner: tuple[float, float], seed: int) -> None:
    """Bars on white, as the back of a pack has them."""
    x, y = round(corner[0]), round(corner[1])
    draw = ImageDraw.Draw(picture)
    draw.rectangle((x, y, x + 112, y + 56), fill=(255, 255, 255))
    left = x + 8
    for k in range(26):
        width = 1 + (seed >> k & 1) + (seed >> (k + 3) & 1)
        draw.rectangle((left, y + 6, left + width - 1, y + 50), fill=(25, 25, 28))
        left += width + 1 + (seed >> (k + 1) & 1)


ORNAMENTS = (_sun, _leaf, _waves, _hills, _flower, _dots)


def luminance(color: Color) -> float:
    """Brightness as the eye has it, 0..255."""
    return 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]
