"""Labels: which seller values become examples, where they stand, and that a snapshot is written once."""

from datetime import UTC, datetime

import pytest

from extractor.records import Definition
from jobs import answers, label, lessons
from jobs.tables import Tables
from schemas.attribute_definitions import ATTRIBUTE_DEFINITIONS
from schemas.catalog_attributes import CATALOG_ATTRIBUTES
from schemas.enums import Kind
from schemas.examples import EXAMPLES
from schemas.image_texts import IMAGE_TEXTS
from schemas.product_pictures import PRODUCT_PICTURES
from schemas.products import PRODUCTS
from schemas.runs import RUNS
from schemas.scores import SCORES

OCR = "engine/1"
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
BRAND = {
    "product_type": "tea",
    "attribute": "brand",
    "question": "Which brand is it?",
    "kind": "text",
    "options": None,
    "inferable": False,
    "pictures": "all",
    "precision_target": 0.9,
}


def product(product_id: str, title: str | None, **other: object) -> dict[str, object]:
    row = {"content_hash": f"c-{product_id}", "is_current": True, "product_type": "tea", "locale": "en-US"}
    row |= {"family_id": f"f-{product_id}", "bullets": [], "source": "test", "updated_at": NEW_YEAR, "run_id": "r"}
    return {"product_id": product_id, "title": title} | row | other


def value(product_id: str, text: str | None, *, origin: str = "seller", day: int = 1) -> dict[str, object]:
    seen = datetime(2026, 1, day, tzinfo=UTC)
    row = {"product_id": product_id, "attribute": "brand", "origin": origin, "observed_at": seen, "value": text}
    return row | {"run_id": "r"}


def run(tables: Tables, *settings: str) -> None:
    sets = [f"warehouse={tables.root}", "read_images.enabled=false", f"ingest.image_texts.ocr_schema={OCR}", *settings]
    sets += ["label.train=1.0", "label.validation=0.0", "label.calibration=0.0", "label.test=0.0"]
    confs = ["--conf", "conf/local.yaml", "--conf", "conf/test.yaml"]
    label.main([*confs, "--day", "2026-01-15", *(part for text in sets for part in ("--set", text))])


def write(tables: Tables, products: list[dict[str, object]], values: list[dict[str, object]]) -> None:
    tables.upsert(tables.rows([BRAND], ATTRIBUTE_DEFINITIONS), ATTRIBUTE_DEFINITIONS)
    tables.upsert(tables.rows(products, PRODUCTS), PRODUCTS)
    tables.upsert(tables.rows(values, CATALOG_ATTRIBUTES), CATALOG_ATTRIBUTES)


def test_seller_values_become_examples_with_the_place_that_holds_them(tables):
    word = {"text": "ALBA", "confidence": 0.9, "box": {"x1": 0.1, "y1": 0.1, "x2": 0.2, "y2": 0.2}}
    texts = {"image_hash": "h", "ocr_schema": OCR, "tokens": [word], "content_hash": "t", "status": "ok", "run_id": "r"}
    picture = {"product_id": "packed", "position": 0, "uri": "a.png", "image_hash": "h", "status": "ok"}
    tables.upsert(tables.rows([texts], IMAGE_TEXTS), IMAGE_TEXTS)
    tables.upsert(tables.rows([picture], PRODUCT_PICTURES), PRODUCT_PICTURES)
    products = [
        product("titled", "Alba green tea"),
        product("packed", None),
        product("unknown", "green tea"),
        product("absent", "green tea"),
        product("taken back", "Alba tea"),
        product("of a model", "Alba tea"),
        product("old", "Alba tea", is_current=False),
    ]
    values = [
        value("titled", "Beta", day=1),
        value("titled", "alba", day=2),
        value("titled", "Gamma", origin="model:3", day=3),
        value("packed", "alba"),
        value("unknown", "n/a"),
        value("absent", "Zeta"),
        value("taken back", "Alba", day=1),
        value("taken back", None, day=2),
        value("of a model", "Alba", origin="model:3"),
        value("old", "Alba"),
    ]
    write(tables, products, values)

    run(tables)

    found = {row.product_id: row for row in tables.read(EXAMPLES).collect()}
    assert {key: (row.raw_value, row.value, row.kept, row.reach) for key, row in found.items()} == {
        "titled": ("alba", "Alba", True, ["title", "vocabulary"]),
        "packed": ("alba", "ALBA", True, ["ocr", "vocabulary"]),
        "unknown": ("n/a", None, True, []),
        "absent": ("Zeta", "Zeta", False, ["nowhere"]),
    }
    assert found["absent"].reason == "neither the page nor the vocabulary holds it"


def test_the_same_catalogue_is_labelled_once_and_another_setting_makes_another_snapshot(tables):
    write(tables, [product("a", "Alba tea"), product("b", "Beta tea")], [value("a", "Alba"), value("b", "Beta")])
    run(tables)
    first = tables.read(EXAMPLES).collect()

    run(tables)
    again = tables.read(EXAMPLES).collect()
    run(tables, "label.salt=other")

    assert sorted(again) == sorted(first)
    assert tables.read(EXAMPLES).select("examples_id").distinct().count() == 2
    assert [row.counts["examples"] for row in tables.read(RUNS).collect()] == [2, 2, 2]


def test_a_catalogue_that_is_again_as_it_was_has_its_old_snapshot_for_the_newest(tables):
    write(tables, [product("a", "Alba tea")], [value("a", "Alba")])
    run(tables)
    [old] = {row.examples_id for row in tables.read(EXAMPLES).collect()}

    run(tables, "label.salt=other")
    newest_between = lessons.newest(tables.read(EXAMPLES))[0]
    run(tables)

    assert newest_between != old
    assert lessons.newest(tables.read(EXAMPLES))[0] == old
    assert tables.read(EXAMPLES).count() == 2


def test_the_share_of_values_that_a_place_holds_is_stored_for_each_group(tables):
    write(tables, [product("a", "Alba tea"), product("b", "tea")], [value("a", "Alba"), value("b", "Beta")])

    run(tables)

    rows = tables.read(SCORES).where("metric = 'reachable' AND attribute = 'brand'").collect()
    assert {row.slice: (row.value, row.n) for row in rows} == {
        "title": (0.5, 2),
        "bullets": (0.0, 2),
        "ocr": (0.0, 2),
        "vocabulary": (0.0, 2),
        "nowhere": (0.5, 2),
        "": (0.5, 2),
    }


def test_a_catalogue_without_seller_values_is_one_clear_error(tables, capsys):
    write(tables, [product("a", "Alba tea")], [value("a", "Alba", origin="audit")])

    with pytest.raises(SystemExit, match="2"):
        run(tables)

    assert "[label] table catalog_attributes: found no seller's value of a defined attribute" in capsys.readouterr().err
    assert not tables.exists(EXAMPLES)


def test_definitions_of_the_table_are_those_that_labels_go_by(tables):
    options = [{"value": "bags", "aliases": ["tea bags"]}]
    defined = tables.rows([BRAND | {"options": options, "kind": "yes_no", "inferable": True}], ATTRIBUTE_DEFINITIONS)

    [found] = answers.records(defined)

    assert found == Definition(
        product_type="tea",
        attribute="brand",
        question="Which brand is it?",
        kind=Kind.YES_NO,
        options={"bags": ("tea bags",)},
        inferable=True,
    )
