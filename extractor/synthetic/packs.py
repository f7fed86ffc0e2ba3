"""Draws packs: silhouette, label and print, then light, tilt, backdrop and noise; the same pack is the same bytes."""

from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageFilter

from extractor.synthetic import labels, printing
from extractor.synthetic.labels import Color, Palette
from extractor.synthetic.shapes import SIZE, TONES, Silhouette, silhouette
from extractor.synthetic.things import Pack

BACKDROPS: tuple[Color, ...] = ((246, 246, 244), (238, 241, 245), (247, 241, 233), (236, 240, 234))
DARK: Color = (45, 46, 50)
BLURRED = 0.3
"""Share of pictures that are out of focus."""
BARCODE_ROOM = 64
"""Pixels at the foot of a back."""
METAL: Color = (196, 199, 204)


def render(pack: Pack) -> bytes:
    """The picture of a pack as the bytes of its file."""
    rng = np.random.default_rng(pack.seed)
    palette = _palette(pack)
    shape = silhouette(pack.shape)
    picture = _painted(shape, palette)
    if pack.shape == "back":
        foot = shape.text.y2 - BARCODE_ROOM
        printing.set_facts(picture, pack, shape.text._replace(y2=foot), palette)
        labels.barcode(picture, (shape.text.x2 - 116, foot + 4), pack.seed)
    else:
        bare = pack.shape == "backpack"
        zones = labels.Zones(shape.text, None) if bare else labels.stick(picture, shape, pack.label, palette)
        printing.set_front(picture, pack, zones, palette)
    lit = _lit(picture, shape, strength=rng.uniform(0.7, 1.0))
    return _encoded(_photographed(lit, shape, pack, rng), pack, rng)


def _palette(pack: Pack) -> Palette:
    palette = labels.PALETTES[pack.palette]
    return palette if pack.color is None else palette._replace(body=labels.BODY_COLORS[pack.color])


def _painted(shape: Silhouette, palette: Palette) -> Image.Image:
    """The pack in its colours, on black."""
    tones = {
        "body": palette.body,
        "accent": palette.accent,
        "paper": palette.paper,
        "dark": DARK,
        "metal": METAL,
        "shade": _mixed(palette.body, (0, 0, 0), 0.22),
        "light": _mixed(palette.body, (255, 255, 255), 0.22),
    }
    colors_3K = np.array([tones[tone] for tone in TONES], np.float32).T / 255
    rgb_3P = colors_3K @ shape.tones.reshape(len(TONES), -1).astype(np.float32)
    return Image.fromarray(_bytes(rgb_3P.T.reshape(SIZE, SIZE, 3)))


def _lit(picture: Image.Image, shape: Silhouette, *, strength: float) -> Image.Image:
    light_HW1 = 1 + strength * (shape.light[:, :, None] - 1)
    return Image.fromarray(_bytes(np.asarray(picture, np.float32) * light_HW1))


def _photographed(picture: Image.Image, shape: Silhouette, pack: Pack, rng: np.random.Generator) -> Image.Image:
    """Tilted before a backdrop, with a soft shadow."""
    cover = Image.fromarray(_bytes(shape.tones.sum(axis=0, dtype=np.float32)))
    # Bilinear softens the print a little, as a lens does, at a quarter of the cost of bicubic.
    picture, cover = (layer.rotate(pack.tilt, Image.Resampling.BILINEAR) for layer in (picture, cover))
    backdrop = _backdrop(BACKDROPS[int(rng.integers(len(BACKDROPS)))])
    # A quarter of the size is fine enough for a soft shadow and sixteen times cheaper.
    small = ImageChops.offset(cover.reduce(4), 2, 4).filter(ImageFilter.GaussianBlur(4))
    shadow = small.resize((SIZE, SIZE), Image.Resampling.BILINEAR).point(lambda level: level * 0.35)
    backdrop.paste((70, 70, 78), mask=shadow)
    backdrop.paste(picture, mask=cover)
    return backdrop


def _backdrop(color: Color) -> Image.Image:
    """A studio's wall and table: one colour, a little darker below."""
    fade_H = np.linspace(1.02, 0.90, SIZE, dtype=np.float32)
    rows_H13 = np.array(color, np.float32) * fade_H[:, None, None]
    return Image.fromarray(np.broadcast_to(_bytes(rows_H13), (SIZE, SIZE, 3)).copy())


def _encoded(picture: Image.Image, pack: Pack, rng: np.random.Generator) -> bytes:
    content = BytesIO()
    if pack.path.endswith(".png"):
        picture.save(content, "PNG", compress_level=6)
        return content.getvalue()
    blurred = picture.filter(ImageFilter.BoxBlur(rng.uniform(0.2, 0.6))) if rng.random() < BLURRED else picture
    grain_HW1 = rng.standard_normal((SIZE, SIZE, 1), np.float32) * rng.uniform(1.5, 5.0)
    noisy = Image.fromarray(_bytes(np.asarray(blurred, np.float32) + grain_HW1))
    noisy.save(content, "JPEG", quality=int(rng.integers(80, 93)))
    return content.getvalue()


def _mixed(color: Color, other: Color, share: float) -> Color:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(color, other, strict=True))
    return red, green, blue


def _bytes(levels: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.uint8]:
    clipped: npt.NDArray[np.uint8] = np.clip(levels, 0, 255).astype(np.uint8)
    return clipped
