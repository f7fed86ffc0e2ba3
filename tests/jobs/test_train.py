"""Train: the newest examples are learnt once, from their own splits alone, and the model says what taught it."""

import io
from contextlib import redirect_stderr
from pathlib import Path
from typing import NamedTuple, cast

import pytest
from safetensors.numpy import load_file

from extractor import checkpoint, vocabulary
from extractor.errors import ContractError
from jobs import config, lessons, registry, train
from jobs.lessons import Lesson
from jobs.tables import Tables
from schemas.catalogue import WAREHOUSE
from schemas.enums import Split
from schemas.scores import SCORES
from schemas.vocabularies import VOCABULARIES
from tests.jobs import shelf
from tests.jobs.shelf import definition, example, features, picture, product, settings, stock, texts

PRODUCTS = {name: product(name, f"{name} tea") for name in ("ann", "bob", "cid", "dan", "eve", "fay")}
TINY_PAM = (
    "model.name=pam", "model.width=12", "model.layers=1", "model.heads=2", "model.text.name=random",
    "model.text.layers=1", "model.words.name=random", "model.words.layers=1", "train.loop.steps=2",
    "train.loop.batch_products=2", "train.loop.evaluate_every=1", "train.loop.threads=1", "train.name=tiny",
)  # fmt: skip


def lesson(tables: Tables) -> None:
    """Two snapshots: an old one that lies, and a new one with a product in each split and one that is not kept."""
    old = example(PRODUCTS["ann"], "brand", "Lie") | {"examples_id": "older", "run_id": "label-0"}
    nan = features("ibob") | {"boxes": b"\xff" * 32}  # NaN
    stock(
        tables,
        products=[*PRODUCTS.values(), PRODUCTS["eve"] | {"content_hash": "newer", "title": "changed since"}],
        product_pictures=[picture("ann", "iann"), picture("bob", "ibob")],
        image_texts=[texts("iann", "ALBA Mint"), texts("ibob", "BARK")],
        image_features=[features("iann"), nan],
        attribute_definitions=[definition("tea", "brand"), definition("tea", "flavor")],
        examples=[
            old,
            example(PRODUCTS["ann"], "brand", "Alba"), example(PRODUCTS["ann"], "flavor", "mint"),
            example(PRODUCTS["bob"], "brand", "Bark"),
            example(PRODUCTS["cid"], "brand", "Alba", split="validation"),
            example(PRODUCTS["dan"], "brand", "Dano", split="calibration"),
            example(PRODUCTS["eve"], "brand", "Alba"), example(PRODUCTS["eve"], "flavor", None),
            example(PRODUCTS["fay"], "brand", "Rare", kept=False),
        ],
    )  # fmt: skip


class Night(NamedTuple):
    """What three trainings left: Word Matching, the same again, and with other settings."""

    folder: Path
    tables: Tables
    told: str
    models: registry.Registry


@pytest.fixture(scope="module")
def night(spark, tmp_path_factory) -> Night:
    folder = tmp_path_factory.mktemp("train")
    tables = Tables(spark, f"{folder}/warehouse")
    lesson(tables)
    told = io.StringIO()
    with redirect_stderr(told):
        train.main(settings(folder))
        train.main(settings(folder))
        train.main(settings(folder, "model.order=asc"))
    store = registry.connect(f"sqlite:///{folder}/mlflow.db", "facetmill", artifacts_root=f"{folder}/mlflow")
    return Night(folder, tables, told.getvalue(), store)


def counts(night: Night) -> list[dict[str, int]]:
    rows = night.tables.read(WAREHOUSE["runs"]).where("job = 'train'").orderBy("started_at").collect()
    return [row.counts for row in rows]


def test_the_same_examples_and_settings_are_learnt_once_and_other_settings_make_a_challenger(night):
    first, second, third = (count["trained"] for count in counts(night))

    assert (first, second, third) == (1, 0, 1)
    assert "facetmill/1 has learnt exactly this: nothing to train" in night.told
    assert night.models.resolve("facetmill", "champion").version == "1"
    assert night.models.resolve("facetmill", "challenger").version == "2"


def test_learning_sees_kept_examples_of_the_newest_snapshot_and_of_its_own_splits_alone(night):
    [exported] = (night.folder / "training" / "inputs").iterdir()

    taught = {split: lessons.load(exported / split) for split in lessons.SPLITS}

    said = {
        (example.product_id, question.attribute, question.answer)
        for split in taught.values()
        for example in split.examples
        for question in example.asked
    }
    assert {path.name for path in exported.iterdir()} == {"train", "validation"}
    assert said == {
        ("ann", "brand", "Alba"), ("ann", "flavor", "mint"), ("eve", "brand", "Alba"), ("eve", "flavor", None),
        ("cid", "brand", "Alba"),
    }  # fmt: skip
    assert [one.product_id for one in taught[Split.VALIDATION].examples] == ["cid"]


def test_a_product_is_learnt_as_it_was_when_it_was_labelled(night):
    [exported] = (night.folder / "training" / "inputs").iterdir()

    titles = {one.product_id: one.title for one in lessons.load(exported / Split.TRAIN).examples}

    assert titles == {"ann": "ann tea", "eve": "eve tea"}


def test_a_row_that_cannot_be_read_is_left_out_counted_and_said(night):
    assert counts(night)[0]["train_unreadable"] == 1
    assert "product bob: picture ibob, boxes: found NaN or infinity" in night.told


def test_a_model_names_what_it_learnt_from(night):
    card = checkpoint.read_card(night.models.resolve("facetmill", "champion").folder)

    assert (card.model, card.examples_id) == ("word_matching", "snapshot")
    assert (card.ocr_schema, card.feature_schema) == (shelf.OCR, shelf.FEATURES)


def test_vocabularies_are_stored_once_as_the_model_has_them(night):
    rows = night.tables.read(VOCABULARIES).collect()

    words = {(row.product_type, row.attribute): tuple(row.words) for row in rows}
    # Alba was given by two training products; mint and Lie by too few, or by none.
    assert words == {
        ("tea", "brand"): ("Alba",), ("tea", "flavor"): (),
        ("*", "brand"): ("Alba",), ("*", "flavor"): (), ("*", "*"): ("Alba",),
    }  # fmt: skip
    known = [
        vocabulary.Vocabulary(product_type=group[0], attribute=group[1], words=said) for group, said in words.items()
    ]
    assert {row.vocab_id for row in rows} == {one.vocab_id for one in known}


def test_what_a_training_cost_is_stored(night):
    rows = night.tables.read(SCORES).where("job = 'train'").collect()

    assert sorted((row.metric, row.system, row.model_version) for row in rows) == [
        ("seconds", "facetmill", "facetmill/1"), ("seconds", "facetmill", "facetmill/2"),
        ("steps", "facetmill", "facetmill/1"), ("steps", "facetmill", "facetmill/2"),
    ]  # fmt: skip


def test_a_model_with_weights_goes_through_the_loop_and_its_loss_is_stored(night, capsys):
    train.main(settings(night.folder, *TINY_PAM))

    told = capsys.readouterr().err
    row = night.tables.read(SCORES).where("system = 'tiny' AND metric = 'validation_loss'").first()
    card = checkpoint.read_card(night.models.resolve("tiny", "champion").folder)
    assert "step 2 of 2" in told
    assert (row.split, row.n, row.value > 0) == ("validation", 1, True)
    assert (card.model, card.config["width"]) == ("pam", 12)


@pytest.mark.slow  # starts torchrun, whose processes each load torch and the parts
def test_two_processes_learn_together_what_the_job_registers(night):
    for name, processes in (("alone", 1), ("both", 2)):  # in folders of their own: a finished fit is not fitted again
        own = (f"train.name={name}", f"train.folder={night.folder}/{name}", f"train.processes={processes}")
        train.main(settings(night.folder, *TINY_PAM, *own))

    rows = night.tables.read(SCORES).where("system IN ('alone', 'both')").collect()
    alone, both = (
        {row.metric: row.value for row in rows if row.system == name and row.metric != "seconds"}
        for name in ("alone", "both")
    )
    folder = night.models.resolve("both", "champion").folder
    fresh = load_file(next((night.folder / "both").rglob("fresh/weights.safetensors")))
    # Each process drops activations and samples targets by its own seed, so the losses are near, not equal.
    assert both == pytest.approx(alone, rel=0.05)
    assert both["steps"] == 2
    assert any((fresh[name] != weights).any() for name, weights in load_file(folder / "weights.safetensors").items())


def test_promote_makes_a_new_version_the_champion_at_once(night):
    train.main(settings(night.folder, "model.order=desc", "train.promote=true"))

    assert night.models.resolve("facetmill", "champion").version == "3"


def test_promote_makes_a_version_that_is_trained_already_the_champion(night):
    train.main(settings(night.folder, "model.order=asc", "train.promote=true"))

    assert night.models.resolve("facetmill", "champion").version == "2"


def test_without_examples_nothing_is_trained_and_the_message_names_the_table(tables, tmp_path, capsys):
    stock(tables, examples=[])

    with pytest.raises(SystemExit) as stop:
        train.main(settings(tmp_path))

    assert stop.value.code == 2
    assert "table examples: found no example, expected at least one; run label first" in capsys.readouterr().err


def test_a_warehouse_read_by_another_engine_alone_is_refused(spark):
    held = spark.createDataFrame([("reader/2",), ("reader/3",)], "ocr_schema string")
    nothing = spark.createDataFrame([], "ocr_schema string")

    with pytest.raises(ContractError, match=r"found reader/2, reader/3, expected 'reader/1' as in conf"):
        lessons.held(held, "ocr_schema", "reader/1")
    assert lessons.held(held, "ocr_schema", "reader/3") == "reader/3"
    assert lessons.held(nothing, "ocr_schema", "reader/1") == ""


def test_identity_changes_with_content_model_and_loop_but_not_with_how_it_is_carried_out():
    def conf(*overrides: str) -> config.Conf:
        return config.load([config.BASE], ["model.name=word_matching", *overrides])

    taught = cast(Lesson, Taught("content"))

    same = train.identity(taught, conf())

    assert train.identity(taught, conf("train.loop.threads=7")) == same
    assert train.identity(taught, conf("train.loop.seed=5")) != same
    assert train.identity(taught, conf("model.order=asc")) != same
    assert train.identity(cast(Lesson, Taught("other")), conf()) != same


class Taught(NamedTuple):
    """As much of a lesson as its identity reads."""

    content: str


def test_a_training_that_died_before_it_told_its_scores_tells_them_when_it_is_started_again(night, monkeypatch):
    order = "model.order=desc"

    def die(tables, frame, table, *, txn):
        if table is SCORES:
            raise KeyboardInterrupt
        return append(tables, frame, table, txn=txn)

    append = Tables.append
    monkeypatch.setattr(Tables, "append", die)
    with pytest.raises(KeyboardInterrupt):
        train.main(settings(night.folder, order))
    monkeypatch.setattr(Tables, "append", append)
    train.main(settings(night.folder, order))

    told = night.tables.read(SCORES).where("system = 'facetmill' AND metric = 'seconds'").collect()
    assert {row.model_version for row in told} == {"facetmill/1", "facetmill/2", "facetmill/3"}
    assert {row.n for row in told} == {4}
