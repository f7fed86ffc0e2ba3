"""Rules of the warehouse: a sound one holds them all, and each rule finds the row that was made to break it."""

from datetime import UTC, date, datetime

from jobs import verify
from schemas.attribute_definitions import ATTRIBUTE_DEFINITIONS
from schemas.attributes import ATTRIBUTES
from schemas.catalog_attributes import CATALOG_ATTRIBUTES
from schemas.decisions import DECISIONS
from schemas.gates import GATES
from schemas.predictions import PREDICTIONS
from schemas.products import PRODUCTS
from schemas.review_queue import REVIEW_QUEUE
from schemas.runs import RUNS
from tests.jobs import shelf

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
DAY = date(2026, 1, 15)
NAMES = ("twice", "gone", "waits", "left", "low", "shut", "other", "sold")
GATE = {
    "product_type": "tea", "attribute": "brand", "support": "printed", "model_version": "m/1",
    "normaliser_version": "1", "calibrator": "{}", "target": 0.9, "threshold": 0.9, "state": "certified",
    "reason": "for the test", "n": 9, "errors": 0, "num_judged": 9, "num_stated": 20, "recall": 0.5,
    "method": "by hand", "population": "none", "valid_from": NOON, "run_id": "calibrate-1",
}  # fmt: skip


def rows_of(product, decision="published", confidence=0.95):
    """A prediction, its decision, and the row of a current table that follows from it."""
    answer = {
        "product_id": product, "attribute": "brand", "input_hash": "h", "model_version": "m/1", "decode_config": "d",
    }  # fmt: skip
    made = {"run_id": "r", "day": DAY}
    evidence = [{"word": "Alba", "source": "title", "start": 0, "end": 4}]
    predicted = answer | made | {
        "product_type": "tea", "model_name": "m", "state": "value", "value": "ALBA", "score": 0.9,
        "support": "printed", "evidence": evidence, "chunk_id": 0, "predicted_at": NOON,
    }  # fmt: skip
    decided = answer | made | {
        "product_type": "tea", "support": "printed", "gate_id": "open", "value": "Alba", "confidence": confidence,
        "decision": decision, "reason": "for the test", "decided_at": NOON,
    }  # fmt: skip
    shown = decided | {
        "value_as_read": "ALBA", "evidence": evidence, "gate_state": "certified", "published_at": NOON,
    }  # fmt: skip
    return predicted, decided, shown


def fill(tables, table, rows):
    kept = [{name: value for name, value in row.items() if name in table.columns} for row in rows]
    tables.append(tables.rows(kept, table), table, txn="test")


def stock(tables, predictions, decisions, attributes, reviews, *, sellers=()):
    fill(tables, RUNS, [shelf.published("m/1")])
    fill(tables, ATTRIBUTE_DEFINITIONS, [shelf.definition("tea", "brand")])
    fill(tables, PRODUCTS, [shelf.product(row["product_id"], "a tea") for row in decisions])
    fill(tables, GATES, [GATE | {"gate_id": "open"}, GATE | {"gate_id": "shut", "state": "closed", "threshold": None}])
    for table, rows in (
        (PREDICTIONS, predictions), (DECISIONS, decisions), (ATTRIBUTES, attributes), (REVIEW_QUEUE, reviews),
        (CATALOG_ATTRIBUTES, sellers),
    ):  # fmt: skip
        fill(tables, table, rows)


def test_a_sound_warehouse_breaks_no_rule(tables):
    (one, two, three) = rows_of("a"), rows_of("b"), rows_of("c", "review", 0.8)
    older_page = rows_of("a", "review", 0.8)[1] | {"input_hash": "older"}
    retired = rows_of("b", "review", 0.8)[1] | {"model_version": "m/0"}
    decided = [one[1], two[1], three[1], older_page, retired]

    stock(tables, [one[0], two[0], three[0]], decided, [one[2], two[2]], [three[2]])

    assert list(verify.broken(verify.rules(tables))) == []
    assert list(verify.unreadable(tables)) == []


def test_each_rule_finds_what_breaks_it(tables):
    sold = {"product_id": "sold", "attribute": "brand", "origin": "seller", "observed_at": NOON, "value": "Oru"}
    twice, gone, waits, left = rows_of("twice"), rows_of("gone"), rows_of("waits", "review"), rows_of("left", "review")
    low, shut, other, seller = rows_of("low", confidence=0.5), rows_of("shut"), rows_of("other"), rows_of("sold")
    shut = tuple(row | {"gate_id": "shut"} for row in shut)
    predicted = [rows[0] for rows in (twice, twice, gone, waits, left, low, shut, other, seller)]
    decided = [rows[1] for rows in (twice, gone, waits, low, shut, other, seller)]
    attributes = [twice[2], twice[2], low[2], shut[2], other[2] | {"value_as_read": "Oru", "value": "Oru"}, seller[2]]

    stock(tables, predicted, decided, attributes, [left[2]], sellers=[sold | {"run_id": "r"}])

    found = {line.split(", but ")[0]: line for line in verify.broken(verify.rules(tables))}
    products = {says: {name for name in NAMES if f"product_id {name}," in line} for says, line in found.items()}
    assert products == {
        "an answer stands in predictions once": {"twice"},
        "a pair is published once": {"twice"},
        "a published value is an answer as it was read": {"other"},
        "a published value is what was decided last": {"other"},
        "what was decided to be published is": {"gone", "other"},
        "what waits for review was decided last": {"left"},
        "a pair whose answers were all decided to wait for review does": {"waits"},
        "a published value passes its gate": {"low", "shut"},
        "no value of a seller or an auditor is replaced": {"sold"},
    }
