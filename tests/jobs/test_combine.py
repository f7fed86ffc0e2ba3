"""Combine: two registered models become one version, once, and enrich asks it like any other."""

import io
from contextlib import redirect_stderr
from pathlib import Path
from typing import NamedTuple

import pytest

from extractor import checkpoint, pairing
from extractor.errors import ModelError
from jobs import combine, enrich, registry, train
from jobs.tables import Tables
from schemas.catalogue import WAREHOUSE
from schemas.predictions import PREDICTIONS
from tests.jobs import shelf
from tests.jobs.shelf import definition, example, features, picture, product, settings, stock, texts
from tests.jobs.test_train import TINY_PAM

TINY_SPANS = (
    "model.name=spans", "model.width=12", "model.text.name=random", "model.text.layers=1", "model.words.name=random",
    "model.words.layers=1", "train.loop.steps=2", "train.loop.batch_products=2", "train.loop.evaluate_every=1",
    "train.loop.threads=1", "train.name=reader", "train.augment.copies=0",
)  # fmt: skip
pytestmark = pytest.mark.slow  # two trainings, two combinations and an enrich, for one story
COMBINE = ("combine.spans=reader", "combine.generator=tiny")
PRODUCTS = [product(name, f"{name.title()} green tea") for name in ("ann", "bob", "cid", "dan", "eve")]


class Night(NamedTuple):
    """What two trainings, two equal combinations and enrich left."""

    tables: Tables
    told: str
    models: registry.Registry


@pytest.fixture(scope="module")
def night(spark, tmp_path_factory) -> Night:
    folder = tmp_path_factory.mktemp("combine")
    tables = Tables(spark, f"{folder}/warehouse")
    stock(
        tables,
        products=PRODUCTS,
        product_pictures=[picture("ann", "iann")],
        image_texts=[texts("iann", "ALBA Mint")],
        image_features=[features("iann")],
        attribute_definitions=[definition("tea", "brand")],
        examples=[
            example(PRODUCTS[0], "brand", "Ann"), example(PRODUCTS[1], "brand", "Bob"),
            example(PRODUCTS[2], "brand", "Cid", split="validation"),
            example(PRODUCTS[3], "brand", "Never", split="validation"),
        ],
    )  # fmt: skip
    told = io.StringIO()
    with redirect_stderr(told):
        train.main(settings(folder, *TINY_PAM))
        train.main(settings(folder, *TINY_SPANS))
        combine.main(settings(folder, *COMBINE))
        combine.main(settings(folder, *COMBINE))
        enrich.main(settings(folder, "enrich.model=combined"))
    store = registry.connect(f"sqlite:///{folder}/mlflow.db", "facetmill", artifacts_root=f"{folder}/mlflow")
    return Night(tables, told.getvalue(), store)


def test_the_same_two_are_combined_once(night):
    rows = night.tables.read(WAREHOUSE["runs"]).where("job = 'combine'").orderBy("started_at").collect()

    assert [row.counts["combined"] for row in rows] == [1, 0]
    assert rows[0].counts["validation_pairs"] == 2
    assert [row.model_version for row in rows] == ["combined/1", "combined/1"]
    assert "combined/1 is exactly this: nothing to combine" in night.told


def test_its_version_holds_both_and_reads_what_they_read(night):
    folder = night.models.resolve("combined", "champion").folder
    card = checkpoint.check(folder)

    assert (card.model, card.ocr_schema, card.feature_schema) == ("combined", shelf.OCR, shelf.FEATURES)
    assert card.config["spans"]["name"] == "spans"
    assert card.config["generator"]["name"] == "pam"
    assert {"spans/member-0.safetensors", "generator/weights.safetensors"} <= card.files.keys()


def test_enrich_asks_it_like_any_other(night):
    rows = night.tables.read(PREDICTIONS).where("model_version = 'combined/1'").collect()

    assert sorted(row.product_id for row in rows) == sorted(row["product_id"] for row in PRODUCTS)
    assert all(row.state in ("value", "unknown") and 0 <= row.score <= 1 for row in rows)


def test_members_that_read_different_features_are_refused(night):
    cards = [checkpoint.read_card(Path(night.models.resolve(name, "champion").folder)) for name in ("tiny", "reader")]
    other = checkpoint.Card(**{**vars(cards[1]), "feature_schema": "another"})

    with pytest.raises(ModelError, match="feature_schema"):
        pairing.common([cards[0], other], "feature_schema")
    assert pairing.common([cards[0], checkpoint.Card(**{**vars(other), "feature_schema": ""})], "feature_schema") == (
        shelf.FEATURES
    )
