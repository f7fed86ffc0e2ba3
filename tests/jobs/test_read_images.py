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
from jobs.read_images import NOT_IMPORTED, POSTPONED, Ours
from jobs.tables import Tables
from schemas.image_features import IMAGE_FEATURES
from schemas.image_texts import IMAGE_TEXTS
from schemas.product_pictures import PRODUCT_PICTURES
from schemas.products import PRODUCTS
from schemas.runs import RUNS
from tests.jobs import shelf

GRID = "efficientnet-lite0/7x7/whole+3x3/1280/f2"
CELLS = "efficientnet-lite0/7x7/whole+cells4x4/1280/f2"
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

    size = found.pop("feature_bytes_a_picture")
    assert found == {"pictures": 11, "read": 3, "reused": 3, "failed": 5, "postponed": 0}
    assert size == 10 * 16 + (10 + 1) * 1280 * 2  # boxes, then vectors of the regions and of one word


def test_a_second_run_reads_and_writes_nothing(shop):
    tables, root = shop
    before = versions(tables)

    run(tables, root)

    assert versions(tables) == before
    found = counts(tables)
    assert found.pop("feature_bytes_a_picture") == 0
    assert found == {"pictures": 11, "read": 0, "reused": 6, "failed": 5, "postponed": 0}


AWAY = f"read_images.ocr={{name: rekognition, endpoint_url: '{NOBODY}', max_attempts: 1, timeout: 1.0}}"


@pytest.fixture
def credentials(spark, monkeypatch) -> dict[str, str]:
    """What workers find of AWS's credentials: none, until a test adds some."""
    found = spark.sparkContext.environment
    monkeypatch.setitem(found, "AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setitem(found, "AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setitem(found, name, "")
    return found


def test_a_service_that_refuses_for_good_stops_the_job_and_nothing_is_postponed(tables, tmp_path, capfd, credentials):
    (tmp_path / "a.png").write_bytes(pack("Vanilla"))
    tables.upsert(tables.rows([listed("a", "a.png")], PRODUCT_PICTURES), PRODUCT_PICTURES)

    with pytest.raises(SystemExit) as caught:
        run(tables, tmp_path, AWAY)

    message = "Amazon Rekognition: Unable to locate credentials"
    [picture] = tables.read(PRODUCT_PICTURES).collect()
    [book] = tables.read(RUNS).collect()
    assert caught.value.code == 2
    assert [line for line in capfd.readouterr().err.splitlines() if message in line] == [f"[read_images] {message}"]
    assert (picture.status, picture.reason) == ("unread", None)
    assert tables.read(IMAGE_TEXTS).isEmpty()
    assert (book.status, book.reason) == ("failed", message)


def test_a_service_that_does_not_answer_postpones_and_a_later_run_reads(tables, tmp_path, capfd, credentials):
    (tmp_path / "a.png").write_bytes(pack("Vanilla"))
    tables.upsert(tables.rows([listed("a", "a.png")], PRODUCT_PICTURES), PRODUCT_PICTURES)
    credentials |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

    run(tables, tmp_path, AWAY)
    [postponed] = tables.read(PRODUCT_PICTURES).collect()
    texts_then = tables.read_or_empty(IMAGE_TEXTS).count()
    counted = counts(tables)
    run(tables, tmp_path)

    [read] = tables.read(PRODUCT_PICTURES).collect()
    assert (postponed.status, postponed.reason, texts_then) == ("unread", read_images.POSTPONED, 0)
    assert (counted["postponed"], counted["read"]) == (1, 0)
    assert "1 postponed: Amazon Rekognition" in capfd.readouterr().err
    assert (read.status, read.reason) == ("ok", None)


@pytest.mark.slow  # several whole runs of a job
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


def test_other_regions_are_added_and_nothing_is_read_again(tables, tmp_path):
    (tmp_path / "a.png").write_bytes(pack("Vanilla"))
    tables.upsert(tables.rows([listed("a", "a.png")], PRODUCT_PICTURES), PRODUCT_PICTURES)
    run(tables, tmp_path)
    before, [old] = versions(tables), tables.read(IMAGE_FEATURES).collect()

    run(tables, tmp_path, "read_images.regions.name=cells")

    rows = {row.feature_schema: row for row in tables.read(IMAGE_FEATURES).collect()}
    cells = rows.pop(CELLS)
    counted = counts(tables)
    assert rows == {GRID: old}
    assert versions(tables) == [*before[:2], before[2] + 1]  # one append of features
    assert (cells.num_regions, cells.dim, cells.num_tokens, cells.ocr_schema) == (17, 1280, 0, None)
    assert (counted["read"], counted["feature_bytes_a_picture"]) == (1, 17 * (16 + 1280 * 2))


def test_features_that_follow_no_words_stand_whatever_words_are_read(tables, tmp_path):
    (tmp_path / "a.png").write_bytes(pack("Vanilla"))
    tables.upsert(tables.rows([listed("a", "a.png")], PRODUCT_PICTURES), PRODUCT_PICTURES)
    run(tables, tmp_path, "read_images.regions.name=cells")
    before = tables.version(IMAGE_FEATURES)

    run(tables, tmp_path, "read_images.regions.name=cells", "read_images.ocr.side=320")

    assert {row.ocr_schema for row in tables.read(IMAGE_TEXTS).collect()} == {OCR.schema, OTHER.schema}
    assert tables.version(IMAGE_FEATURES) == before


def test_a_root_that_is_no_folder_stops_the_job_before_every_picture_fails(tables, tmp_path, capfd):
    tables.upsert(tables.rows([listed("a", "a.png")], PRODUCT_PICTURES), PRODUCT_PICTURES)

    with pytest.raises(SystemExit) as caught:
        run(tables, tmp_path / "nowhere")

    assert caught.value.code == 2
    assert "conf key 'read_images.root'" in capfd.readouterr().err
    assert [row.status for row in tables.read(PRODUCT_PICTURES).collect()] == ["unread"]


def test_products_that_name_no_picture_stop_the_job_unless_nothing_is_to_be_read(tables, tmp_path, capfd):
    tables.create(PRODUCT_PICTURES)
    tables.append(tables.rows([shelf.product("a", "Alba tea")], PRODUCTS), PRODUCTS, txn="shelf")

    with pytest.raises(SystemExit) as caught:
        run(tables, tmp_path)
    run(tables, tmp_path, "read_images.enabled=false")

    told = capfd.readouterr().err
    assert caught.value.code == 2
    assert "[read_images] table product_pictures: found no picture of 1 products, expected at least one" in told
    assert "read_images.enabled: false answers from text alone" in told
    assert [row.status for row in tables.read(RUNS).orderBy("started_at").collect()] == ["failed", "succeeded"]


def test_pictures_without_imported_words_are_seen_without_words_and_no_longer_wait(tables):
    pictures = read_images.images(
        tables.rows([shelf.picture("a", "read", status="unread"), shelf.picture("b", "unread")], PRODUCT_PICTURES)
    )
    texts = tables.rows([shelf.texts("read", "mint tea")], IMAGE_TEXTS)

    waiting, imported = (
        {row.image_hash: row for row in read_images.with_words(pictures, texts, wait=wait).collect()}
        for wait in (True, False)
    )

    assert set(waiting) == {"read"}
    assert set(imported) == {"read", "unread"}
    assert (len(imported["read"].token_boxes), imported["read"].ocr_schema) == (2, shelf.OCR)
    assert (imported["unread"].token_boxes, imported["unread"].ocr_schema) == ([], None)


@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        # Words come along, features are ours: who has no words waits for nothing but features.
        (Ours(words=False, features=True), {"seen": "ok", "torn": "failed", "neither": "unread"}),
        (Ours(words=True, features=True), {"seen": "ok", "torn": "unread", "neither": "unread"}),
        (Ours(words=False, features=False), {"seen": "ok", "torn": "failed", "neither": "failed"}),
    ],
)
def test_only_what_the_next_run_will_read_stays_unread(tables, ours, expected):
    listed = tables.rows([shelf.picture(name, name, status="unread") for name in expected], PRODUCT_PICTURES)
    torn = shelf.features("torn") | {"status": "failed", "reason": "torn apart"}
    features = tables.rows([shelf.features("seen"), torn], IMAGE_FEATURES)

    news = read_images.settled(listed, tables.rows([], IMAGE_TEXTS), features, ours=ours).collect()

    failure = {"torn": "torn apart", "neither": NOT_IMPORTED}
    assert {row.image_hash: row.status for row in news} == expected
    for row in news:
        assert row.reason == {"ok": None, "unread": POSTPONED}.get(row.status, failure.get(row.image_hash))


def test_nothing_is_read_where_readings_are_imported(tables, tmp_path):
    tables.upsert(tables.rows([listed("a", "a.png")], PRODUCT_PICTURES), PRODUCT_PICTURES)

    run(tables, tmp_path, "read_images.enabled=false")

    assert [row.status for row in tables.read(PRODUCT_PICTURES).collect()] == ["unread"]
    assert not tables.exists(IMAGE_TEXTS)
