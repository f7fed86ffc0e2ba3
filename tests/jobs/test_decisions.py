"""What is decided about one answer: the first rule that holds, states by attribute, and what a kill switch fits."""

from datetime import UTC, datetime
from typing import Literal

from jobs import config, deciding, switches
from schemas.switches import SWITCHES

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
LATER = datetime(2026, 1, 16, 12, tzinfo=UTC)

ANSWERED = """
    product_id string, attribute string, input_hash string, model_version string, decode_config string,
    product_type string, support string, gate_id string, written string, confidence double, stated string,
    state string, reason string, threshold double, gate_state string, gate_reason string, normaliser_version string,
    inferable boolean, reached boolean, verdict string, right_value string, killed string, waits string,
    problem string, agrees boolean, says_none boolean, origin string
"""
PLAIN = {
    "attribute": "brand",
    "input_hash": "i",
    "model_version": "7",
    "decode_config": "d",
    "product_type": "tea",
    "support": "printed",
    "gate_id": "g",
    "written": "Alba",
    "confidence": 0.95,
    "state": "value",
    "threshold": 0.9,
    "gate_state": "provisional",
    "gate_reason": "too few",
    "normaliser_version": "1",
    "inferable": False,
    "reached": True,
}
"""A printed value above its gate, of which nobody has said anything."""
SELLER_AGREES = {"stated": "ALBA", "agrees": True, "says_none": False, "origin": "seller"}
SELLER_DIFFERS = {"stated": "Oru", "agrees": False, "says_none": False, "origin": "seller"}
SELLER_SAYS_NONE = {"stated": "n/a", "agrees": False, "says_none": True, "origin": "seller"}
CASES = {
    "scores below what was certified": (
        {"reached": False, "gate_state": "certified"},
        "review",
        "a little below the gate",
    ),
    "an auditor found it wrong": ({"verdict": "wrong"}, "abstained", "an auditor found it wrong"),
    "its batch waits": ({"waits": "drift: all is new"}, "review", "drift: all is new"),
    "its batch waits, seller agrees": (SELLER_AGREES | {"waits": "drift"}, "confirmed", "the seller says so too"),
    "killed": ({"killed": "wrong flavours"}, "abstained", "killed: wrong flavours"),
    "an auditor knows better": (
        {"verdict": "wrong", "right_value": "Oru"},
        "abstained",
        "an auditor found it wrong: Oru",
    ),
    "an auditor found it right": ({"verdict": "right"}, "published", "passes a gate that is provisional"),
    "above its gate": ({}, "published", "passes a gate that is provisional"),
    "exactly at its gate": ({"confidence": 0.9}, "published", "passes a gate that is provisional"),
    "certified": ({"gate_state": "certified"}, "published", "passes a gate that is certified"),
    "a little below": ({"confidence": 0.89}, "review", "a little below the gate"),
    "at the margin": ({"confidence": 0.5, "threshold": 0.625}, "review", "a little below the gate"),
    "below the margin": ({"confidence": 0.5, "threshold": 0.7}, "abstained", "below the gate"),
    "a little below, seller has it": (SELLER_AGREES | {"confidence": 0.89}, "abstained", "below the gate"),
    "a little below, no option": ({"confidence": 0.89, "problem": "odd"}, "abstained", "below the gate"),
    "above, no option": ({"problem": "'x' is no option", "written": None}, "review", "'x' is no option"),
    "seller agrees": (SELLER_AGREES, "confirmed", "the seller says so too"),
    "seller differs": (SELLER_DIFFERS, "review", "the seller says otherwise"),
    "seller says none": (SELLER_SAYS_NONE, "review", "the seller says that there is none"),
    "seller states nothing by null": (
        {"agrees": None, "says_none": True, "origin": "seller"},
        "review",
        "the seller says that there is none",
    ),
    "auditor agrees": (SELLER_AGREES | {"origin": "audit"}, "confirmed", "an auditor says so too"),
    "auditor differs": (SELLER_DIFFERS | {"origin": "audit"}, "review", "an auditor says otherwise"),
    "unknown": ({"state": "unknown", "support": None, "confidence": 0.99}, "abstained", "does not show it"),
    "truncated": ({"state": "truncated", "confidence": 0.99}, "abstained", "its value is a beginning"),
    "error": ({"state": "error", "reason": "a NaN box", "confidence": None}, "quarantined", "a NaN box"),
    "error without reason": ({"state": "error", "confidence": None}, "quarantined", "could not read this input"),
    "inferred": ({"support": "inferred"}, "abstained", "inferred, which this attribute may not be"),
    "inferred, inferable": ({"support": "inferred", "inferable": True}, "published", "passes a gate"),
    "closed": ({"gate_state": "closed", "threshold": None}, "abstained", "the gate is closed: too few"),
    "closed, seller agrees": (SELLER_AGREES | {"gate_state": "closed", "threshold": None}, "abstained", "closed"),
    "never calibrated": (
        {"gate_id": None, "gate_state": None, "gate_reason": None, "threshold": None, "confidence": None},
        "abstained",
        "nobody calibrated this group",
    ),
    "another normaliser": ({"normaliser_version": "0"}, "abstained", "measured with another normaliser"),
}
STILL = config.Drift(smallest=30, distance=1.0, false_alarm=0.01, known=())
ANYTHING = config.Limits(nights=0, least=1, volume=1.0, quarantined=1.0, unknown=1.0)


def settings(*states: Literal["certified", "provisional"], exceptions=()):
    return config.Publish(
        models=(), states=states, review_margin=0.125, states_of=exceptions, drift=STILL, limits=ANYTHING, dry_run=False
    )


def answered(spark, cases):
    return spark.createDataFrame([PLAIN | {"product_id": name} | case for name, case in cases.items()], ANSWERED)


def test_every_answer_is_decided_by_the_first_rule_that_holds(spark):
    frame = answered(spark, {name: case for name, (case, _, _) in CASES.items()})

    decided = deciding.decide(frame, settings("certified", "provisional")).collect()

    found = {row.product_id: row.decision for row in decided}
    assert found == {name: decision for name, (_, decision, _) in CASES.items()}
    reasons = {row.product_id: row.reason for row in decided}
    assert [name for name, (_, _, why) in CASES.items() if why not in reasons[name]] == []


def test_attributes_may_ask_more_of_a_gate_than_others(spark):
    frame = answered(spark, {"tea": {}, "soap": {"product_type": "soap"}, "color": {"attribute": "color"}})
    stricter = (
        config.StatesOf(states=("certified",), product_types=("tea",), attributes=("brand",)),
        config.StatesOf(states=("certified", "provisional"), attributes=("brand",)),
    )

    decided = deciding.decide(frame, settings("certified", exceptions=stricter)).collect()

    assert {row.product_id: row.decision for row in decided} == {
        "tea": "review",
        "soap": "published",
        "color": "review",
    }


def test_only_certified_gates_publish_where_conf_says_so(spark):
    frame = answered(
        spark,
        {"provisional": {}, "certified": {"gate_state": "certified"}, "provisional, seller agrees": SELLER_AGREES},
    )

    decided = deciding.decide(frame, settings("certified")).collect()

    found = {row.product_id: (row.decision, row.reason) for row in decided}
    assert found == {
        "provisional": ("review", "passes a gate that is only provisional"),
        "certified": ("published", "passes a gate that is certified"),
        "provisional, seller agrees": ("confirmed", "the seller says so too"),
    }


def test_a_switch_kills_what_fits_all_that_it_names(spark, tables):
    frame = spark.createDataFrame(
        [("tea", "brand", "7", "r1"), ("tea", "color", "7", "r1"), ("tea", "brand", "8", "r2")],
        "product_type string, attribute string, model_version string, answered_by string",
    )
    turns = [
        {"switch_id": "a", "attribute": "brand", "model_version": "7", "killed": True, "turned_at": NOON},
        {"switch_id": "b", "answered_by": "r2", "killed": True, "turned_at": NOON},
        {"switch_id": "b", "answered_by": "r2", "killed": False, "turned_at": LATER},
    ]
    rows = [turn | {"reason": f"switch {turn['switch_id']}", "run_id": "kill-1"} for turn in turns]

    found = switches.killed(frame, switches.in_force(tables.rows(rows, SWITCHES)).collect()).collect()

    assert [row.killed for row in found] == ["switch a", None, None]
