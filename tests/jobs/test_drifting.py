"""Poisoned nights: what has moved waits before any value goes out, what has not goes on."""

import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from extractor.normalise import NORMALISER_VERSION
from jobs import answers, config, publish, runs
from jobs.choosing import Candidate
from jobs.config import Choice
from jobs.inputs import Schemas
from jobs.pinned import Pinned
from jobs.tables import Tables
from schemas.attributes import ATTRIBUTES
from schemas.decisions import DECISIONS
from schemas.predictions import PREDICTIONS
from schemas.products import PRODUCTS
from schemas.review_queue import REVIEW_QUEUE
from tests.jobs import shelf

MODEL = Pinned("facetmill", "7", Path(), "hash", Schemas(ocr="", features=""))
CANDIDATES = [Candidate(Choice(model="facetmill"), MODEL)]
FIRST = datetime(2026, 1, 15, 12, tzinfo=UTC)
STRAIGHT = '{"intercept": 0.0, "kind": "logistic", "slope": 1.0}'
VALUES = {
    "flavor": ("mint", "lemon", "ginger", "rose"),
    "size": ("20 bags", "40 bags", "80 bags"),
    "roast": ("light", "medium", "dark"),
    "fruit": ("apple", "pear", "plum"),
    "scent": ("lavender", "olive", "rose"),
}
ATTRIBUTE_OF = {"tea": ("flavor", "size"), "coffee": ("roast",), "juice": ("fruit",), "soap": ("scent",)}
FIRST_NIGHT = {"tea": 60, "coffee": 50, "juice": 50, "soap": 40}
LATER_NIGHTS = {"tea": 50, "coffee": 40, "juice": 40, "soap": 15}
"""New products: soaps are too few then to be judged alone."""


def num_answers(products):
    return sum(num * len(ATTRIBUTE_OF[name]) for name, num in products.items())


def honest(product_id, attribute):
    """What the model says of a product on a good night: value, score, sources."""
    number = int(product_id[-3:])
    values = VALUES[attribute]
    return values[number % len(values)], 0.95 + 0.04 * (number % 5) / 5, ["title"] if number % 3 else ["ocr"]


def poisoned(product_id, attribute):
    """Another model answers flavors and scents, roasts are of another type, juices have no OCR; sizes are good."""
    value, score, sources = honest(product_id, attribute)
    if attribute in ("flavor", "scent"):
        return VALUES[attribute][0], 0.999, ["vocabulary"]
    if attribute == "roast":
        return VALUES["flavor"][int(product_id[-3:]) % 4], score, sources
    if attribute == "fruit" and sources == ["ocr"]:
        return None, 0.9, []
    return value, score, sources


def gate(product_type, attribute):
    return {
        "gate_id": f"g-{attribute}", "product_type": product_type, "attribute": attribute, "support": "printed",
        "model_version": "7", "normaliser_version": NORMALISER_VERSION, "calibrator": STRAIGHT, "target": 0.9,
        "threshold": 0.9, "state": "certified", "reason": "for the test", "n": 60, "errors": 0, "num_judged": 60,
        "num_stated": 60, "recall": 0.5, "method": "by hand", "population": "none", "valid_from": FIRST,
        "run_id": "calibrate-1",
    }  # fmt: skip


def answer(pair, title, said, at):
    value, score, sources = said
    evidence = [] if value is None else [
        {"word": word, "source": sources[0], "start": 0, "end": len(word)} for word in value.split()
    ]  # fmt: skip
    return {
        "product_id": pair.product_id, "attribute": pair.attribute, "input_hash": pair.input_hash,
        "model_version": "7", "decode_config": "d", "product_type": pair.product_type, "model_name": "facetmill",
        "state": "unknown" if value is None else "value", "value": value, "score": score,
        "support": None if value is None else "printed", "evidence": evidence, "run_id": f"enrich-{at:%d}",
        "chunk_id": 0, "day": at.date(), "predicted_at": at - timedelta(hours=1),
    }  # fmt: skip


def night(tables, day, model, products, *, changed=False):
    """New products arrive, ten pages of each type change, the model answers, publish runs."""
    at = FIRST + timedelta(days=day)
    new = [
        shelf.product(f"{name}-{day}-{number:03d}", f"{name} of day {day}, number {number}", product_type=name)
        for name, num in products.items()
        for number in range(num)
    ]
    tables.append(tables.rows(new, PRODUCTS), PRODUCTS, txn=f"products:{day}")
    if changed:
        pages = tables.read(PRODUCTS).where("product_id LIKE '%-0-00_'").collect()
        newer = [row.asDict() | {"title": f"{row.title}, day {day}"} for row in pages]
        tables.upsert(tables.rows(newer, PRODUCTS), PRODUCTS)
    known = {row.input_hash for row in tables.read_or_empty(PREDICTIONS).select("input_hash").collect()}
    pairs = [pair for pair in answers.asked(tables, MODEL).pairs.collect() if pair.input_hash not in known]
    rows = [answer(pair, "", model(pair.product_id, pair.attribute), at) for pair in pairs]
    tables.append(tables.rows(rows, PREDICTIONS), PREDICTIONS, txn=f"enrich:{day}")
    return publish_at(tables, at)


def publish_at(tables, at, *overrides: str):
    conf = config.load([config.BASE, "conf/local.yaml", "conf/test.yaml"], overrides)
    job = runs.Job(
        name="publish", id=f"publish-{at:%d%H%M}", day=at.date(), conf=conf, spark=tables.spark, tables=tables,
        started_at=at,
    )  # fmt: skip
    publish.publish(job, CANDIDATES)
    return job


@pytest.fixture(scope="module")
def first(spark, tmp_path_factory):
    """A warehouse after a first, good night whose answers earned the gates."""
    tables = Tables(spark, str(tmp_path_factory.mktemp("first")))
    asked = [(name, attribute) for name, attributes in ATTRIBUTE_OF.items() for attribute in attributes]
    shelf.stock(
        tables,
        attribute_definitions=[shelf.definition(*one) for one in asked],
        catalog_attributes=[],
        gates=[gate(*one) for one in asked],
    )
    job = night(tables, 0, honest, FIRST_NIGHT)
    assert job.counts["published"] == num_answers(FIRST_NIGHT)
    return tables


@pytest.fixture
def tables(first, tmp_path):
    """A copy of it."""
    shutil.copytree(first.root, tmp_path / "warehouse")
    return Tables(first.spark, str(tmp_path / "warehouse"))


def published(tables, day):
    rows = tables.read(ATTRIBUTES).where(f"product_id LIKE '%-{day}-%'").collect()
    return {(row.product_id, row.attribute): row.value for row in rows}


def waiting(tables):
    return {row.attribute for row in tables.read(REVIEW_QUEUE).where("reason LIKE 'drift:%'").collect()}


@pytest.mark.slow  # several whole runs of a job
def test_a_good_night_goes_out(tables):
    job = night(tables, 1, honest, LATER_NIGHTS)

    assert job.counts["waiting"] == 0
    assert len(published(tables, 1)) == num_answers(LATER_NIGHTS)


@pytest.mark.slow  # several whole runs of a job
def test_what_is_poisoned_waits_till_somebody_knows_and_all_else_goes_on(tables):
    before = published(tables, 0)

    job = night(tables, 1, poisoned, LATER_NIGHTS, changed=True)

    assert {attribute for _, attribute in published(tables, 1)} == {"size"}
    assert waiting(tables) == {"flavor", "roast", "fruit", "scent"}
    assert job.counts["waiting"] > 100
    assert published(tables, 0) == before  # a value stays while the new answer to its changed page waits, `unknown` too
    kept = tables.read(DECISIONS).where("reason LIKE 'kept, for the answer of 7 waits: drift:%'").collect()
    assert Counter(row.attribute for row in kept) == {"flavor": 10, "roast": 10, "fruit": 10, "scent": 10}

    again = publish_at(tables, FIRST + timedelta(days=1, hours=1))
    assert again.counts["new_decisions"] == 0  # it waits as long as nothing changes

    publish_at(tables, FIRST + timedelta(days=2), "publish.drift.known=[{day: 2026-01-16}]")
    assert waiting(tables) == set()
    assert {attribute for _, attribute in published(tables, 1)} == set(VALUES)


def test_a_dry_run_says_what_would_change_and_changes_nothing(tables, capsys):
    version = tables.version(ATTRIBUTES), tables.version(DECISIONS)

    publish_at(tables, FIRST + timedelta(days=1), "publish.dry_run=true", "publish.states=[provisional]")

    told = capsys.readouterr().err
    assert "soap, scent: 0 appear, 40 disappear, 0 change, 0 stay" in told
    assert f"values in all: 0 appear, {num_answers(FIRST_NIGHT)} disappear, 0 change, 0 stay" in told
    assert (tables.version(ATTRIBUTES), tables.version(DECISIONS)) == version
