"""Tesseract: its table becomes words; a missing or failing program says so, a picture that is too much is a reason."""

import shutil

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from extractor.errors import BackendError, ContractError
from extractor.images import Raster
from extractor.ocr.tesseract import Config, Reader, words

HEAD = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext"
TABLE = f"""{HEAD}
1\t1\t0\t0\t0\t0\t0\t0\t200\t100\t-1\t
4\t1\t1\t1\t1\t0\t10\t20\t120\t30\t-1\t
5\t1\t1\t1\t1\t1\t10\t20\t50\t30\t96.5\tGreen
5\t1\t1\t1\t1\t2\t70\t20\t60\t30\t41.0\t"Tea
5\t1\t1\t1\t1\t3\t70\t20\t60\t30\t95.0\t \n"""


def program(folder, *lines: str) -> str:
    """A stand-in for the program: any executable that speaks its language."""
    path = folder / "tesseract"
    path.write_text("\n".join(["#!/bin/sh", '[ "$1" = --version ] && echo "tesseract 5.9.1" && exit 0', *lines]))
    path.chmod(0o755)
    return str(path)


BLANK = Raster(np.full((100, 200, 3), 255, np.uint8), "hash")


def test_only_words_are_taken_from_the_table_with_their_quotes():
    found = list(words(TABLE, width=200, height=100))

    assert [(token.text, token.confidence) for token in found] == [("Green", 0.965), ('"Tea', 0.41)]
    assert found[0].box == pytest.approx((0.05, 0.2, 0.3, 0.5))


def test_the_program_is_given_the_picture_and_its_table_is_read(tmp_path):
    (tmp_path / "table.tsv").write_text(TABLE)
    binary = program(tmp_path, f"head -c 8 > {tmp_path}/given", "cat > /dev/null", f"cat {tmp_path}/table.tsv")

    reading = Reader(Config(binary=binary, min_confidence=0.5)).read(BLANK)

    assert [token.text for token in reading.tokens] == ["Green"]
    assert (tmp_path / "given").read_bytes() == b"\x89PNG\r\n\x1a\n"


def test_a_missing_program_is_named_before_anything_is_read():
    with pytest.raises(BackendError, match="no program 'tesseract-of-nowhere' on this machine"):
        Reader(Config(binary="tesseract-of-nowhere"))


def test_a_program_that_fails_tells_its_last_words(tmp_path):
    binary = program(tmp_path, "echo 'Failed loading language swe' >&2", "exit 1")

    with pytest.raises(BackendError, match="exit 1: Failed loading language swe") as caught:
        Reader(Config(binary=binary)).read(BLANK)

    assert not caught.value.retry


def test_a_program_that_was_killed_may_be_asked_again(tmp_path):
    binary = program(tmp_path, "kill -9 $$")

    with pytest.raises(BackendError, match="exit -9") as caught:
        Reader(Config(binary=binary)).read(BLANK)

    assert caught.value.retry


def test_a_picture_that_takes_too_long_is_given_up_with_a_reason(tmp_path):
    binary = program(tmp_path, "exec sleep 20")

    with pytest.raises(ContractError, match=r"no answer in 0\.2 s"):
        Reader(Config(binary=binary, timeout=0.2)).read(BLANK)


def test_a_picture_longer_than_the_program_takes_is_refused(tmp_path):
    reader = Reader(Config(binary=program(tmp_path, "exit 1")))

    with pytest.raises(ContractError, match="40,000 x 1 pixels"):
        reader.read(Raster(np.zeros((1, 40_000, 3), np.uint8), "hash"))


def test_the_schema_names_version_and_settings(tmp_path):
    binary = program(tmp_path)

    assert Config(binary=binary).schema == "tesseract-5.9.1/eng/psm11/score0"
    assert Config(binary=binary, languages="eng+swe").schema == "tesseract-5.9.1/eng+swe/psm11/score0"


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="the program tesseract is not installed")
def test_the_real_program_reads_a_drawn_word():
    image = Image.new("RGB", (300, 100), "white")
    ImageDraw.Draw(image).text((40, 30), "Vanilla", font=ImageFont.load_default(40), fill="black")

    reading = Reader(Config()).read(Raster(np.asarray(image), "hash"))

    assert [token.text for token in reading.tokens] == ["Vanilla"]
    assert reading.tokens[0].box == pytest.approx((0.13, 0.35, 0.6, 0.7), abs=0.1)
