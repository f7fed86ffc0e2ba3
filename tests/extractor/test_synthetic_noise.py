"""Readings of packs that are never drawn, and the twenty odd products."""

import json
from collections import Counter
from io import BytesIO

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from extractor.errors import ContractError
from extractor.records import blob
from extractor.synthetic import noise, odd
from extractor.synthetic.catalogue import draw
from schemas.image_features import IMAGE_FEATURES

PACKS = [pack for item in draw(300, 7) for pack in item.packs]
PRINTED = [pack for pack in PACKS if pack.lines]


def test_most_words_are_read_right_and_some_are_not():
    right = total = 0
    for pack in PRINTED:
        words = Counter(word for line in pack.lines for word in line.text.split(" "))
        right += (words & Counter(token.text for token in noise.tokens(pack))).total()
        total += words.total()

    assert 0.92 <= right / total <= 0.98


def test_the_same_pack_is_read_the_same_way():
    assert [noise.tokens(pack) for pack in PRINTED[:20]] == [noise.tokens(pack) for pack in PRINTED[:20]]


def test_a_pack_without_words_has_no_tokens():
    [plain] = [pack for pack in PACKS if not pack.lines][:1]

    assert noise.tokens(plain) == ()


def test_boxes_and_confidences_are_shares():
    read = [token for pack in PRINTED for token in noise.tokens(pack)]

    assert all(0 <= edge <= 1 for token in read for edge in token.box)
    assert all(token.box.x1 < token.box.x2 and token.box.y1 <= token.box.y2 for token in read)
    assert all(0.5 < token.confidence <= 1 for token in read)


def test_features_tell_shapes_apart():
    first = PRINTED[0]
    alike = next(pack for pack in PACKS if pack.shape == first.shape and pack.picture_id != first.picture_id)
    other = next(pack for pack in PACKS if pack.shape not in (first.shape, "back") and pack.palette != first.palette)

    a, b, c = (noise.features(pack, 0).regions.astype(np.float32).mean(axis=0) for pack in (first, alike, other))

    assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) > 0.3 + a @ c / np.linalg.norm(a) / np.linalg.norm(c)


def test_a_feature_row_holds_to_its_contract():
    row = noise.feature_row("a.jpg", noise.features(PRINTED[0], 3, dim=16), "net/16", "reader/1")
    table = pa.Table.from_pylist([row], schema=noise.FEATURE_ROWS)

    assert blob(row["regions"], "<f2", row["num_regions"], row["dim"], "regions").shape == (10, 16)
    assert blob(row["token_vectors"], "<f2", row["num_tokens"], row["dim"], "token_vectors").shape == (3, 16)
    assert set(table.schema.names) == (set(IMAGE_FEATURES.columns) | {"uri"}) - {"image_hash", "content_hash", "run_id"}


@pytest.fixture(scope="module")
def extremes() -> dict[str, odd.Odd]:
    everyone = (*odd.answered("reader/1", b"\xff\xd8 a picture"), *odd.refused("reader/1", "net/1280"))
    return {extreme.name: extreme for extreme in everyone}


def test_there_are_ten_to_answer_and_ten_to_refuse(extremes):
    fates = Counter(extreme.fate for extreme in extremes.values())

    assert fates == {"answered": 10, "quarantined": 10}


def test_every_odd_product_but_the_nameless_has_an_identifier_of_its_own(extremes):
    names = [{product.get("product_id") for product in extreme.products} for extreme in extremes.values()]

    assert len(set().union(*names)) == sum(map(len, names)) == 20
    assert names.count({None}) == 1


def test_odd_products_have_lines_that_json_can_read(extremes):
    lines = [line for extreme in extremes.values() for line in extreme.lines().splitlines()]

    assert len([json.loads(line) for line in lines]) == 21


def test_the_lone_surrogate_is_no_unicode(extremes):
    [line] = extremes["lone surrogates"].lines().splitlines()

    with pytest.raises(UnicodeEncodeError, match="surrogates"):
        json.loads(line)["title"].encode()


def test_the_long_title_is_50_megabytes(extremes):
    assert len(extremes["50 MB title"].products[0]["title"]) == 50_000_000


def test_the_bomb_is_small_and_its_picture_is_not(extremes):
    [content] = extremes["decompression bomb"].files.values()

    assert len(content) < 100_000
    with pytest.raises(Image.DecompressionBombError):
        Image.open(BytesIO(content))


def test_the_twins_differ_at_the_same_time(extremes):
    first, second = extremes["same product id twice, other content, same time"].products

    assert first["product_id"] == second["product_id"]
    assert first["updated_at"] == second["updated_at"]
    assert first["title"] != second["title"]


@pytest.mark.parametrize("name", ["blob of wrong length", "features with NaN"])
def test_bad_features_are_no_blob(extremes, name):
    [row] = extremes[name].features

    with pytest.raises(ContractError, match=extremes[name].names):
        blob(row["regions"], "<f2", row["num_regions"], row["dim"], "regions")


def test_the_other_odd_features_are_whole(extremes):
    [row] = extremes["foreign feature_schema"].features

    assert blob(row["regions"], "<f2", row["num_regions"], row["dim"], "regions").shape == (10, 1280)


def test_one_box_is_no_number(extremes):
    [row] = extremes["NaN box"].texts

    assert np.isnan(row["tokens"][0]["box"]["x1"])


def test_one_picture_has_ten_thousand_tokens(extremes):
    [row] = extremes["10,000 OCR tokens"].texts

    assert len(row["tokens"]) == 10_000
