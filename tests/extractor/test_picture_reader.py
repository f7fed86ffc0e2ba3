"""One picture, one row: what was read, or what went wrong and whose fault it is."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from extractor import images, picture_reader
from extractor.errors import BackendError, ContractError
from extractor.ocr.base import Reading
from extractor.picture_reader import Picture, Source
from extractor.records import Box, Features, Token

WORD = Token("Tea", 0.9, Box(0.1, 0.2, 0.3, 0.4))


class Reciter:
    """A reader that says what it was told to, or fails as it was told to."""

    schema = "reciter-1"

    def __init__(self, says: tuple[Token, ...] | Exception) -> None:
        self.says = says

    def read(self, picture: images.Raster) -> Reading:
        if isinstance(self.says, Exception):
            raise self.says
        return Reading(self.says)


class Painter:
    """A detector of two regions, each of three floats, and as many vectors as there are words."""

    schema = "painter/3/f2"
    dim = 3

    def detect(self, picture: images.Raster, token_boxes: Sequence[Box]) -> Features:
        half = np.ones((2, 3), np.float16)
        return Features(np.zeros((2, 4), np.float32), half, np.full((len(token_boxes), 3), 2, np.float16))


@pytest.fixture
def source(tmp_path):
    out = BytesIO()
    Image.new("RGB", (20, 10), "red").save(out, "PNG")
    (tmp_path / "tea.png").write_bytes(out.getvalue())
    (tmp_path / "broken.png").write_bytes(out.getvalue()[:50])
    return Source(root=str(tmp_path), limits=images.Config())


@pytest.fixture
def tea(source):
    return Picture(image_hash=picture_reader.hash_row("tea.png", source)["image_hash"], uri="tea.png")


def test_a_picture_is_named_by_its_bytes(source):
    row = picture_reader.hash_row("tea.png", source)

    assert row["image_hash"] == images.hash_bytes(images.open_bytes(source.root, "tea.png", source.limits))
    assert (row["status"], row["reason"]) == ("unread", None)


def test_a_picture_that_cannot_be_opened_has_no_name_and_a_reason(source):
    row = picture_reader.hash_row("../tea.png", source)

    assert (row["image_hash"], row["status"]) == (None, "failed")
    assert "leaves its root" in row["reason"]


def test_words_come_with_the_pictures_size(source, tea):
    row = picture_reader.text_row(tea, Reciter((WORD,)), source)

    assert row == {
        "image_hash": tea.image_hash,
        "ocr_schema": "reciter-1",
        "width": 20,
        "height": 10,
        "tokens": [{"text": "Tea", "confidence": 0.9, "box": {"x1": 0.1, "y1": 0.2, "x2": 0.3, "y2": 0.4}}],
        "status": "ok",
        "reason": None,
    }


@pytest.mark.parametrize(
    ("trouble", "status"),
    [
        (ContractError("picture", "a blur", "text"), "failed"),
        (BackendError("OCR service", "busy", retry=True), "unread"),
    ],
)
def test_a_failure_is_the_pictures_own_or_the_services(source, tea, trouble, status):
    row = picture_reader.text_row(tea, Reciter(trouble), source)

    assert (row["status"], row["reason"], row["tokens"]) == (status, str(trouble), [])


def test_a_service_that_refuses_for_good_is_no_pictures_fate(source, tea):
    with pytest.raises(BackendError, match="no such account"):
        picture_reader.text_row(tea, Reciter(BackendError("OCR service", "no such account")), source)


def test_a_bug_of_ours_is_no_reason(source, tea):
    with pytest.raises(ZeroDivisionError):
        picture_reader.text_row(tea, Reciter(ZeroDivisionError()), source)


def test_a_broken_picture_fails_for_words_and_regions_alike(source):
    broken = Picture(image_hash=picture_reader.hash_row("broken.png", source)["image_hash"], uri="broken.png")

    words = picture_reader.text_row(broken, Reciter((WORD,)), source)
    regions = picture_reader.feature_row(broken, Painter(), source, ocr_schema="reciter-1", token_boxes=[WORD.box])

    assert (words["status"], words["width"]) == ("failed", None)
    assert (regions["status"], regions["num_regions"], regions["dim"]) == ("failed", 0, 3)
    assert (regions["regions"], regions["token_vectors"], regions["ocr_schema"]) == (b"", b"", None)
    assert "a broken file" in words["reason"]
    assert words["reason"] == regions["reason"]


def test_features_are_blobs_of_the_stated_length(source, tea):
    row = picture_reader.feature_row(tea, Painter(), source, ocr_schema="reciter-1", token_boxes=[WORD.box])

    assert (row["num_regions"], row["dim"], row["num_tokens"], row["ocr_schema"]) == (2, 3, 1, "reciter-1")
    assert (len(row["boxes"]), len(row["regions"])) == (2 * 4 * 4, 2 * 3 * 2)
    assert np.frombuffer(row["token_vectors"], "<f2").tolist() == [2, 2, 2]


def test_a_file_that_changed_since_it_was_hashed_is_not_read_under_the_old_name(source, tea):
    with Path(source.root, "tea.png").open("ab") as file:
        file.write(b"more")

    row = picture_reader.text_row(tea, Reciter((WORD,)), source)

    assert row["status"] == "failed"
    assert "other bytes than when it was hashed" in row["reason"]


def test_a_picture_that_an_import_named_by_its_uri_is_read_unchecked(source):
    imported = Picture(image_hash="uri:0123", uri="tea.png", hash_is_of_bytes=False)

    assert picture_reader.text_row(imported, Reciter((WORD,)), source)["status"] == "ok"
