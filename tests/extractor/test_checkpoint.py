"""A checkpoint is read whole and untouched, or not at all."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from extractor import checkpoint
from extractor.errors import ModelError
from extractor.models import word_matching
from extractor.models.base import Knowledge
from extractor.records import Definition, Example, Question

CONFIG = word_matching.Config(
    order="asc",
    sources=("title",),
    stop=(word_matching.Stop(product_type="*", words=("with",)),),
    options=True,
    prior_precision=0.5,
    prior_weight=2.0,
)
MINT = Example(
    product_id="1", product_type="tea", title="mint tea", asked=(Question(attribute="flavor", answer="mint"),)
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A saved Word Matching."""
    save(tmp_path / "model")
    return tmp_path / "model"


def save(folder: Path, *, examples_id: str = "examples", order: Literal["asc", "desc"] = "asc") -> checkpoint.Card:
    definition = Definition(product_type="tea", attribute="flavor", question="What flavor?")
    config = replace(CONFIG, order=order)
    model = word_matching.Model.create(config, Knowledge((definition,), {}, "f", 0, "o"), [MINT], seed=0)
    return checkpoint.save(
        folder,
        model,
        name="word_matching",
        config=config,
        feature_schema="grid/1280",
        ocr_schema="rapidocr/480",
        examples_id=examples_id,
    )


def rewrite(folder: Path, change) -> None:
    """Change the card and its hash, as somebody would who forges one."""
    content = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    del content["model_hash"]
    change(content)
    content["model_hash"] = checkpoint.Card(**content).model_hash
    (folder / "card.json").write_text(json.dumps(content), encoding="utf-8")


def test_what_was_saved_is_loaded_with_its_settings_and_card(folder):
    model, card = checkpoint.load(folder, device="cpu", feature_schema="grid/1280", ocr_schema="rapidocr/480")

    assert isinstance(model, word_matching.Model)
    assert model.config == CONFIG
    assert [prediction.value for prediction in model.predict([MINT])] == ["mint"]
    assert (card.model, card.examples_id, sorted(card.files)) == ("word_matching", "examples", ["word_matching.json"])


@pytest.mark.parametrize("kind", ["feature_schema", "ocr_schema"])
def test_a_model_of_another_schema_is_refused(folder, kind):
    with pytest.raises(ModelError, match=f"{kind}: found a catalogue of 'other', expected '(grid|rapidocr)/"):
        checkpoint.load(folder, device="cpu", **{kind: "other"})


def test_a_damaged_file_is_named(folder):
    with (folder / "word_matching.json").open("a", encoding="utf-8") as file:
        file.write(" ")

    with pytest.raises(ModelError, match=r"word_matching\.json: found content of SHA-256"):
        checkpoint.load(folder, device="cpu")


def test_a_foreign_file_is_named(folder):
    (folder / "extra.bin").write_bytes(b"?")

    with pytest.raises(ModelError, match=r"extra\.bin: found a file that the card does not name"):
        checkpoint.load(folder, device="cpu")


def test_a_missing_file_is_named(folder):
    (folder / "word_matching.json").unlink()

    with pytest.raises(ModelError, match=r"word_matching\.json: found no file"):
        checkpoint.load(folder, device="cpu")


@pytest.mark.parametrize("name", ["../outside.json", "/etc/hostname"])
def test_a_card_that_names_a_file_outside_its_folder_is_refused(folder, name):
    rewrite(folder, lambda content: content["files"].update({name: "0"}))

    with pytest.raises(ModelError, match="expected a path inside the folder"):
        checkpoint.load(folder, device="cpu")


def test_a_link_that_leaves_the_folder_is_refused(folder):
    outside = folder.parent / "outside.json"
    (folder / "word_matching.json").rename(outside)
    (folder / "word_matching.json").symlink_to(outside)

    with pytest.raises(ModelError, match="expected a path inside the folder"):
        checkpoint.load(folder, device="cpu")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content["config"].update(ordre="asc"), "ordre: Unexpected keyword argument"),
        (lambda content: content["config"].update(order="up"), "order: Input should be 'asc', 'longest' or 'desc'"),
        (lambda content: content["config"]["stop"][0].update(word="x"), r"stop\.0\.word: Unexpected keyword"),
        (lambda content: content.update(format=2), "found format 2, expected format 1"),
        (lambda content: content.update(model="../training"), "found '../training', expected one of"),
    ],
)
def test_a_card_that_says_something_unknown_is_refused(folder, change, message):
    rewrite(folder, change)

    with pytest.raises(ModelError, match=message):
        checkpoint.load(folder, device="cpu")


def test_a_card_that_was_edited_is_refused(folder):
    card = folder / "card.json"
    card.write_text(card.read_text(encoding="utf-8").replace("grid/1280", "grid/1281"), encoding="utf-8")

    with pytest.raises(ModelError, match=r"card\.json: found content of hash .* as it was saved"):
        checkpoint.load(folder, device="cpu")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"model_hash": "x", "format": 1}'])
def test_a_card_that_is_none_is_refused(folder, content):
    (folder / "card.json").write_text(content, encoding="utf-8")

    with pytest.raises(ModelError, match=r"card\.json: found .* expected a card as `save` writes it"):
        checkpoint.load(folder, device="cpu")


def test_a_folder_without_a_card_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"found no card\.json"):
        checkpoint.load(tmp_path, device="cpu")


def test_the_hash_names_content_and_settings(tmp_path):
    hashes = [
        save(tmp_path / "a").model_hash,
        save(tmp_path / "b").model_hash,
        save(tmp_path / "c", order="desc").model_hash,
        save(tmp_path / "d", examples_id="other").model_hash,
    ]

    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3


def test_a_checkpoint_is_replaced_but_no_other_folder_is(folder, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear", encoding="utf-8")

    save(folder, examples_id="newer")

    assert checkpoint.read_card(folder).examples_id == "newer"
    with pytest.raises(ModelError, match=r"found no card\.json"):
        save(tmp_path / "home")
    assert (tmp_path / "home" / "letter.txt").exists()
