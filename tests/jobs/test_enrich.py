"""Enrich: everything that definitions ask is answered once, whoever dies when, and what cannot be read says why."""

import io
from contextlib import redirect_stderr
from typing import Any, NamedTuple

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs import chunks, runs
from jobs.tables import Tables
from schemas.attribute_definitions import ATTRIBUTE_DEFINITIONS
from schemas.chunks import CHUNKS
from schemas.predictions import PREDICTIONS
from schemas.products import PRODUCTS
from schemas.quarantine import QUARANTINE
from schemas.vocabularies import VOCABULARIES
from tests.jobs.shelf import definition, features, product, stock
from tests.jobs.shop import DEFINITIONS, Shop, filled


@pytest.fixture(scope="module")
def untouched(spark, tmp_path_factory, models) -> Shop:
    return filled(Tables(spark, str(tmp_path_factory.mktemp("untouched"))), models)


class Story(NamedTuple):
    """Three runs on one warehouse: the first, the same again, and one after a title has changed."""

    shop: Shop
    answers: dict[tuple[str, str], dict[str, Any]]
    """Of the first run."""
    told: str
    runs: list[Any]
    versions: list[int]
    """Of predictions, after each run."""


@pytest.fixture(scope="module")
def story(spark, tmp_path_factory, models) -> Story:
    shop = filled(Tables(spark, str(tmp_path_factory.mktemp("story"))), models)
    told = io.StringIO()
    with redirect_stderr(told):
        shop.enrich()
    story = Story(shop, shop.answers(), told.getvalue(), [shop.last_run()], [shop.tables.version(PREDICTIONS)])
    for title in ("d tea", "Alba"):
        changed = shop.tables.read(PRODUCTS).where("product_id = 'd'").withColumn("title", F.lit(title))
        shop.tables.upsert(changed, PRODUCTS)
        shop.enrich()
        story.runs.append(shop.last_run())
        story.versions.append(shop.tables.version(PREDICTIONS))
    return story


def test_every_pair_that_definitions_ask_is_answered_with_its_model_and_evidence(story):
    said = {pair: (row["state"], row["value"], row["support"]) for pair, row in story.answers.items()}

    assert said == {
        ("a", "brand"): ("value", "ALBA", "printed"), ("a", "flavor"): ("value", "mint", "printed"),
        ("b", "brand"): ("unknown", None, None), ("b", "flavor"): ("value", "mint", "printed"),
        ("c", "brand"): ("error", None, None), ("c", "flavor"): ("error", None, None),
        ("d", "brand"): ("unknown", None, None), ("d", "flavor"): ("unknown", None, None),
    }  # fmt: skip
    assert {(row["model_name"], row["model_version"]) for row in story.answers.values()} == {
        ("facetmill", "facetmill/1")
    }
    assert [word["image_hash"] for word in story.answers["a", "brand"]["evidence"]] == ["ia"]


def test_a_second_run_asks_nothing_and_writes_nothing(story):
    first, second = story.runs[:2]

    assert (first.model_calls, second.model_calls) == (8, 0)
    landed = {"products": 4, "predicted": 8, "unknown": 3, "errors": 2}
    assert first.counts == {"requested": 8, "already_answered": 0} | landed
    assert second.counts == {"requested": 8, "already_answered": 8} | dict.fromkeys(landed, 0)
    assert story.versions[0] == story.versions[1]


def test_only_what_changed_is_asked_again(story):
    run = story.runs[2]

    newest = story.shop.tables.read(PREDICTIONS).where(F.col("run_id") == run.run_id).collect()

    assert (run.model_calls, run.counts["already_answered"]) == (2, 6)
    assert {(row.product_id, row.attribute, row.value) for row in newest} == {
        ("d", "brand", "Alba"), ("d", "flavor", None),
    }  # fmt: skip


def test_what_cannot_be_read_is_quarantined_once_with_its_reason(story):
    rows = story.shop.tables.read(QUARANTINE).collect()

    reason = story.answers["c", "brand"]["reason"]
    assert reason == "ContractError: picture ic, regions: found NaN or infinity, expected finite numbers"
    assert sorted((row.job, row.source, row.key, row.reason) for row in rows) == [
        ("enrich", "products", "c, brand", reason), ("enrich", "products", "c, flavor", reason),
    ]  # fmt: skip


def test_what_is_not_asked_or_asked_with_less_is_counted_and_said(story):
    assert "nothing is asked of 1 products, their types have no definitions: oil (1)" in story.told
    assert "1 products have features, but none of 'net/4': asked without them" in story.told


def test_a_model_that_may_publish_a_part_is_asked_that_part_alone(tables, models):
    shop = filled(tables, models)

    shop.enrich("publish.models=[{model: facetmill, attributes: [brand]}, {model: look-up}]")
    part, asked = shop.last_run(), set(shop.answers())
    shop.enrich("publish.models=[{model: look-up}]")  # a shadow: named nowhere, asked everything

    assert asked == {(name, "brand") for name in "abcd"}
    landed = {"products": 4, "predicted": 4, "errors": 1}
    assert part.counts == {"requested": 4, "already_answered": 0, "unknown": 2} | landed
    assert shop.last_run().counts == {"requested": 8, "already_answered": 4, "unknown": 1} | landed


def test_a_run_that_dies_between_chunks_and_is_started_again_ends_with_the_table_of_one_that_did_not(
    story, tables, models, monkeypatch
):
    shop = filled(tables, models)

    class Dying(Tables):
        """Dies when the second chunk is to be written."""

        def append_next(self, frame: DataFrame, table: Any, *, stream: str, after: int, note: str) -> int:
            if after == 1:
                raise KeyboardInterrupt
            return super().append_next(frame, table, stream=stream, after=after, note=note)

    with monkeypatch.context() as broken:
        broken.setattr(runs, "Tables", Dying)
        with pytest.raises(KeyboardInterrupt):
            shop.enrich("enrich.chunk_pairs=4")
    num_landed = len(shop.answers())
    shop.enrich("enrich.chunk_pairs=4", "enrich.api=arrow")  # both ways of asking give the same table

    assert num_landed == 4
    assert shop.last_run().model_calls == 4
    assert shop.answers() == story.answers
    planned = tables.read(CHUNKS).orderBy("planned_at", "chunk_id").collect()
    assert [(row.chunk_id, row.commit, row.num_pairs) for row in planned] == [(0, 1, 4), (1, 2, 4), (0, 2, 4)]
    first, second = planned[0].run_id, planned[2].run_id
    assert set(tables.notes(PREDICTIONS)) == {chunks.note(first, 0), chunks.note(second, 0)}


def test_a_run_that_slept_while_another_answered_lands_nothing_and_says_so(tables, models, monkeypatch, capsys):
    shop = filled(tables, models)

    class Overtaken(Tables):
        """Sleeps before its first commit until another run has done all of the work."""

        def append_next(self, frame: DataFrame, table: Any, *, stream: str, after: int, note: str) -> int:
            with monkeypatch.context() as awake:
                awake.setattr(runs, "Tables", Tables)
                shop.enrich()
            return super().append_next(frame, table, stream=stream, after=after, note=note)

    with monkeypatch.context() as slow:
        slow.setattr(runs, "Tables", Overtaken)
        with pytest.raises(SystemExit) as stop:
            shop.enrich()

    assert stop.value.code == 2
    assert "found commit 1 of another writer, expected ours; run again" in capsys.readouterr().err
    assert len(shop.answers()) == 8


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("ingest.image_features.feature_schema=net/8", "feature_schema: found 'net/4', expected 'net/8', which conf"),
        ("ingest.image_texts.ocr_schema=reader/2", "ocr_schema: found 'reader/1', expected 'reader/2', which conf"),
        ("enrich.version=17", "version '17': found no such version, expected one of champion, 1"),
        ("enrich.model=nobody", "'nobody': found no such model"),
        ("publish.models=[{model: a, product_types: [tee]}]", "'publish.models': found \"product type 'tee'\""),
        ("enrich.where=colour = 3", "'enrich.where': found 'colour = 3 (UNRESOLVED"),
        ("enrich.where=product_id ==== 'a'", "expected SQL over product_id"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_before_any_work(untouched, capsys, override, message):
    with pytest.raises(SystemExit) as stop:
        untouched.enrich(override)

    assert stop.value.code == 2
    assert message in capsys.readouterr().err
    assert not untouched.tables.exists(PREDICTIONS)


def test_an_operator_names_the_products_that_are_asked(tables, models):
    shop = filled(tables, models)

    shop.enrich("enrich.where=product_id IN ('a', 'd')")

    assert {product_id for product_id, _ in shop.answers()} == {"a", "d"}


def test_an_attribute_that_was_defined_after_the_training_is_answered_and_the_others_as_before(tables, models, story):
    shop = filled(tables, models)
    joined = definition("tea", "form", options=[{"value": "Tea Bag", "aliases": ["tea"]}])
    tables.append(tables.rows([joined], ATTRIBUTE_DEFINITIONS), ATTRIBUTE_DEFINITIONS, txn="joined")

    shop.enrich("enrich.where=product_id IN ('a', 'd')")

    found = shop.answers()
    assert {pair: found[pair] for pair in story.answers if pair[0] in "ad"} == {
        pair: row for pair, row in story.answers.items() if pair[0] in "ad"
    }
    assert {name: found[name, "form"]["value"] for name in "ad"} == {"a": "tea", "d": "tea"}
    snapshots = tables.read(VOCABULARIES).where("attribute = 'form'").collect()
    assert [(row.product_type, row.words) for row in snapshots] == [("tea", ["tea", "Tea Bag"])]


def test_a_warehouse_without_what_the_model_learnt_from_is_refused(tables, models, capsys):
    stock(tables, products=[product("a", "Alba")], attribute_definitions=DEFINITIONS, image_features=[features("ia")])

    with pytest.raises(SystemExit) as stop:
        Shop(tables, models).enrich()

    assert stop.value.code == 2
    assert "ocr_schema: found 'reader/1', expected one that the warehouse holds (none yet)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({}, "table products at"),
        ({"products": [product("a", "Alba")]}, "table attribute_definitions at"),
        (
            {"products": [product("a", "Alba") | {"is_current": False}], "attribute_definitions": DEFINITIONS},
            "table products: found no current product",
        ),
        (
            {"products": [product("a", "Oil", product_type="oil")], "attribute_definitions": DEFINITIONS},
            "table attribute_definitions: found no attribute of any product type",
        ),
    ],
)
def test_a_catalogue_that_nothing_can_be_asked_of_is_one_clear_message(tables, models, capsys, rows, message):
    stock(tables, **rows)

    with pytest.raises(SystemExit) as stop:
        Shop(tables, models).enrich()

    assert stop.value.code == 2
    assert message in capsys.readouterr().err
