"""PP-OCR: it reads a drawn pack, its words stand where they were drawn, and no shape of picture stalls it."""

import time

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from extractor.images import Raster
from extractor.ocr.rapidocr import Config, Reader, sized, words

LINES = [("NORDANE", 40, 40), ("Green Tea", 120, 30), ("20 count 1.5 kg", 200, 26)]


@pytest.fixture(scope="module")
def reader():
    return Reader(Config())


def pack(size: int = 320) -> Raster:
    image = Image.new("RGB", (320, 320), (240, 230, 210))
    draw = ImageDraw.Draw(image)
    for text, top, height in LINES:
        draw.text((30, top), text, font=ImageFont.load_default(height), fill=(30, 60, 30))
    return Raster(np.asarray(image.resize((size, size))), "hash")


def test_the_words_of_a_pack_are_read_line_by_line(reader):
    reading = reader.read(pack())

    assert [token.text for token in reading.tokens] == ["NORDANE", "Green", "Tea", "20", "count", "1.5", "kg"]
    assert all(0.8 < token.confidence <= 1 for token in reading.tokens)


@pytest.mark.parametrize("size", [320, 900])
def test_boxes_are_shares_of_the_picture_whatever_its_size(reader, size):
    boxes = {token.text: token.box for token in reader.read(pack(size)).tokens}

    assert boxes["NORDANE"].x1 == pytest.approx(30 / 320, abs=0.03)
    assert boxes["NORDANE"].y1 == pytest.approx(45 / 320, abs=0.04)
    assert boxes["Green"].x2 < boxes["Tea"].x1
    assert boxes["Green"].y1 > boxes["NORDANE"].y2
    assert boxes["kg"].y2 == pytest.approx(230 / 320, abs=0.04)


def test_a_picture_without_words_has_none(reader):
    assert reader.read(Raster(np.full((40, 40, 3), 255, np.uint8), "hash")).tokens == ()


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (2000, 3)])
def test_no_shape_of_picture_keeps_the_engine_busy(reader, shape):
    start = time.process_time()

    reader.read(Raster(np.zeros((*shape, 3), np.uint8), "hash"))

    assert time.process_time() - start < 15  # 1 x 500 took 120 s before it was padded


def test_the_same_picture_is_read_the_same_twice(reader):
    assert reader.read(pack()) == reader.read(pack())


def test_a_line_is_divided_by_its_characters():
    corners = np.array([[0, 10], [90, 10], [90, 20], [0, 20]])

    [first, second] = words(corners, "ab  cdefg", 0.5, width=100, height=40)

    assert (first.text, second.text, first.confidence) == ("ab", "cdefg", 0.5)
    assert first.box == pytest.approx((0, 0.25, 0.2, 0.5))
    assert second.box == pytest.approx((0.4, 0.25, 0.9, 0.5))


def test_the_words_of_a_tilted_line_climb_with_it():
    corners = np.array([[0, 50], [100, 0], [100, 10], [0, 60]])

    [first, second] = words(corners, "aaaa bbbbb", 1.0, width=100, height=100)

    assert first.box.y1 > second.box.y1
    assert first.box == pytest.approx((0, 0.3, 0.4, 0.6))


def test_the_words_of_a_line_that_runs_downwards_stand_below_each_other():
    corners = np.array([[40, 0], [50, 0], [50, 100], [40, 100]])

    [first, second] = words(corners, "aaaa bbbbb", 1.0, width=100, height=100)

    assert first.box == pytest.approx((0.4, 0, 0.5, 0.4))
    assert second.box == pytest.approx((0.4, 0.5, 0.5, 1.0))


@pytest.mark.parametrize(
    ("given", "expected"), [((240, 320), (480, 640)), ((600, 800), (600, 800)), ((3000, 4000), (1500, 2000))]
)
def test_small_pictures_grow_and_large_ones_shrink(given, expected):
    assert sized(np.zeros((*given, 3), np.uint8), side=480, max_side=2000).shape == (*expected, 3)


def test_a_setting_that_changes_what_is_read_changes_the_schema():
    default, wider = Config(), Config(side=640)

    assert default.schema == "rapidocr-3.10.0/ppocrv6-small/side480-960-2000/score0.5"
    assert default.schema != wider.schema
    assert default.schema == Config(threads=2).schema
