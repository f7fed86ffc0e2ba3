"""Drawn packs: the same bytes every time, whole in their frame, showing what cannot be read."""

from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from extractor import images
from extractor.errors import BackendError
from extractor.ocr import rapidocr
from extractor.synthetic import labels, packs, printing
from extractor.synthetic.catalogue import NUM_FONTS, NUM_LABELS, NUM_PALETTES, draw
from extractor.synthetic.shapes import SHAPES
from extractor.synthetic.things import Line, Pack, Role
from extractor.synthetic.universe import TYPES

LINES = (
    Line("Harbor Lane", Role.BRAND),
    Line("LOOSE LEAF TEA", Role.PRODUCT),
    Line("Mixed Berry", Role.VARIANT),
    Line("CAFFEINE FREE", Role.BADGE),
    Line("Try All Varieties", Role.CLAIM),
    Line("Net 100 g", Role.NET),
    Line("Ingredients: apple spice leaf, chamomile peel", Role.FINE),
)
PNG_SEED, JPEG_SEED = 12, 13


def pack(**changes: Any) -> Pack:  # of every field's type
    base = Pack(
        picture_id="0000001-0",
        shape="pouch",
        color=None,
        palette=1,
        fonts=0,
        label=1,
        lines=LINES,
        tilt=2.0,
        seed=JPEG_SEED,
    )
    return replace(base, **changes)


def pixels(drawn):
    return np.asarray(Image.open(BytesIO(packs.render(drawn))).convert("RGB"), np.int16)


def test_the_same_pack_is_the_same_bytes():
    assert packs.render(pack()) == packs.render(pack())


@pytest.mark.parametrize("change", [{"seed": 25}, {"tilt": -1.0}, {"lines": LINES[:1]}, {"shape": "tin"}, {"fonts": 2}])
def test_another_pack_is_other_bytes(change):
    assert packs.render(pack(**change)) != packs.render(pack())


@pytest.mark.parametrize(("seed", "kind", "suffix"), [(PNG_SEED, "PNG", ".png"), (JPEG_SEED, "JPEG", ".jpg")])
def test_a_picture_is_what_its_name_says(seed, kind, suffix):
    drawn = pack(seed=seed)

    picture = Image.open(BytesIO(packs.render(drawn)))

    assert (picture.format, picture.size) == (kind, (480, 480))
    assert drawn.path == f"0000/0000001-0{suffix}"


@pytest.mark.parametrize("shape", SHAPES)
def test_print_stays_on_its_pack(shape):
    # PNG without tilt: no grain, no blur, so a pixel differs only where there is print.
    blank, full = (pixels(pack(shape=shape, seed=PNG_SEED, tilt=0.0, lines=lines)) for lines in (LINES[:0], LINES))

    rows, columns = np.nonzero(np.abs(full - blank).max(axis=2) > 40)

    area = SHAPES[shape].text
    assert len(rows) > 500
    assert area.x1 - 12 <= columns.min()
    assert columns.max() <= area.x2 + 12
    assert area.y1 - 12 <= rows.min()
    assert rows.max() <= area.y2 + 12


@pytest.mark.parametrize("label", range(NUM_LABELS))
def test_every_label_design_takes_every_face(label):
    drawn = [packs.render(pack(label=label, fonts=fonts)) for fonts in (label, (label + 3) % NUM_FONTS)]

    assert drawn[0] != drawn[1]


def test_the_catalogue_draws_from_all_designs_faces_and_palettes():
    assert (
        len(labels.DESIGNS), len(printing.FONTS), len(labels.PALETTES),
    ) == (NUM_LABELS, NUM_FONTS, NUM_PALETTES)  # fmt: skip


@pytest.mark.parametrize("color", labels.BODY_COLORS)
def test_the_color_of_a_backpack_can_be_seen(color):
    body = pixels(pack(shape="backpack", color=color))[200:240, 120:240].reshape(-1, 3).mean(axis=0)

    distance = {name: np.abs(body - other).sum() for name, other in labels.BODY_COLORS.items()}

    assert min(distance, key=lambda name: distance[name]) == color


def test_every_value_that_a_shape_shows_has_a_shape_of_its_own():
    for kind in TYPES:
        for attribute in kind.attributes:
            shapes = [shape for value in attribute.values for shape in attribute.shapes.get(value.name, ())]
            assert len(shapes) == len(set(shapes)) == (len(attribute.values) if attribute.shapes else 0)
            assert set(shapes) <= set(SHAPES)


def test_every_color_that_is_a_value_can_be_drawn():
    colors = {value.name for kind in TYPES for a in kind.attributes if a.colors for value in a.values}

    assert colors == set(labels.BODY_COLORS)


def test_without_the_wheel_that_holds_the_fonts_the_error_names_it(monkeypatch):
    monkeypatch.setattr(printing, "find_spec", lambda _: None)

    with pytest.raises(BackendError, match="matplotlib"):
        printing._folder.__wrapped__()


@pytest.mark.slow
def test_an_ocr_engine_reads_nearly_all_words():
    engine = rapidocr.Reader(rapidocr.Config())
    printed = [drawn for item in draw(60, 11) for drawn in item.packs if drawn.lines][:40]
    found = total = 0

    for drawn in printed:
        read = engine.read(images.decode(packs.render(drawn), images.Config()))
        words = {token.text.lower() for token in read.tokens}
        wanted = [word.lower() for line in drawn.lines for word in line.text.split()]
        found, total = found + sum(word in words for word in wanted), total + len(wanted)

    assert found / total >= 0.96, f"{found} of {total} words"
