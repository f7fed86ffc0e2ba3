"""A thousand products with and without twenty odd ones: the night ends well, and nobody else's answers change."""

from collections import Counter
from typing import NamedTuple

import pytest

from extractor.ocr import rapidocr
from extractor.synthetic import odd
from tests.night.conftest import FEATURES, Night

pytestmark = pytest.mark.slow  # two nights of 1,000 products: about ten minutes

READ = rapidocr.Config().schema
"""The odd pictures are really opened and read; the words of all others are imported under the same name."""
SETTINGS = ("sample.products=1000", "read_images.enabled=true", f"ingest.image_texts.ocr_schema={READ}",
            "read_images.ocr.side=480", "read_images.ocr.detection_side=960")  # fmt: skip
ANSWER = ("value", "state", "evidence", "input_hash", "support", "runner_up")
ROUNDING = 1e-5
"""Of scores: other products in a batch mean other padding, and floats are added in another order."""


class Nights(NamedTuple):
    """The same catalogue twice."""

    plain: Night
    odd: Night


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    both = Nights(*(Night(tmp_path_factory.mktemp(name)) for name in ("plain", "odd")))
    steps = ("sample", "ingest", "read_images", "label", "train", "enrich")
    registry = (
        f"registry.tracking_uri=sqlite:///{both.plain.folder}/mlflow.db",
        f"registry.artifacts={both.plain.folder}/mlflow",
    )
    first = both.plain.run(*SETTINGS, steps=steps)
    assert first.returncode == 0, first.stderr[-4000:]
    second = both.odd.run(*SETTINGS, *registry, "sample.odd=true", steps=("sample", "ingest", "read_images", "enrich"))
    assert second.returncode == 0, second.stderr[-4000:]
    return both


def answers(night):
    found = {(row["product_id"], row["attribute"]): row for row in night.rows("predictions")}
    assert len(found) == night.table("predictions").num_rows
    return found


def test_the_thousand_have_the_same_predictions_as_without(nights):
    plain, with_odd = answers(nights.plain), answers(nights.odd)

    assert len({product_id for product_id, _ in plain}) == 1000
    for pair, row in plain.items():
        assert {name: with_odd[pair][name] for name in ANSWER} == {name: row[name] for name in ANSWER}
        assert with_odd[pair]["score"] == pytest.approx(row["score"], abs=ROUNDING)


def test_ten_are_answered_from_what_is_left(nights):
    asked = Counter(product_id for product_id, _ in answers(nights.odd) if product_id.startswith("ODD-A"))
    errors = [row["reason"] for row in nights.odd.rows("predictions") if row["state"] == "error"]

    assert len(asked) == 10
    assert set(asked.values()) == {5}
    assert errors == []


@pytest.mark.parametrize("one", odd.refused(READ, FEATURES), ids=lambda one: one.name)
def test_ten_land_in_quarantine_with_a_reason_that_names_the_thing(nights, one):
    marks = [product.get("product_id", "the seller's identifier") for product in one.products]
    marks += [mark.replace("ODD-", "odd/") for mark in marks]  # what was read of its picture names the picture

    rows = [row for row in nights.odd.rows("quarantine") if any(mark in row["key"] + row["reason"] for mark in marks)]

    reasons = [row["reason"] for row in rows]
    assert len(rows) == 1, one.name
    assert any(one.names in reason for reason in reasons), reasons


def test_nothing_else_lands_in_quarantine(nights):
    assert nights.odd.table("quarantine").num_rows == 10
