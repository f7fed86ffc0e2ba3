"""Ingest: what becomes of good, late, repeated and broken rows, and of the tables that they end in."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import Row, SparkSession

from extractor.errors import ConfigError, ContractError
from jobs import ingest
from jobs.config import DefinitionFeed, ProductFeed
from jobs.feeds import definitions, sellers
from jobs.tables import Tables
from schemas.attribute_definitions import ATTRIBUTE_DEFINITIONS
from schemas.catalog_attributes import CATALOG_ATTRIBUTES
from schemas.image_features import IMAGE_FEATURES
from schemas.image_texts import IMAGE_TEXTS
from schemas.product_pictures import PRODUCT_PICTURES
from schemas.products import PRODUCTS
from schemas.quarantine import QUARANTINE
from schemas.runs import RUNS

DEFINITIONS = """
- {product_type: tea, attribute: brand, question: "Which brand is it?"}
- product_type: tea
  attribute: form
  question: "Which form does it have?"
  options: [bags, {value: loose, aliases: [loose leaf]}]
  inferable: true
  precision_target: 0.8
"""
Json = dict[str, Any]  # rows of input files: values of every JSON type
DAY_1, DAY_2, DAY_3 = (f"2026-01-0{day}T00:00:00Z" for day in (1, 2, 3))
WRITTEN = (
    PRODUCTS,
    PRODUCT_PICTURES,
    CATALOG_ATTRIBUTES,
    ATTRIBUTE_DEFINITIONS,
    QUARANTINE,
    IMAGE_TEXTS,
    IMAGE_FEATURES,
)


class After(NamedTuple):
    """What a run left behind."""

    counts: dict[str, int]
    tables: dict[str, list[Row]]


class Shop:
    """A folder with input files, and the job that reads them into a warehouse."""

    def __init__(self, folder: Path, spark: SparkSession) -> None:
        self.folder = folder
        self.tables = Tables(spark, str(folder / "warehouse"))
        (folder / "definitions.yaml").write_text(DEFINITIONS)

    def send(self, *products: Json) -> None:
        (self.folder / "products.jsonl").write_text("\n".join(json.dumps(product) for product in products))

    def ingest(self, *settings: str) -> After:
        paths = {"products.path": "products.jsonl", "definitions.path": "definitions.yaml"}
        given = [f"ingest.{key}={self.folder / name}" for key, name in paths.items()]
        sets = [f"warehouse={self.tables.root}", *given, *settings]
        confs = ["--conf", "conf/local.yaml", "--conf", "conf/test.yaml"]
        ingest.main([*confs, "--day", "2026-01-15", *(part for text in sets for part in ("--set", text))])
        [run] = self.tables.read(RUNS).orderBy("started_at", ascending=False).limit(1).collect()
        rows = {t.name: sorted(self.tables.read(t).collect()) for t in WRITTEN if self.tables.exists(t)}
        return After(dict(run.counts), rows)


def tea(product_id: str, updated_at: str = DAY_1, **other: object) -> Json:
    return {"product_id": product_id, "product_type": "tea", "updated_at": updated_at} | other


@pytest.fixture(scope="module")
def nights(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> list[After]:
    """Three nights of one shop: a first feed with good and bad rows, the same again, then changes and a late row."""
    shop = Shop(tmp_path_factory.mktemp("shop"), spark)
    values = {"brand": "Alba", "form": None, "size": "1 l", "origin": " "}
    first: list[Json] = [
        tea("t1", DAY_2, title="Alba tea", bullets=["20 bags"], locale="de-DE", images=["a", "b"], attributes=values),
        tea("t2", DAY_2, family_id="f2"),
        tea("typed", title=12),
        tea("surrogate", title="\ud800"),
        tea("long", title="x" * 1_000_001),
        {"product_type": "tea", "updated_at": DAY_1},
        tea("typeless", product_type="sofa"),
        tea("timeless", "yesterday"),
        tea("twice", title="one"),
        tea("twice", title="two"),
    ]
    shop.send(*first)
    nights = [shop.ingest(), shop.ingest()]
    shop.send(
        tea("t1", DAY_3, title="new tea", locale="de-DE", images=["a"], attributes={"brand": "Alba", "form": "loose"}),
        tea("t2", DAY_1, title="late", images=["late"], attributes={"brand": "late"}),
        tea("t3"),
        tea("t3"),
    )
    return [*nights, shop.ingest()]


def test_a_product_ends_in_its_tables(nights):
    tables = nights[0].tables

    product = tables["products"][0]
    assert (product.product_id, product.title, product.bullets, product.is_current) == (
        "t1",
        "Alba tea",
        ["20 bags"],
        True,
    )
    assert (product.locale, product.family_id, product.source) == ("de-DE", "t1", "sample")
    assert product.updated_at.astimezone(UTC) == datetime(2026, 1, 2, tzinfo=UTC)
    assert [(row.position, row.uri, row.status) for row in tables["product_pictures"]] == [
        (0, "a", "unread"),
        (1, "b", "unread"),
    ]
    assert [(row.attribute, row.origin, row.value) for row in tables["catalog_attributes"]] == [
        ("brand", "seller", "Alba"),
        ("form", "seller", None),
        ("size", "seller", "1 l"),
    ]


def test_definitions_are_stored_with_their_options_and_defaults(nights):
    brand, form = nights[0].tables["attribute_definitions"]

    assert (brand.options, brand.precision_target, brand.inferable) == (None, 0.9, False)
    assert form.options == [Row(value="bags", aliases=[]), Row(value="loose", aliases=["loose leaf"])]
    assert (form.precision_target, form.inferable, form.pictures, form.kind) == (0.8, True, "all", "text")


def test_what_a_product_does_not_say_is_filled_by_rule(nights):
    product = nights[0].tables["products"][1]

    assert (product.locale, product.family_id, product.title, product.bullets) == ("en-US", "f2", None, [])


def test_rows_are_the_sum_of_their_fates(nights):
    fates = ("new", "changed", "unchanged", "older", "quarantined")

    assert [[night.counts[name] for name in ("rows", *fates)] for night in nights] == [
        [10, 2, 0, 0, 0, 8],
        [10, 0, 0, 2, 0, 8],
        [4, 1, 1, 1, 1, 0],
    ]


def test_each_broken_row_is_quarantined_by_name(nights):
    reasons = {row.key: row.reason for row in nights[0].tables["quarantine"]}

    same_time = "found other content of the same time (2026-01-01 00:00:00) in another row of this feed"
    [unnamed] = [key for key in reasons if key.startswith("row ")]
    assert reasons == {
        "typed": "title: found a number 12, expected text",
        "surrogate": "title: found a lone surrogate, expected valid Unicode",
        "long": "title: found 1,000,001 characters, expected at most 1,000,000",
        "typeless": "product_type: found 'sofa', a type without definitions, expected one of tea",
        "timeless": "updated_at: found 'yesterday', expected an ISO 8601 time",
        "twice": f"product_id 'twice': {same_time}, expected one content a time",
        unnamed: "product_id: found none, expected the seller's identifier",
    }


def test_the_same_feed_twice_changes_nothing(nights):
    assert nights[1].tables == nights[0].tables


def test_a_change_is_a_new_revision_and_a_late_row_an_old_one(nights):
    found = [(row.product_id, row.title, row.is_current) for row in nights[2].tables["products"]]

    assert sorted(found, key=str) == [
        ("t1", "Alba tea", False),
        ("t1", "new tea", True),
        ("t2", "late", False),
        ("t2", None, True),
        ("t3", None, True),
    ]


def test_only_values_that_differ_are_added_and_one_no_longer_stated_is_taken_back(nights):
    before = nights[1].tables["catalog_attributes"]

    added = [row for row in nights[2].tables["catalog_attributes"] if row not in before]

    assert [(row.attribute, row.observed_at.astimezone(UTC).day, row.value) for row in added] == [
        ("form", 3, "loose"),
        ("size", 3, None),
    ]


def test_pictures_are_those_of_the_newest_revision(nights):
    assert [(row.product_id, row.uri) for row in nights[2].tables["product_pictures"]] == [("t1", "a")]


@pytest.fixture(scope="module")
def moves(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> list[After]:
    """Three nights: products as they are; some deleted, moved or sent twice; all back, and what came too late."""
    shop = Shop(tmp_path_factory.mktemp("moves"), spark)
    (shop.folder / "definitions.yaml").write_text(
        f"{DEFINITIONS}- {{product_type: mug, attribute: color, question: q}}"
    )
    whole = {"title": "Alba", "images": ["a"], "attributes": {"brand": "Alba"}}
    shop.send(*(tea(name, DAY_1, **whole) for name in ("gone", "moved", "twice")))
    nights = [shop.ingest()]
    shop.send(
        {"product_id": "gone", "updated_at": DAY_3, "deleted": True},
        tea("moved", DAY_2, title="Alba", product_type="mug"),
        tea("twice", DAY_3, title="third"),  # two revisions in one feed, the newer one first
        tea("twice", DAY_2, title="second"),
        {"product_id": "unread", "updated_at": DAY_2, "deleted": "perhaps"},
    )
    nights.append(shop.ingest())
    noon = "2026-01-02T12:00:00Z"
    shop.send(tea("gone", noon, title="too late", attributes={"brand": "late"}), tea("twice", noon, title="late"))
    nights.append(shop.ingest())
    shop.send(tea("gone", "2026-01-04T00:00:00Z", **whole))
    return [*nights, shop.ingest()]


def standing(after: After) -> dict[str, tuple[str, str | None]]:
    """Type and title of the current products; each is there once."""
    current = [row for row in after.tables["products"] if row.is_current]
    assert len(current) == len({row.product_id for row in current})
    return {row.product_id: (row.product_type, row.title) for row in current}


def stated_last(after: After, product_id: str) -> list[str | None]:
    rows = [row for row in after.tables["catalog_attributes"] if row.product_id == product_id]
    return [row.value for row in sorted(rows, key=lambda row: row.observed_at)]


def test_a_deleted_product_is_gone_with_its_pictures_and_values_until_a_later_row_brings_it_back(moves):
    first, deleted, late, back = moves

    assert [("gone" in standing(after)) for after in moves] == [True, False, False, True]
    assert [stated_last(after, "gone") for after in (first, deleted, late, back)] == [
        ["Alba"], ["Alba", None], ["Alba", None], ["Alba", None, "Alba"],
    ]  # fmt: skip
    pictured = [[row.product_id for row in after.tables["product_pictures"]].count("gone") for after in moves]
    assert pictured == [1, 0, 0, 1]
    assert [after.counts["deleted"] for after in moves] == [0, 1, 0, 0]


def test_a_product_that_moved_to_another_type_is_current_there_alone(moves):
    assert [standing(after)["moved"][0] for after in moves[:2]] == ["tea", "mug"]


def test_of_two_revisions_in_one_feed_the_newer_one_stands_whatever_their_order_and_a_late_one_changes_nothing(moves):
    assert [standing(after)["twice"][1] for after in moves[:3]] == ["Alba", "third", "third"]
    assert moves[2].counts["older"] == 2


def test_a_row_that_may_be_deleted_or_not_is_quarantined(moves):
    reasons = {row.key: row.reason for row in moves[1].tables["quarantine"]}

    assert reasons == {"unread": "deleted: found text 'perhaps', expected true or false"}


def test_a_picture_that_was_read_stays_read_until_its_uri_changes(spark):
    current = spark.createDataFrame([("t1", ["a", "x", "c", "e"])], "product_id STRING, images ARRAY<STRING>")
    stored = [
        ("t1", 0, "a", "h0", "ok", None),
        ("t1", 1, "b", "h1", "ok", None),
        ("t1", 3, "e", "uri:e", "ok", None),
        ("t1", 4, "d", "h3", "failed", "torn"),
    ]
    columns = "product_id STRING, position INT, uri STRING, image_hash STRING, status STRING, reason STRING"
    came_along = [("c", "uri:c", "ok", None), ("e", "uri:e", "failed", "blurred")]
    known = spark.createDataFrame(came_along, "uri STRING, image_hash STRING, status STRING, reason STRING")

    changes = ingest.picture_changes(current, spark.createDataFrame(stored, columns), known)

    columns_of = ("position", "uri", "image_hash", "status", "reason", "removed")
    assert sorted(tuple(row[name] for name in columns_of) for row in changes.collect()) == [
        (1, "x", None, "unread", None, False),
        (2, "c", "uri:c", "ok", None, False),
        (3, "e", "uri:e", "failed", "blurred", False),
        (4, "d", None, "unread", None, True),
    ]


def test_an_empty_feed_is_an_error_and_nothing_is_written(spark, tmp_path, capsys):
    shop = Shop(tmp_path, spark)
    shop.send()

    with pytest.raises(SystemExit, match="2"):
        shop.ingest()

    assert "products.jsonl: found no row, expected at least one product" in capsys.readouterr().err
    assert not shop.tables.exists(PRODUCTS)
    assert not shop.tables.exists(ATTRIBUTE_DEFINITIONS)


def test_a_feed_of_which_nothing_can_be_used_is_an_error_that_names_a_reason(spark, tmp_path, capsys):
    shop = Shop(tmp_path, spark)
    shop.send(tea("a") | {"product_type": "soap"}, tea("b") | {"product_type": "soap"})

    with pytest.raises(SystemExit, match="2"):
        shop.ingest()

    told = capsys.readouterr().err
    assert "all 2 rows quarantined, one of them for: product_type: found 'soap', a type without definitions" in told
    assert shop.tables.read(QUARANTINE).count() == 2
    assert not shop.tables.exists(PRODUCTS)


def test_a_missing_feed_is_named_by_its_key(spark, tmp_path):
    with pytest.raises(ConfigError, match=r"ingest\.products\.path.*nowhere\.jsonl"):
        sellers.products(spark, feed(tmp_path / "nowhere.jsonl", "jsonl"), max_characters=100)


# --- other formats -------------------------------------------------------------------------------------------------


def feed(
    path: Path,
    kind: Literal["jsonl", "csv", "parquet"],
    columns: dict[str, str] | None = None,
    attribute_columns: dict[str, str] | None = None,
) -> ProductFeed:
    return ProductFeed(
        path=str(path),
        format=kind,
        columns=columns or {},
        attribute_columns=attribute_columns or {},
        list_separator="|",
    )


def test_csv_is_read_by_its_columns_and_a_torn_line_is_a_bad_row(spark, tmp_path):
    path = tmp_path / "products.csv"
    path.write_text(
        "sku,product_type,updated_at,title,bullets,maker\n"
        'a,tea,2026-01-01,"Tea, ""green""\nand hot",one | two,Alba\n'
        "b,tea,2026-01-01,,,\n"
        "c,tea\n"
    )
    columns = feed(path, "csv", columns={"product_id": "sku"}, attribute_columns={"brand": "maker"})

    rows = sellers.products(spark, columns, max_characters=100).collect()

    first, second, third = rows
    assert (first.product_id, first.title, first.bullets) == ("a", 'Tea, "green"\nand hot', ["one", "two"])
    assert (first.attributes, first.problem, first.source) == ({"brand": "Alba"}, None, "products.csv")
    assert (second.title, second.bullets, second.attributes) == (None, None, {})
    assert third.problem == "row: found more or fewer cells than the header, expected as many"


def test_a_csv_without_a_mapped_column_is_one_clear_error(spark, tmp_path):
    path = tmp_path / "products.csv"
    path.write_text("sku,product_type,updated_at\na,tea,2026-01-01\n")

    with pytest.raises(ContractError, match=r"no column 'product_id', expected one for product_id; there are sku, "):
        sellers.products(spark, feed(path, "csv"), max_characters=100)


def test_parquet_is_read_with_lists_maps_and_times(spark, tmp_path):
    path = tmp_path / "products.parquet"
    row = {"product_id": 7, "product_type": "tea", "updated_at": datetime(2026, 1, 1, tzinfo=UTC), "title": "x" * 101}
    kinds = {"attributes": pa.map_(pa.string(), pa.string()), "updated_at": pa.timestamp("us", "UTC")}
    row |= {"images": ["a"], "attributes": [("brand", "Alba"), ("form", None)]}
    fields = [(name, kinds.get(name, pa.array([value]).type)) for name, value in row.items()]
    pq.write_table(pa.Table.from_pylist([row], schema=pa.schema(fields)), path)

    [found] = sellers.products(spark, feed(path, "parquet"), max_characters=100).collect()

    assert (found.product_id, found.images, found.attributes) == ("7", ["a"], {"brand": "Alba", "form": None})
    assert found.updated_at == "2026-01-01 00:00:00"
    assert found.problem == "title: found 101 characters, expected at most 100"


def test_a_parquet_column_of_a_wrong_type_is_one_clear_error(spark, tmp_path):
    path = tmp_path / "products.parquet"
    row = {"product_id": "a", "product_type": "tea", "updated_at": "2026-01-01", "bullets": "one"}
    pq.write_table(pa.Table.from_pylist([row]), path)

    with pytest.raises(ContractError, match="column 'bullets': found string, expected a type that can hold bullets"):
        sellers.products(spark, feed(path, "parquet"), max_characters=100)


# --- definitions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{attribute: a, question: q}", r"entry 1 \(None.a\), product_type: found nothing"),
        ("{product_type: t, attribute: a, question: q, kind: colour}", "kind: found 'colour'"),
        ("{product_type: t, attribute: a, question: q, options: [yes]}", r"options\.0.*found True"),
        ("{product_type: t, attribute: a, question: q, colour: red}", "colour: found 'red'"),
        ("{product_type: t, attribute: a, question: q, multiple: true}", "several are not supported yet"),
        ("{product_type: t, attribute: a, question: q, options: [Red, {value: r, aliases: [red]}]}", "'red' under two"),
        (
            "{product_type: t, attribute: a, question: q}\n- {product_type: t, attribute: a, question: q}",
            "t.a more than",
        ),
    ],
)
def test_a_bad_definition_is_named_with_its_field(spark, tmp_path, entry, message):
    path = tmp_path / "definitions.yaml"
    path.write_text(f"- {entry}\n")

    with pytest.raises(ContractError, match=message):
        definitions.read(spark, DefinitionFeed(path=str(path), format="yaml"), precision_target=0.9)


def test_definitions_in_csv_have_options_in_a_cell(spark, tmp_path):
    path = tmp_path / "definitions.csv"
    path.write_text(
        "product_type,attribute,question,options,inferable\n"
        "tea,form,Which form?,bags | loose,true\n"
        'tea,brand,Which brand?,"[{""value"": ""Alba"", ""aliases"": [""ALBA Co""]}]",\n'
    )

    form, brand = definitions.read(spark, DefinitionFeed(path=str(path), format="csv"), precision_target=0.9)

    assert (form["options"], form["inferable"]) == (
        [{"value": "bags", "aliases": []}, {"value": "loose", "aliases": []}],
        True,
    )
    assert brand["options"] == [{"value": "Alba", "aliases": ["ALBA Co"]}]


# --- OCR and features made elsewhere -------------------------------------------------------------------------------

BOX = {"x1": 0.1, "y1": 0.1, "x2": 0.2, "y2": 0.2}


def text(uri: str, *, schema: str = "engine/1", box: dict[str, float] = BOX) -> Json:
    return {"uri": uri, "ocr_schema": schema, "tokens": [{"text": uri, "confidence": 0.5, "box": box}]}


def seen(uri: str, *, regions: bytes | None = None, schema: str = "net/1") -> Json:
    blobs: Json = {
        "boxes": np.array([0, 0, 1, 1], np.float32).tobytes(),
        "regions": regions or np.ones(2, np.float16).tobytes(),
    }
    return blobs | {"uri": uri, "image_hash": None, "feature_schema": schema, "num_regions": 1, "dim": 2}


@pytest.fixture(scope="module")
def imported(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> list[After]:
    """Readings that came along, good and bad, twice."""
    shop = Shop(tmp_path_factory.mktemp("imports"), spark)
    shop.send(tea("t1", images=["a", "nan", "unseen", "blurred", "untold"]))
    texts = [
        text("a"),
        text("blurred") | {"status": "failed", "reason": "too blurred", "tokens": []},
        text("untold") | {"status": "failed", "tokens": []},
        text("nan", box=BOX | {"x1": float("nan")}),
        text("wide", box=BOX | {"x2": 1.5}),
        text("foreign", schema="engine/2"),
        text("twice"),
        text("twice", box=BOX | {"x1": 0.0}),
    ]
    (shop.folder / "texts.jsonl").write_text("\n".join(json.dumps(row) for row in texts))
    features = [
        seen("a"),
        seen("short", regions=b"1234567"),
        seen("nan", regions=np.array([np.nan, 1], np.float16).tobytes()),
        seen("foreign", schema="net/2"),
    ]
    kinds = {"image_hash": pa.string(), "num_regions": pa.int32(), "dim": pa.int32()}
    fields = [(name, kinds.get(name, pa.array([value]).type)) for name, value in features[0].items()]
    pq.write_table(pa.Table.from_pylist(features, schema=pa.schema(fields)), shop.folder / "features.parquet")
    settings = [
        f"ingest.image_texts.path={shop.folder}/texts.jsonl",
        "ingest.image_texts.format=jsonl",
        "ingest.image_texts.ocr_schema=engine/1",
        f"ingest.image_features.path={shop.folder}/features.parquet",
        "ingest.image_features.feature_schema=net/1",
    ]
    return [shop.ingest(*settings), shop.ingest(*settings)]


def test_a_picture_with_an_imported_reading_counts_as_read(imported):
    tables = imported[0].tables

    [words] = [row for row in tables["image_texts"] if row.status == "ok"]
    [features] = tables["image_features"]
    assert [(row.uri, row.image_hash, row.status) for row in tables["product_pictures"]][:3] == [
        ("a", words.image_hash, "ok"),
        ("nan", None, "unread"),
        ("unseen", None, "unread"),
    ]
    assert words.image_hash == features.image_hash
    assert words.image_hash.startswith("uri:")
    assert [token.text for token in words.tokens] == ["a"]
    assert (features.num_regions, features.num_tokens, bytes(features.token_vectors)) == (1, 0, b"")


def test_a_picture_whose_imported_reading_failed_is_failed_with_its_reason(imported):
    rows = imported[0].tables["product_pictures"][3:]

    assert [(row.uri, row.image_hash[:4], row.status, row.reason) for row in rows] == [
        ("blurred", "uri:", "failed", "too blurred"),
        ("untold", "uri:", "failed", "it failed where it was read, and no reason came along"),
    ]


def test_each_bad_reading_is_quarantined_by_name(imported):
    rows = imported[0].tables["quarantine"]

    box = "expected finite shares from 0 to 1"
    assert sorted({row.reason for row in rows}) == sorted(
        {
            f"image_texts of nan, token 'nan': found confidence 0.5, box (NaN, 0.1, 0.2, 0.2), {box}",
            f"image_texts of wide, token 'wide': found confidence 0.5, box (0.1, 0.1, 1.5, 0.2), {box}",
            "image_texts of foreign, ocr_schema: found 'engine/2', expected 'engine/1'",
            *(row.reason for row in rows if "twice, picture uri:" in row.reason),
            "image_features of short, regions: found 7 bytes, expected 4 bytes for 1 x 2 <f2",
            "image_features of nan, regions: found NaN or infinity, expected finite numbers",
            "image_features of foreign, feature_schema: found 'net/2', expected 'net/1'",
        }
    )
    assert [imported[0].counts[name] for name in ("image_texts", "image_texts_quarantined")] == [8, 5]
    assert [imported[0].counts[name] for name in ("image_features", "image_features_quarantined")] == [4, 3]


def test_importing_twice_changes_nothing(imported):
    assert imported[1].tables == imported[0].tables
