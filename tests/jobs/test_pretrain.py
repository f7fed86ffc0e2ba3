"""Pretrain: the catalogue's own pages teach a writing model once, and train goes on from there."""

import io
from contextlib import redirect_stderr
from pathlib import Path
from typing import NamedTuple

import pytest
from safetensors.numpy import load_file

from extractor import checkpoint
from jobs import pretrain, registry, train
from jobs.tables import Tables
from schemas.catalogue import WAREHOUSE
from tests.jobs import shelf
from tests.jobs.shelf import definition, example, features, picture, product, settings, stock, texts

TINY_MXT = (
    "model.name=mxt", "model.writer.width=24", "model.writer.feed=32", "model.writer.heads=2",
    "model.writer.encoder_layers=1", "model.writer.decoder_layers=1", "model.grid=1", "model.whiten=0",
    "train.name=tiny", "train.loop.steps=2", "train.loop.batch_products=2", "train.loop.evaluate_every=1",
    "train.loop.threads=1", "pretrain.steps=3", "pretrain.tasks=4",
)  # fmt: skip
OTHER_SEED = "train.loop.seed=1"
"""Fresh weights that are not those that pretraining began with."""
PRODUCTS = [product(name, f"{name} green tea leaves") for name in ("ann", "bob", "cid")]


class Night(NamedTuple):
    """What two equal pretrainings left, and trainings that started from them or not."""

    folder: Path
    tables: Tables
    told: str
    models: registry.Registry


@pytest.fixture(scope="module")
def night(spark, tmp_path_factory) -> Night:
    folder = tmp_path_factory.mktemp("pretrain")
    tables = Tables(spark, f"{folder}/warehouse")
    stock(
        tables,
        products=PRODUCTS,
        product_pictures=[picture("ann", "iann")],
        image_texts=[texts("iann", "ALBA Mint")],
        image_features=[features("iann")],
        attribute_definitions=[definition("tea", "brand")],
        examples=[example(PRODUCTS[0], "brand", "Alba"), example(PRODUCTS[1], "brand", None)],
    )
    told = io.StringIO()
    with redirect_stderr(told):
        pretrain.main(settings(folder, *TINY_MXT))
        pretrain.main(settings(folder, *TINY_MXT))
        train.main(settings(folder, *TINY_MXT, OTHER_SEED))
        train.main(settings(folder, *TINY_MXT, OTHER_SEED, "train.start_from=tiny-pretrained"))
    store = registry.connect(f"sqlite:///{folder}/mlflow.db", "facetmill", artifacts_root=f"{folder}/mlflow")
    return Night(folder, tables, told.getvalue(), store)


def test_the_same_pages_are_learnt_once_under_a_name_of_their_own(night):
    rows = night.tables.read(WAREHOUSE["runs"]).where("job = 'pretrain'").orderBy("started_at").collect()

    assert [row.counts["trained"] for row in rows] == [1, 0]
    assert rows[0].counts["pages"] == 3
    assert rows[0].counts["steps"] == 3
    assert "tiny-pretrained/1 has learnt exactly this: nothing to train" in night.told
    assert night.models.resolve("tiny-pretrained", "champion").version == "1"


def test_it_reads_words_and_no_features(night):
    card = checkpoint.read_card(night.models.resolve("tiny-pretrained", "champion").folder)

    assert (card.model, card.ocr_schema, card.feature_schema) == ("mxt", shelf.OCR, "")


def test_training_that_starts_from_it_is_another_training_and_ends_elsewhere(night):
    fresh, started = (
        load_file(night.models.resolve("tiny", version).folder / "weights.safetensors") for version in ("1", "2")
    )
    pretrained = load_file(night.models.resolve("tiny-pretrained", "1").folder / "weights.safetensors")
    name = "writer.encoder.block.0.layer.0.SelfAttention.q.weight"

    # Two steps at a small rate: whoever started there is still near.
    near, far = (abs(weights[name] - pretrained[name]).max() for weights in (started, fresh))
    assert near < far / 3


def test_a_model_that_cannot_is_refused_by_both_jobs(night, capsys):
    pam = ("model.name=pam", "train.loop.steps=1")

    with pytest.raises(SystemExit) as stop:
        pretrain.main(settings(night.folder, *pam))
    assert stop.value.code == 2
    assert "model.name" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        train.main(settings(night.folder, "model.name=word_matching", "train.start_from=tiny-pretrained"))
    assert stop.value.code == 2
    assert "no way to start from a pretrained one" in capsys.readouterr().err


def test_a_name_that_nobody_pretrained_is_named(night, capsys):
    with pytest.raises(SystemExit):
        train.main(settings(night.folder, *TINY_MXT, "train.start_from=nobody"))

    assert "nobody" in capsys.readouterr().err
