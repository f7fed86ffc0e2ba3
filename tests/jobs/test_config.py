"""Settings: merged in order, checked before Spark starts, every problem names its key."""

import json
from pathlib import Path

import pytest

from extractor.errors import ConfigError
from jobs import config

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("path", sorted((ROOT / "conf").rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_conf_file_builds_on_top_of_the_base(path):
    conf = config.load([config.BASE, str(path)])

    assert json.loads(config.as_json(conf))["warehouse"] == conf.warehouse


@pytest.mark.parametrize(
    ("override", "key", "says"),
    [
        ("enrich.devise=cpu", "enrich.devise", "no such key"),
        ("enrich.chunk_pairs=many", "enrich.chunk_pairs", "integer"),
        ("enrich.chunk_pairs=1.5", "enrich.chunk_pairs", "integer"),
        ("enrich.api=pickle", "enrich.api", "'pandas' or 'arrow'"),
        ("enrich=null", "enrich", "mapping"),
        ("model.name=gpt", "model.name", "one of"),
        ("model.colour=red", "model.colour", "no such key"),
        ("read_images.ocr.name=../../etc/passwd", "read_images.ocr.name", "one of"),
        ("read_images=5", "read_images", "found 5, expected a mapping"),
        ("read_images=null", "read_images", "found None, expected a mapping"),
        ("model=5", "model", "found 5, expected a mapping"),
        (
            "train.loop.steps=0",
            "train.loop.steps",
            "found 0, expected a number above 0",
        ),  # refused by the section itself
        ("train.augment.copies=-1", "train.augment.copies", "found -1, expected 0 or more"),
        ("label.train=0.9", "label.train + validation + calibration + test", "shares >= 0 that make 1"),
        ("spark.jars=[a", "spark.jars", "found '[a'"),
        ("nothing", "--set", "key=value"),
    ],
)
def test_a_wrong_setting_stops_with_its_dotted_key(override, key, says):
    with pytest.raises(ConfigError) as caught:
        config.load([config.BASE], [override])

    assert f"'{key}'" in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize("sql", ["'tea' = product_type", "product_type IN ('tea', 'oil')", "{oil", "@x", "a: b: c"])
def test_a_set_value_that_is_no_yaml_is_text_as_it_stands(sql):
    conf = config.load([config.BASE], [f"enrich.where={sql}"])

    assert conf.enrich.where == sql


def test_a_later_file_wins_key_by_key_and_a_set_wins_last(tmp_path):
    later = tmp_path / "later.yaml"
    later.write_text("enrich:\n  task_products: 3\n  device: cuda\n")

    conf = config.load([config.BASE, str(later)], ["enrich.device=cpu"])

    assert (conf.enrich.task_products, conf.enrich.device, conf.enrich.api) == (3, "cpu", "pandas")


def test_a_component_may_be_given_by_its_name_alone():
    short = config.load([config.BASE], ["model.width=96", "model=mxt", "read_images.regions=cells"])
    whole = config.load([config.BASE], ["model.name=mxt", "read_images.regions.name=cells"])

    assert (short.model, short.read_images) == (whole.model, whole.read_images)


def test_a_component_under_another_name_starts_without_its_predecessors_settings():
    base = {"read_images": {"ocr": {"name": "rapidocr", "side": 480}}, "train": {"name": "facetmill", "promote": False}}

    merged = config.merge(base, {"read_images": {"ocr": {"name": "tesseract"}}, "train": {"name": "look-up"}})

    assert merged == {"read_images": {"ocr": {"name": "tesseract"}}, "train": {"name": "look-up", "promote": False}}


def test_a_missing_file_and_a_broken_one_are_named(tmp_path):
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [1,")

    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        config.load(["nowhere.yaml"])
    with pytest.raises(ConfigError, match=r"broken\.yaml"):
        config.load([str(broken)])
