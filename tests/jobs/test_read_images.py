"""Reading pictures: once a picture, only what is missing, a reason for every failure, nothing twice."""

import hashlib
import zlib
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from jobs import config, read_images
from jobs.tables import Tables
from schemas.image_features import IMAGE_FEATURES
from schemas.image_texts import IMAGE_TEXTS
from schemas.product_pictures import PRODUCT_PICTURES
from schemas.runs import RUNS

GRID = "efficientnet-lite0/7x7/whole+3x3/1280/f2"
OCR = config.load([config.BASE, "conf/local.yaml"]).read_images.ocr.config
OTHER = replace(OCR, side=320)
NOBODY = "http://127.0.0.1:9"


def pack(word: str, **options: object) -> bytes:
    """A picture of one word, as bytes."""
    image = Image.new("RGB", (240, 120), "white")
    ImageDraw.Draw(image).text((20, 40), word, font=ImageFont.load_default(40), fill="black")
    out = BytesIO()
    image.convert(str(options.pop("mode", "RGB"))).save(out, str(options.pop("kind", "PNG")), **options)
    return out.getvalue()


def bomb() -> bytes:
    """A small PNG that says it is 30,000 pixels wide and high."""
    content = pack("Bomb")
    header = b"IHDR" + (30_000).to_bytes(4, "big") * 2 + content[24:29]
    return content[:12] + header + zlib.crc32(header).to_bytes(4, "big") + content[33:]


def listed(product_id: str, uri: str, position: int = 0) -> dict[str, object]:
    return {"product_id": product_id, "position": position, "uri": uri, "status": "unread"}


def run(tables: Tables, root: Path, *settings: str) -> None:
    sets = [f"warehouse={tables.root}", f"read_images.root={root}", "read_images.partition_pictures=4", *settings]
    confs = ["--conf", "conf/local.yaml", "--conf", "conf/test.yaml"]
    read_images.main([*confs, "--day", "2026-01-15", *(part for text in sets for part in ("--set", text))])


def counts(tables: Tables) -> dict[str, int]:
    """What the newest run counted."""
    [newest] = tables.read(RUNS).orderBy("started_at", ascending=False).limit(1).collect()
    return dict(newest.counts)


def versions(tables: Tables) -> list[int]:
    return [tables.version(table) for table in (PRODUCT_PICTURES, IMAGE_TEXTS, IMAGE_FEATURES)]


@pytest.fixture(scope="module")
def shop(spark, tmp_path_factory) -> tuple[Tables, Path]:
    """A shop with good and bad pictures, read once."""
    root = tmp_path_factory.mktemp("pictures")
    files = {
        "vanilla.png": pack("Vanilla"),
        "copy.png": pack("Vanilla"),
        "cmyk.jpg": pack("Lemon", mode="CMYK", kind="JPEG", quality=95),
        "moving.gif": pack("Ginger", kind="GIF", save_all=True, append_images=[Image.new("RGB", (240, 120))]),
        "empty.png": b"",
        "broken.png": pack("Broken")[:300],
        "bomb.png": bomb(),
    }
    for name, content in files.items():
        (root / name).write_bytes(content)
    tables = Tables(spark, str(tmp_path_factory.mktemp("shop") / "warehouse"))
    rows = [listed(f"p-{name}", name) for name in files]
    rows += [listed("twin", "vanilla.png"), listed("p-vanilla.png", "cmyk.jpg", 1)]
    rows += [listed("gone", "nowhere.png"), listed("thief", "../../etc/passwd")]
    tables.upsert(tables.rows(rows, PRODUCT_PICTURES), PRODUCT_PICTURES)
    run(tables, root)
    return tables, root


def test_each_picture_is_read_once_whatever_the_number_of_its_products(shop):
    tables, _ = shop

    pictures = {(row.product_id, row.position): row for row in tables.read(PRODUCT_PICTURES).collect()}
    texts = [row for row in tables.read(IMAGE_TEXTS).collect() if row.status == "ok"]

    same = {pictures[key].image_hash for key in [("p-vanilla.png", 0), ("p-copy.png", 0), ("twin", 0)]}
    assert same == {hashlib.sha256(pack("Vanilla")).hexdigest()}
    assert sorted(token.text for row in texts for token in row.tokens) == ["Ginger", "Lemon", "Vanilla"]
    assert {row.ocr_schema for row in texts} == {OCR.schema}
    assert pictures["p-vanilla.png", 1].image_hash == pictures["p-cmyk.jpg", 0].image_hash


@pytest.mark.parametrize(
    ("product_id", "says"),
    [
        ("p-empty.png", "found 0 bytes"),
        ("p-broken.png", "broken file"),
        ("p-bomb.png", "decompression bomb"),
        ("gone", "found nothing, expected a file"),
        ("thief", "leaves its root"),
    ],
)
def test_a_picture_that_cannot_be_read_is_a_row_with_its_reason(shop, product_id, says):
    tables, _ = shop

    [row] = tables.read(PRODUCT_PICTURES).where(f"product_id = '{product_id}'").collect()

    assert row.status == "failed"
    assert says in row.reason


@pytest.mark.parametrize("product_id", ["p-cmyk.jpg", "p-moving.gif", "twin"])
def test_an_odd_picture_that_can_be_read_is_ok(shop, product_id):
    tables, _ = shop

    [row] = tables.read(PRODUCT_PICTURES).where(f"product_id = '{product_id}'").collect()

    assert (row.status, row.reason) == ("ok", None)


def test_features_are_ten_regions_and_one_vector_a_word(shop):
    tables, _ = shop

    rows = tables.read(IMAGE_FEATURES).where("status = 'ok'").collect()

    assert len(rows) == 3
    for row in rows:
        assert (row.feature_schema, row.ocr_schema) == (GRID, OCR.schema)
        assert (row.num_regions, row.dim, row.num_tokens) == (10, 1280, 1)
        assert np.isfinite(np.frombuffer(row.regions, "<f2")).all()
        assert len(row.token_vectors) == 2 * 1280


def test_the_counts_add_up(shop):
    tables, _ = shop

    found = counts(tables)

    assert found == {"pictures": 11, "read": 3, "reused": 3, "failed": 5, "postponed": 0}


def test_a_second_run_reads_and_writes_nothing(shop):
    tables, root = shop
    before = versions(tables)

    run(tables, root)

    assert versions(tables) == before
    assert counts(tables) == {"pictures": 11, "read": 0, "reused": 6, "failed": 5, "postponed": 0}


def test_a_service_that_does_not_answer_postpones_and_a_later_run_reads(tables, tmp_path, capfd):
    (tmp_path / "a.png").write_bytes(pack("Vanilla"))
    tables.upsert(tables.rows([listed("a", "a.png")], PRODUCT_PICTURES), PRODUCT_PICTURES)
    away = ("name", "rekognition"), ("endpoint_url", NOBODY), ("max_attempts", "1"), ("timeout", "1.0")

    run(tables, tmp_path, "read_images.ocr={" + ", ".join(f"{key}: {value}" for key, value in away) + "}")
    [postponed] = tables.read(PRODUCT_PICTURES).collect()
    texts_then = tables.read_or_empty(IMAGE_TEXTS).count()
    counted = counts(tables)
    run(tables, tmp_path)

    [read] = tables.read(PRODUCT_PICTURES).collect()
    assert (postponed.status, postponed.reason, texts_then) == ("unread", read_images.POSTPONED, 0)
    assert (counted["postponed"], counted["read"]) == (1, 0)
    assert "1 postponed: Amazon Rekognition" in capfd.readouterr().err
    assert (read.status, read.reason) == ("ok", None)


def test_another_engine_reads_again_and_word_vectors_follow_it(tables, tmp_path):
    (tmp_path / "a.png").write_bytes(pack("Vanilla"))
    tables.upsert(tables.rows([listed("a", "a.png")], PRODUCT_PICTURES), PRODUCT_PICTURES)
    run(tables, tmp_path)

    run(tables, tmp_path, "read_images.ocr.side=320")

    schemas = {row.ocr_schema for row in tables.read(IMAGE_TEXTS).collect()}
    [features] = tables.read(IMAGE_FEATURES).collect()
    assert schemas == {OCR.schema, OTHER.schema}
    assert features.ocr_schema == OTHER.schema
    assert counts(tables)["read"] == 1


def test_a_root_that_is_no_folder_stops_the_job_before_every_picture_fails(tables, tmp_path, capfd):
    tables.upsert(tables.rows([listed("a", "a.png")], PRODUCT_PICTURES), PRODUCT_PICTURES)

    with pytest.raises(SystemExit) as caught:
        run(tables, tmp_path / "nowhere")

    assert caught.value.code == 2
    assert "conf key 'read_images.root'" in capfd.readouterr().err
    assert [row.status for row in tables.read(PRODUCT_PICTURES).collect()] == ["unread"]


def test_a_catalogue_without_pictures_is_read_in_no_time(tables, tmp_path):
    tables.create(PRODUCT_PICTURES)

    run(tables, tmp_path / "nowhere")

    assert counts(tables) == {"pictures": 0, "read": 0, "reused": 0, "failed": 0, "postponed": 0}


def test_nothing_is_read_where_readings_are_imported(tables, tmp_path):
    tables.upsert(tables.rows([listed("a", "a.png")], PRODUCT_PICTURES), PRODUCT_PICTURES)

    run(tables, tmp_path, "read_images.enabled=false")

    assert [row.status for row in tables.read(PRODUCT_PICTURES).collect()] == ["unread"]
    assert not tables.exists(IMAGE_TEXTS)
