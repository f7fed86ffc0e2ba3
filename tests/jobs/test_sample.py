"""The job sample: draws once, the same bytes, nothing of the truth among the input, nothing of others overwritten."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from pyspark.sql import SparkSession

from extractor.synthetic import files, noise
from jobs import sample
from schemas.truth import TRUTH

DAY = "2026-01-15"
READINGS = ("ingest.image_texts.ocr_schema=reader/1", "ingest.image_features.feature_schema=net/1280")


def run(folder: Path, *settings: str) -> None:
    told = [
        f"sample.out={folder / 'catalogue'}", f"sample.truth={folder / 'truth'}", f"warehouse={folder / 'warehouse'}",
        *settings,
    ]  # fmt: skip
    flags = [part for setting in told for part in ("--set", setting)]
    sample.main(["--conf", "conf/local.yaml", "--conf", "conf/test.yaml", "--day", DAY, *flags])


def contents(folder: Path) -> dict[str, bytes]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def drawn(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    run(folder, "sample.products=40")
    return folder


def test_a_seller_would_send_such_files(drawn):
    feeds = sorted((drawn / "catalogue").glob("products*.jsonl"))
    products = [json.loads(line) for feed in feeds for line in feed.read_text().splitlines()]
    definitions = yaml.safe_load((drawn / "catalogue" / "definitions.yaml").read_text())

    assert [product["product_id"] for product in products] == [f"P{k:07d}" for k in range(40)]
    assert {product["product_type"] for product in products} == {row["product_type"] for row in definitions}
    pictures = {path for product in products for path in product["images"]}
    assert pictures == set(contents(drawn / "catalogue" / "pictures"))


def test_the_truth_holds_to_its_contract_and_lies_elsewhere(drawn):
    truth = pq.read_table(drawn / "truth" / "truth.parquet")

    assert truth.schema.equals(TRUTH.schema)
    assert len({row["product_id"] for row in truth.to_pylist()}) == 40
    assert not [name for name in contents(drawn / "catalogue") if "truth" in name]


def test_the_same_settings_draw_nothing_again(drawn, capfd):
    before = {path: path.stat().st_mtime_ns for path in (drawn / "catalogue").rglob("*")}

    run(drawn, "sample.products=40")

    assert {path: path.stat().st_mtime_ns for path in (drawn / "catalogue").rglob("*")} == before
    assert "is drawn already" in capfd.readouterr().err


PLAN = files.Plan(
    out="", truth="", products=40, seed=7, features_only=False, ocr_schema="", feature_schema="", dim=1280
)


@pytest.mark.parametrize(
    ("products", "each", "parts"),
    [(1, 25, 1), (650, 25, 26), (50_000, 25, 2000), (50_001, 26, 1924), (1_000_000, 500, 2000)],
)
def test_there_are_at_most_two_thousand_parts_and_small_catalogues_keep_theirs(products, each, parts):
    plan = replace(PLAN, products=products)

    assert (plan.part_products, plan.num_parts) == (each, parts)


def test_what_a_product_is_does_not_depend_on_the_size_of_its_part(tmp_path):
    small, large = (
        replace(PLAN, out=str(tmp_path / name), truth=str(tmp_path / name), products=products, features_only=True)
        for name, products in (("small", 50_000), ("large", 100_000))
    )

    for plan, part in ((small, 0), (small, 1), (large, 0)):
        files.write_part(plan, part)

    lines, same = (
        b"".join(path.read_bytes() for path in sorted((tmp_path / name).glob("products-*.jsonl")))
        for name in ("small", "large")
    )
    assert lines.count(b"\n") == 50
    assert lines == same
    for name in ("truth.parquet", "image_texts", "image_features"):
        assert pq.read_table(tmp_path / "small" / name).equals(pq.read_table(tmp_path / "large" / name))


def test_the_same_seed_draws_the_same_bytes_whatever_the_cores(drawn):
    plan = replace(PLAN, out=str(drawn / "again"), truth=str(drawn / "again"))

    files.write_part(plan, 1)

    first, again = contents(drawn / "catalogue"), contents(drawn / "again")
    assert again.pop("truth.parquet/part-000001.parquet")
    assert len(again) > 10
    assert {name: first[name] for name in again} == again


def test_other_settings_leave_nothing_of_the_old_behind(spark, tmp_path):
    run(tmp_path, "sample.products=30", "sample.features_only=true", *(READINGS))

    run(tmp_path, "sample.products=5", "sample.features_only=true", *READINGS)

    assert [path.name for path in sorted((tmp_path / "catalogue").glob("products*.jsonl"))] == ["products-000000.jsonl"]
    assert pq.read_table(tmp_path / "truth" / "truth.parquet")["product_id"].to_pylist()[-1] == "P0000004"


def test_readings_are_written_in_place_of_pictures(spark, tmp_path):
    run(tmp_path, "sample.products=30", "sample.features_only=true", *READINGS)

    texts, features = (pq.read_table(tmp_path / "catalogue" / name) for name in ("image_texts", "image_features"))
    assert texts.schema.equals(noise.TEXT_ROWS)
    assert features.schema.equals(noise.FEATURE_ROWS)
    assert texts["uri"].to_pylist() == features["uri"].to_pylist()
    assert set(texts["ocr_schema"].to_pylist()) == {"reader/1"}
    assert not (tmp_path / "catalogue" / "pictures").exists()


def test_odd_products_come_on_top_and_change_nothing_else(spark, tmp_path):
    for name, on in (("with", "true"), ("without", "false")):
        run(tmp_path / name, "sample.products=5", "sample.features_only=true", f"sample.odd={on}", *READINGS)

    odd, plain = (contents(tmp_path / name / "catalogue") for name in ("with", "without"))
    assert {name for name in odd if name not in plain} == {
        "products-odd.jsonl", "image_texts/odd.parquet", "image_features/odd.parquet", "pictures/odd/zero.jpg",
        "pictures/odd/broken.jpg", "pictures/odd/many.jpg", "pictures/odd/plain.jpg", "pictures/odd/bomb.png",
    }  # fmt: skip
    assert all(odd[name] == content for name, content in plain.items() if name != "drawn.json")


def test_a_folder_that_holds_anything_else_is_left_alone(spark, tmp_path, capsys):
    (tmp_path / "catalogue").mkdir()
    (tmp_path / "catalogue" / "thesis.txt").write_text("years of work")

    with pytest.raises(SystemExit):
        run(tmp_path, "sample.products=5")

    assert contents(tmp_path / "catalogue") == {"thesis.txt": b"years of work"}
    assert "sample.out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (("sample.products=0",), "sample.products"),
        (("sample.products=5", "sample.features_only=true"), "ingest.image_texts.ocr_schema"),
        (("sample.products=5", "sample.odd=true", READINGS[0]), "ingest.image_features.feature_schema"),
    ],
)
def test_what_is_missing_is_named_before_anything_is_written(spark, tmp_path, capsys, settings, key):
    with pytest.raises(SystemExit):
        run(tmp_path, *settings)

    assert f"conf key '{key}'" in capsys.readouterr().err
    assert not (tmp_path / "catalogue").exists()
