"""Gates: who is judged by whom, which groups open, and that calibrating again appends nothing."""

from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

from extractor.calibration import Calibrator, from_json
from extractor.certificates import Promise
from extractor.records import Definition
from jobs import answers, calibrate, config, runs
from jobs.config import Calibrate, Certify
from jobs.inputs import Schemas
from jobs.pinned import Pinned
from schemas.attribute_definitions import ATTRIBUTE_DEFINITIONS
from schemas.catalog_attributes import CATALOG_ATTRIBUTES
from schemas.enums import Support
from schemas.examples import EXAMPLES
from schemas.gates import GATES
from schemas.predictions import PREDICTIONS
from schemas.products import PRODUCTS

MODEL = Pinned("facetmill", "7", Path(), "hash", Schemas(ocr="", features=""))
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
LATER = datetime(2026, 1, 16, 12, tzinfo=UTC)
CERTIFY = Certify(delta=0.05, promise=Promise.PER_GATE, starts=1, cannot_tell_is_wrong=True, collusion=0.1)
SETTINGS = Calibrate(split="calibration", min_judged=8, prior_strength=20.0, certify=CERTIFY, dry_run=False)
BRAND = Definition(product_type="tea", attribute="brand", question="Which brand?")
FORM = Definition(product_type="tea", attribute="form", question="Which form?", inferable=True, precision_target=0.8)


def evidence(*groups: tuple[str, str, int, int]):
    """Judged answers of (attribute, support, right, wrong), all with the same score."""
    rows = [
        ("tea", attribute, support, 0.95, right)
        for attribute, support, num_right, num_wrong in groups
        for right in [True] * num_right + [False] * num_wrong
    ]
    return pd.DataFrame(rows, columns=["product_type", "attribute", "support", "score", "right"])


def made(frame, *definitions: Definition):
    stated = {("tea", definition.attribute): 200 for definition in definitions}
    gates = calibrate.make(frame, stated, definitions, "7", SETTINGS)
    return {(gate["attribute"], gate["support"]): gate for gate in gates}


def test_a_small_group_is_calibrated_by_its_attribute_over_other_product_types():
    rows = [
        (kind, attribute, "printed", 0.95, right)
        for kind, attribute, num_right, num_wrong in (
            ("tea", "brand", 200, 0), ("soap", "brand", 1, 0), ("tea", "form", 60, 140), ("soap", "form", 1, 0),
        )
        for right in [True] * num_right + [False] * num_wrong
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["product_type", "attribute", "support", "score", "right"])
    definitions = [
        Definition(product_type=kind, attribute=name, question="?")
        for kind in ("soap", "nut")
        for name in ("brand", "form")
    ]

    gates = list(calibrate.make(frame, {}, definitions, "7", SETTINGS))

    sure = {
        (gate["product_type"], gate["attribute"]): from_json(gate["calibrator"])([0.95])[0]
        for gate in gates
        if gate["support"] == "printed"
    }
    # One right answer each: what tells them apart is how the attribute fares elsewhere.
    for kind in ("soap", "nut"):
        assert sure[kind, "brand"] > 0.9
        assert sure[kind, "form"] < 0.6


def test_every_group_has_a_gate_with_or_without_evidence():
    gates = made(evidence(("brand", "printed", 30, 1)), BRAND, FORM)

    assert {group: (gate["state"], gate["reason"]) for group, gate in gates.items() if gate["state"] == "closed"} == {
        ("brand", "inferred"): ("closed", "the definition publishes no inferred value"),
        ("form", "printed"): ("closed", "0 judged answers, at least 8 needed"),
        ("form", "inferred"): ("closed", "0 judged answers, at least 8 needed"),
    }
    assert gates["brand", "printed"]["state"] == "provisional"


def test_a_gate_says_what_it_was_made_of():
    gate = made(evidence(("brand", "printed", 30, 1)), BRAND)["brand", "printed"]

    assert (gate["n"], gate["errors"], gate["num_judged"]) == (31, 1, 31)
    assert (gate["target"], gate["model_version"], gate["normaliser_version"]) == (0.9, "7", "1")
    assert gate["threshold"] == from_json(gate["calibrator"])([0.95])[0]
    assert gate["bound"] is None


@pytest.mark.parametrize(
    ("num_right", "num_wrong", "state", "reason"),
    [
        (7, 0, "closed", "7 judged answers, at least 8 needed"),
        (8, 0, "provisional", "agreement with sellers"),
        (11, 1, "provisional", "agreement with sellers"),
        (8, 8, "closed", "no threshold keeps 0.9"),
    ],
)
def test_a_small_group_opens_by_its_own_answers_and_the_pools(num_right, num_wrong, state, reason):
    frame = evidence(("brand", "printed", num_right, num_wrong), ("other", "printed", 190, 10))

    gate = made(frame, BRAND)["brand", "printed"]

    assert gate["state"] == state
    assert reason in gate["reason"]
    assert (gate["threshold"] is None) is (state == "closed")
    assert gate["num_judged"] == num_right + num_wrong


def test_the_target_is_the_definitions():
    gates = made(evidence(("brand", "printed", 85, 15), ("form", "printed", 85, 15)), BRAND, FORM)

    assert gates["brand", "printed"]["state"] == "closed"
    assert gates["form", "printed"]["state"] == "provisional"


def test_printed_and_inferred_values_earn_trust_apart():
    gates = made(evidence(("form", "printed", 50, 1), ("form", "inferred", 10, 40)), FORM)

    assert gates["form", "printed"]["state"] == "provisional"
    assert gates["form", "inferred"]["state"] == "closed"


def test_a_gate_knows_the_share_of_stated_values_that_it_lets_through_right():
    frame = evidence(("brand", "printed", 30, 1), ("form", "printed", 1, 0))

    gates = made(frame, BRAND, FORM)

    found = {group: (gate["num_stated"], gate["recall"]) for group, gate in gates.items()}
    assert found["brand", "printed"] == (200, 30 / 200)
    assert found["form", "printed"] == (200, None)  # closed


def test_a_gate_is_new_only_when_its_content_is():
    calibrator = Calibrator()
    few, more = evidence(("brand", "printed", 30, 1)), evidence(("brand", "printed", 40, 1))
    first = calibrate.gate(BRAND, Support.PRINTED, calibrator, few, SETTINGS, num_stated=50)
    other = calibrate.gate(BRAND, Support.PRINTED, calibrator, more, SETTINGS, num_stated=50)
    stored = calibrate.named(first, None)
    assert stored is not None

    again = calibrate.named(first, stored | {"valid_from": NOON, "run_id": "r"})
    changed = calibrate.named(other, stored)
    assert changed is not None
    back = calibrate.named(first, changed)

    assert again is None
    assert back is not None
    assert len({stored["gate_id"], changed["gate_id"], back["gate_id"]}) == 3


ASKED = (
    "product_id string, product_type string, attribute string, state string, value string, score double, support string"
)
STATED = "product_id string, attribute string, origin string, stated string"


@pytest.mark.parametrize(
    ("state", "value", "stated", "expected"),
    [
        ("value", "ALBA", "Alba", [True]),
        ("value", "Oru", "Alba", [False]),
        ("value", "Alba", "n/a", [False]),  # the seller says that there is none
        ("value", "Alba", None, [False]),
        ("truncated", "Alba", "Alba", []),
        ("unknown", None, "Alba", []),
    ],
)
def test_an_answer_with_a_value_is_judged_by_what_the_seller_says(spark, state, value, stated, expected):
    current = spark.createDataFrame(
        [("p1", "tea", "brand", state, value, 0.9, "printed"), ("p2", "tea", "brand", "value", "Alba", 0.9, "printed")],
        ASKED,
    )
    sellers = spark.createDataFrame([("p1", "brand", "seller", stated), ("p2", "brand", "seller", "Alba")], STATED)
    split = spark.createDataFrame([("p1",)], "product_id string")
    pairs = current.select("product_id", "product_type", "attribute")
    asked = answers.Asked(pairs, split, split, [BRAND])

    judges = calibrate.judging(sellers, split, pairs, unknown_words=["n/a"])
    found = calibrate.judged(current, judges, asked).collect()

    assert [row.right for row in found] == expected


def catalogue(tables):
    """Twelve teas; ten of them in the calibration split, with answers that their sellers confirm but for one."""
    numbers = range(12)
    products = [
        {
            "product_id": f"p{i}",
            "content_hash": "c",
            "is_current": True,
            "product_type": "tea",
            "locale": "en-US",
            "family_id": f"f{i}",
            "title": f"Alba tea {i}",
            "bullets": [],
            "source": "test",
            "updated_at": NOON,
            "run_id": "ingest-1",
        }
        for i in numbers
    ]
    definition = {
        "product_type": "tea",
        "attribute": "brand",
        "question": "Which brand?",
        "kind": "text",
        "options": None,
        "inferable": False,
        "pictures": "all",
        "precision_target": 0.8,
    }
    said = [("seller", "Alba" if i else "Oru") for i in numbers] + [("model:6", "Alba")]
    values = [
        {
            "product_id": f"p{i % 12}",
            "attribute": "brand",
            "origin": origin,
            "observed_at": NOON,
            "value": value,
            "run_id": "ingest-1",
        }
        for i, (origin, value) in enumerate(said)
    ]
    examples = [
        {
            "examples_id": examples_id,
            "product_id": f"p{i}",
            "attribute": "brand",
            "product_type": "tea",
            "content_hash": "c",
            "family_id": f"f{i}",
            "split": split,
            "kept": True,
            "reach": ["title"],
            "run_id": run_id,
        }
        for i in numbers
        for examples_id, run_id, split in (
            ("old", "label-2026-01-14-a", "train"),
            ("new", "label-2026-01-15-a", "calibration" if i < 10 else "test"),
        )
    ]
    tables.append(tables.rows(products, PRODUCTS), PRODUCTS, txn="a")
    tables.append(tables.rows([definition], ATTRIBUTE_DEFINITIONS), ATTRIBUTE_DEFINITIONS, txn="a")
    tables.append(tables.rows(values, CATALOG_ATTRIBUTES), CATALOG_ATTRIBUTES, txn="a")
    tables.append(tables.rows(examples, EXAMPLES), EXAMPLES, txn="a")
    predictions = [
        {
            "product_id": pair.product_id,
            "attribute": "brand",
            "input_hash": pair.input_hash,
            "model_version": version,
            "decode_config": "d",
            "product_type": "tea",
            "model_name": "facetmill",
            "state": "value",
            "value": "Alba" if version == "7" else "Wrong",
            "score": 0.95,
            "support": "printed",
            "evidence": [],
            "run_id": "enrich-1",
            "chunk_id": 0,
            "day": date(2026, 1, 15),
            "predicted_at": NOON,
        }
        for pair in answers.asked(tables, MODEL).pairs.collect()
        for version in ("6", "7")
    ]
    tables.append(tables.rows(predictions, PREDICTIONS), PREDICTIONS, txn="a")


def run(tables, name, at):
    conf = config.load([config.BASE, "conf/local.yaml", "conf/test.yaml"], ["calibrate.min_judged=8"])
    job = runs.Job(
        name="calibrate", id=name, day=at.date(), conf=conf, spark=tables.spark, tables=tables, started_at=at
    )
    calibrate.calibrate(job, MODEL)
    return job


def test_calibrating_again_appends_nothing(tables):
    catalogue(tables)

    first = run(tables, "calibrate-1", NOON)
    version = tables.version(GATES)
    again = run(tables, "calibrate-2", LATER)

    states = {"certified": 0, "provisional": 1, "closed": 1}
    assert first.counts == {"judged": 10, "right": 9, "gates": 2, "new": 2} | states
    assert again.counts == {"judged": 10, "right": 9, "gates": 2, "new": 0} | states
    assert tables.version(GATES) == version
    gates = tables.read(GATES).orderBy("support").collect()
    assert [(gate.support, gate.state, gate.num_judged, gate.run_id) for gate in gates] == [
        ("inferred", "closed", 0, "calibrate-1"),
        ("printed", "provisional", 10, "calibrate-1"),
    ]
    assert [(gate.num_stated, gate.recall) for gate in gates] == [(10, None), (10, 0.9)]


def test_the_newest_gate_of_a_group_and_a_model_version_is_in_force(tables):
    calibrator = Calibrator()
    judged = evidence(("brand", "printed", 30, 1))
    gates = [
        calibrate.gate(BRAND, Support.PRINTED, calibrator, judged, SETTINGS, num_stated=50)
        | {"model_version": version, "gate_id": gate_id, "valid_from": at, "run_id": "r"}
        for version, gate_id, at in (("7", "old", NOON), ("7", "new", LATER), ("6", "other", LATER))
    ]

    found = answers.in_force(tables.rows(gates, GATES), MODEL).collect()

    assert [gate.gate_id for gate in found] == ["new"]
