"""Ingest: what becomes of good, late, repeated and broken rows, and of the tables that they end in."""

import json
from pathlib import Path

import pytest
from pyspark.sql import Row

from jobs import ingest
from jobs.tables import Tables
from schemas.attribute_definitions import ATTRIBUTE_DEFINITIONS
from schemas.catalog_attributes import CATALOG_ATTRIBUTES
from schemas.product_pictures import PRODUCT_PICTURES
from schemas.products import PRODUCTS
from schemas.quarantine import QUARANTINE
from schemas.runs import RUNS
from schemas.table import Table

DEFINITIONS = """
- {product_type: tea, attribute: brand, question: "Which brand is it?"}
- product_type: tea
  attribute: form
  question: "Which form does it have?"
  options: [bags, {value: loose, aliases: [loose leaf]}]
  inferable: true
  precision_target: 0.8
"""


class Shop:
    """A folder with input files, and the job that reads them into a warehouse."""

    def __init__(self, folder: Path, tables: Tables) -> None:
        self.folder = folder
        self.tables = tables
        (folder / "definitions.yaml").write_text(DEFINITIONS)

    def send(self, *products: dict[str, object] | str) -> None:
        lines = [product if isinstance(product, str) else json.dumps(product) for product in products]
        (self.folder / "products.jsonl").write_text("\n".join(lines), encoding="utf-8")

    def ingest(self, *settings: str) -> dict[str, int]:
        paths = {"products.path": "products.jsonl", "definitions.path": "definitions.yaml"}
        given = [f"ingest.{key}={self.folder / name}" for key, name in paths.items()]
        sets = [f"warehouse={self.tables.root}", *given, *settings]
        confs = ["--conf", "conf/local.yaml", "--conf", "conf/test.yaml"]
        ingest.main([*confs, "--day", "2026-01-15", *(part for text in sets for part in ("--set", text))])
        [run] = self.tables.read(RUNS).orderBy("started_at", ascending=False).limit(1).collect()
        return dict(run.counts)

    def rows(self, table: Table, *columns: str) -> list[Row]:
        return sorted(self.tables.read(table).select(*columns).collect())

    def versions(self) -> dict[str, int]:
        written = (PRODUCTS, PRODUCT_PICTURES, CATALOG_ATTRIBUTES, ATTRIBUTE_DEFINITIONS, QUARANTINE)
        return {table.name: self.tables.read(table).count() for table in written}


@pytest.fixture
def shop(tmp_path: Path, tables: Tables) -> Shop:
    return Shop(tmp_path, tables)


def tea(product_id: str = "t1", **other: object) -> dict[str, object]:
    return {"product_id": product_id, "product_type": "tea", "updated_at": "2026-01-01T00:00:00Z"} | other


def test_a_product_ends_in_its_tables(shop):
    shop.send(
        tea(
            title="Alba green tea",
            bullets=["20 bags"],
            family_id="f1",
            locale="de-DE",
            images=["a.png", "b.png"],
            attributes={"brand": "Alba", "form": None, "origin": " "},
        )
    )

    counts = shop.ingest()

    assert counts["rows"] == counts["new"] == 1
    [product] = shop.tables.read(PRODUCTS).collect()
    assert (product.product_id, product.title, product.bullets) == ("t1", "Alba green tea", ["20 bags"])
    assert (product.locale, product.family_id, product.source, product.is_current) == ("de-DE", "f1", "sample", True)
    assert shop.rows(PRODUCT_PICTURES, "position", "uri", "status") == [(0, "a.png", "unread"), (1, "b.png", "unread")]
    assert shop.rows(CATALOG_ATTRIBUTES, "attribute", "origin", "value") == [
        ("brand", "seller", "Alba"),
        ("form", "seller", None),
    ]
    assert [row.options for row in shop.tables.read(ATTRIBUTE_DEFINITIONS).orderBy("attribute").collect()] == [
        None,
        [Row(value="bags", aliases=[]), Row(value="loose", aliases=["loose leaf"])],
    ]


def test_the_same_feed_twice_changes_nothing(shop):
    shop.send(tea(images=["a.png"], attributes={"brand": "Alba"}), tea("t2"), "no json")
    first = shop.ingest()
    before = {table.name: shop.tables.read(table).collect() for table in (PRODUCTS, CATALOG_ATTRIBUTES, QUARANTINE)}

    second = shop.ingest()

    assert (first["new"], first["quarantined"]) == (2, 1)
    assert (second["rows"], second["unchanged"], second["quarantined"]) == (3, 2, 1)
    assert {
        table.name: shop.tables.read(table).collect() for table in (PRODUCTS, CATALOG_ATTRIBUTES, QUARANTINE)
    } == before


def test_the_newest_revision_is_current_whatever_came_last(shop):
    shop.send(tea(title="second", updated_at="2026-01-02", images=["b.png"], attributes={"brand": "Beta"}))
    shop.ingest()
    shop.send(tea(title="first", updated_at="2026-01-01", images=["a.png"], attributes={"brand": "Alba"}))

    counts = shop.ingest()

    assert counts["older"] == 1
    assert shop.rows(PRODUCTS, "title", "is_current") == [("first", False), ("second", True)]
    assert shop.rows(PRODUCT_PICTURES, "uri") == [("b.png",)]
    assert shop.rows(CATALOG_ATTRIBUTES, "value") == [("Beta",)]


def test_a_change_adds_a_revision_and_only_the_values_that_differ(shop):
    shop.send(tea(title="old", images=["a.png", "b.png"], attributes={"brand": "Alba", "form": "bags", "size": "1 l"}))
    shop.ingest()
    shop.send(
        tea(title="new", updated_at="2026-01-02", images=["a.png"], attributes={"brand": "Alba", "form": "loose"}),
        tea(title="old", updated_at="2026-01-01", images=["a.png", "b.png"], attributes={"brand": "Alba"}),
    )

    counts = shop.ingest()

    assert (counts["changed"], counts["quarantined"], counts["older"]) == (1, 1, 0)
    assert shop.rows(PRODUCTS, "title", "is_current") == [("new", True), ("old", False)]
    assert shop.rows(PRODUCT_PICTURES, "position", "uri") == [(0, "a.png")]
    values = shop.tables.read(CATALOG_ATTRIBUTES).where("observed_at > '2026-01-01'")
    assert sorted((row.attribute, row.value) for row in values.collect()) == [("form", "loose"), ("size", None)]


def test_a_picture_that_was_read_stays_read_until_its_uri_changes(shop):
    shop.send(tea(images=["a.png", "b.png"]))
    shop.ingest()
    read = shop.tables.read(PRODUCT_PICTURES).selectExpr(
        "product_id",
        "position",
        "uri",
        "'h' || position AS image_hash",
        "'ok' AS status",
        "CAST(NULL AS STRING) AS reason",
    )
    shop.tables.upsert(read, PRODUCT_PICTURES)
    shop.send(tea(updated_at="2026-01-02", images=["a.png", "c.png"]))

    shop.ingest()

    assert shop.rows(PRODUCT_PICTURES, "uri", "image_hash", "status") == [
        ("a.png", "h0", "ok"),
        ("c.png", None, "unread"),
    ]


def test_each_broken_row_is_quarantined_by_name_and_its_neighbours_are_not(shop):
    shop.send(
        tea("good"),
        tea("typed", title=12),
        tea("surrogate", title="\ud800"),
        tea("long", title="x" * 1_000_001),
        {"product_type": "tea", "updated_at": "2026-01-01"},
        tea("typeless", product_type="sofa"),
        tea("timeless", updated_at="yesterday"),
        tea("bullets", bullets=["a", None]),
        tea("twice", title="one"),
        tea("twice", title="two"),
        "[1, 2]",
    )

    counts = shop.ingest()

    assert (counts["rows"], counts["new"], counts["quarantined"]) == (11, 1, 10)
    assert shop.rows(PRODUCTS, "product_id") == [("good",)]
    reasons = {row.key: row.reason for row in shop.tables.read(QUARANTINE).collect()}
    same_time = "found other content of the same time (2026-01-01 00:00:00) in another row of this feed"
    assert {key: reason for key, reason in reasons.items() if not key.startswith("row ")} == {
        "typed": "title: found a number 12, expected text",
        "surrogate": "title: found a lone surrogate, expected valid Unicode",
        "long": "title: found 1,000,001 characters, expected at most 1,000,000",
        "typeless": "product_type: found 'sofa', a type without definitions, expected one of tea",
        "timeless": "updated_at: found 'yesterday', expected an ISO 8601 time",
        "bullets": "bullets: found a list ['a', None], expected a list of texts",
        "twice": f"product_id 'twice': {same_time}, expected one content a time",
    }
    assert {reason for key, reason in reasons.items() if key.startswith("row ")} == {
        "product_id: found none, expected the seller's identifier",
        "line: found a list [1, 2], expected a JSON object",
    }
