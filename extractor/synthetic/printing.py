"""Sets the lines of a pack in type: sizes by role, wrapped and fitted into the label, in ink that can be read there."""

from collections.abc import Iterable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from extractor.errors import BackendError
from extractor.synthetic import labels
from extractor.synthetic.labels import Color, Palette, Zones
from extractor.synthetic.shapes import SIZE, Rect
from extractor.synthetic.things import Line, Pack, Role

Font = ImageFont.FreeTypeFont

FONTS: Sequence[tuple[str, str]] = (
    ("DejaVuSans-Bold.ttf", "DejaVuSans.ttf"),
    ("DejaVuSerif-Bold.ttf", "DejaVuSans.ttf"),
    ("STIXGeneralBol.ttf", "STIXGeneral.ttf"),
    ("DejaVuSerif-BoldItalic.ttf", "DejaVuSerif.ttf"),
    ("DejaVuSans-BoldOblique.ttf", "DejaVuSans.ttf"),
    ("STIXGeneralBolIta.ttf", "DejaVuSans.ttf"),
    ("", "DejaVuSans.ttf"),
    ("DejaVuSansMono-Bold.ttf", "DejaVuSans.ttf"),
)
"""Display and text face of each set; the empty name is the face inside Pillow."""

DISPLAY_ROLES = (Role.BRAND, Role.VARIANT, Role.BADGE)
SMALL_ROLES = (Role.NET, Role.FINE)
"""What stands at the foot of a label."""
SIZES = {
    Role.BRAND: 60,
    Role.VARIANT: 32,
    Role.PRODUCT: 27,
    Role.BADGE: 27,
    Role.NET: 24,
    Role.CLAIM: 19,
    Role.FINE: 15,
}
"""Largest size by role, pixels."""
SMALLEST = 13
SCALES = (1.0, 0.9, 0.8, 0.72, 0.64, 0.56, 0.5, 0.44)
PITCH = 1.22
"""Distance of lines over their size."""
KEPT = 0.72
"""Smallest share of its size that a line keeps before it is broken into rows."""
ROOM = 56
"""Pixels between the rows from which on an ornament is drawn."""
MEASURED = 100
"""Widths are measured at this size and scaled."""
READABLE = 75
"""Least difference of luminance between print and ground."""


WIDE = 330
"""Labels wider than this are set flush left."""
FACTS_SCALES = (1.25, 1.1, 1.0, 0.9, 0.8, 0.7, 0.6)
"""Sizes of a back over those of a front."""
RULE = 16
"""Pixels between two facts, for the rule between them."""


class Row(NamedTuple):
    """One row of type as it will be set."""

    text: str
    role: Role
    size: int
    width: float

    @property
    def height(self) -> float:
        """Pixels that the row needs, a badge with its frame."""
        return self.size * PITCH + (10 if self.role == Role.BADGE else 0)


def set_front(picture: Image.Image, pack: Pack, zones: Zones, palette: Palette) -> None:
    """Print the lines of a front where its label leaves room; no lines, no print at all."""
    if not pack.lines:
        return
    press = _Press(picture, pack.fonts, palette, left=pack.label % 3 == 1 or zones.upper.width > WIDE)
    ornament = pack.label + pack.fonts
    ordered = _ordered(pack.lines, pack.label)
    large = [line for line in ordered if line.role not in SMALL_ROLES]
    small = [line for line in ordered if line.role in SMALL_ROLES]
    if zones.lower is None:
        fitted = _fitted([*large, *small], zones.upper, pack.fonts)
        top = [row for row in fitted if row.role not in SMALL_ROLES]
        press.set(top, fitted[len(top) :], zones.upper, ornament=ornament)
    else:
        press.set(_fitted(large, zones.upper, pack.fonts), [], zones.upper, ornament=ornament)
        press.set(_fitted(small, zones.lower, pack.fonts), [], zones.lower, ornament=None)


def set_facts(picture: Image.Image, pack: Pack, area: Rect, palette: Palette) -> None:
    """Print the lines of a back, each above a rule, larger than small print on a front."""
    press = _Press(picture, pack.fonts, palette, left=True)
    lines = _ordered(pack.lines, label=0)
    blocks: list[list[Row]] = []
    for scale in FACTS_SCALES:
        blocks = [_rows(line, area.width - 12, pack.fonts, scale) for line in lines]
        if sum(row.height for rows in blocks for row in rows) + RULE * len(blocks) <= area.height:
            break
    y = area.y1 + 4
    for rows in blocks:
        for row in rows:
            press.row(row, area, y)
            y += row.height
        y += RULE
        press.draw.line((area.x1 + 6, y - RULE / 2, area.x2 - 6, y - RULE / 2), fill=palette.ink, width=1)


def _ordered(lines: Iterable[Line], label: int) -> list[Line]:
    """Reading order by role; every second design opens with its claim, every third with the kind of product."""
    order = [Role.BRAND, Role.PRODUCT, Role.VARIANT, Role.BADGE, Role.CLAIM, Role.NET, Role.FINE]
    if label % 3 == 2:
        order.insert(0, order.pop(order.index(Role.PRODUCT)))
    if label % 2:
        order.insert(0, order.pop(order.index(Role.CLAIM)))
    return sorted(lines, key=lambda line: order.index(line.role))


def _fitted(lines: Sequence[Line], area: Rect, fonts: int) -> list[Row]:
    """The largest type in which all lines fit."""
    rows: list[Row] = []
    for scale in SCALES:
        rows = [row for line in lines for row in _rows(line, area.width - 12, fonts, scale)]
        if sum(row.height for row in rows) <= area.height:
            break
    return rows


def _rows(line: Line, width: float, fonts: int, scale: float) -> list[Row]:
    """A line in as many rows as keep it near its size."""
    largest = max(SMALLEST, SIZES[line.role] * scale)
    texts = [line.text]
    while True:
        rows = [_row(text, line.role, largest, width, fonts) for text in texts]
        size = min(row.size for row in rows)
        if (size >= KEPT * largest and max(row.width for row in rows) <= width) or len(texts) > line.text.count(" "):
            return [row._replace(size=size, width=row.width * size / row.size) for row in rows]
        texts = _broken(line.text, len(texts) + 1)


def _broken(text: str, count: int) -> list[str]:
    """Words in `count` rows of about one length, none empty."""
    words = text.split(" ")
    rows = [[word] for word in words]
    while len(rows) > count:
        # Join the two neighbours that are shortest together.
        k = min(range(len(rows) - 1), key=lambda k: len(" ".join(rows[k] + rows[k + 1])))
        rows[k : k + 2] = [rows[k] + rows[k + 1]]
    return [" ".join(row) for row in rows]


def _row(text: str, role: Role, largest: float, width: float, fonts: int) -> Row:
    unit = _width(text, _face(role, fonts)) / MEASURED
    size = int(max(SMALLEST, min(largest, width / unit)))
    return Row(text, role, size, unit * size)


class _Press:
    """Prints rows onto one picture."""

    def __init__(self, picture: Image.Image, fonts: int, palette: Palette, *, left: bool) -> None:
        self.picture, self.fonts, self.palette, self.left = picture, fonts, palette, left
        self.draw = ImageDraw.Draw(picture)

    def set(self, top: Sequence[Row], bottom: Sequence[Row], zone: Rect, *, ornament: int | None) -> None:
        """Set rows from the top and rows from the bottom, with an ornament where much room is left between."""
        spare = max(0.0, zone.height - sum(row.height for row in (*top, *bottom)))
        gap = min(14.0, 0.5 * spare / max(1, len(top) + len(bottom)))
        y = zone.y1 + 0.5 * gap
        for row in top:
            self.row(row, zone, y)
            y += row.height + gap
        foot = max(y, zone.y2 - sum(row.height + gap for row in bottom))
        if ornament is not None and foot - y > ROOM:
            self._adorn(zone._replace(y1=y, y2=foot), ornament)
        y = foot
        for row in bottom:
            self.row(row, zone, y)
            y += row.height + gap

    def row(self, row: Row, zone: Rect, y: float) -> None:
        """Set one row at a height."""
        x = zone.x1 + 6 if self.left else (zone.x1 + zone.x2 - row.width) / 2
        if row.role == Role.BADGE:
            x += 10 if self.left else 0
            pill = (x - 10, y + 1, x + row.width + 10, y + row.height - 3)
            self.draw.rounded_rectangle(pill, row.height / 2, fill=self._ink(pill, (self.palette.accent,)))
        preferred = (self.palette.accent,) if row.role in (Role.VARIANT, Role.CLAIM) else ()
        color = self._ink((x, y, x + row.width, y + row.height), preferred)
        face = _font(_face(row.role, self.fonts), row.size)
        self.draw.text((x, y + row.height / 2), row.text, fill=color, font=face, anchor="lm")

    def _adorn(self, room: Rect, which: int) -> None:
        x, y = (room.x1 + room.x2) / 2, (room.y1 + room.y2) / 2
        radius = min(36.0, 0.36 * room.height, 0.3 * room.width)
        color = self._ink((x - radius, y - radius, x + radius, y + radius), (self.palette.accent, self.palette.body))
        labels.ornament(self.picture, which, (x, y), radius, color)

    def _ink(self, box: tuple[float, float, float, float], preferred: Sequence[Color]) -> Color:
        """The first colour that stands out from what is under the box."""
        # The mean colour, as one pixel.
        ground = self.picture.resize((1, 1), Image.Resampling.BOX, box=_inside(box)).tobytes()
        under = labels.luminance((ground[0], ground[1], ground[2]))
        choices = (*preferred, self.palette.ink, (255, 255, 255))
        return next((c for c in choices if abs(labels.luminance(c) - under) >= READABLE), choices[-1])


def _inside(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """The part of a box within the picture, at least a pixel of it."""
    x1, y1 = (min(max(edge, 0.0), SIZE - 1.0) for edge in box[:2])
    x2, y2 = (min(edge, float(SIZE)) for edge in box[2:])
    return x1, y1, max(x2, x1 + 1), max(y2, y1 + 1)


def _face(role: Role, fonts: int) -> str:
    return FONTS[fonts][0 if role in DISPLAY_ROLES else 1]


@cache
def _width(text: str, face: str) -> float:
    return _font(face, MEASURED).getlength(text)


@cache
def _font(face: str, size: int) -> Font:
    if face:
        return ImageFont.truetype(str(_folder() / face), size)
    built_in = ImageFont.load_default(size)
    assert isinstance(built_in, Font), "Pillow was built without FreeType"
    return built_in


@cache
def _folder() -> Path:
    """Where the fonts are inside the matplotlib wheel; matplotlib itself is never imported."""
    spec = find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise BackendError("fonts of the drawn packs", "matplotlib, whose wheel holds them, is not installed")
    return Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"
