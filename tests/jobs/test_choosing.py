"""Whose answers go out: by recall through open gates, by what conf names, and what conf may not name."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest

from extractor.errors import ConfigError, ModelError
from extractor.records import Definition
from jobs import choosing, config, train
from jobs.choosing import Candidate
from jobs.config import Choice, Drift, Limits, Publish, StatesOf
from jobs.inputs import Schemas
from jobs.pinned import Pinned
from jobs.standing import standing
from schemas.decisions import DECISIONS
from schemas.enums import Support
from schemas.gates import GATES
from tests.jobs import shelf
from tests.jobs.shelf import definition, example, product, settings, stock

READS = Schemas(ocr="", features="")
PAM, MXT = (Pinned(name, f"{name}/1", Path(), "hash", READS) for name in ("pam", "mxt"))
TEA, OIL = ("tea", "brand"), ("oil", "brand")
KNOWN = [
    Definition(product_type="tea", attribute="brand", question="?"),
    Definition(product_type="oil", attribute="brand", question="?"),
]
BOTH = [Candidate(Choice(model="pam"), PAM), Candidate(Choice(model="mxt"), MXT)]


@pytest.mark.parametrize(
    ("recalls", "winner"),
    [
        ({}, PAM),  # no gate is open: the first named
        ({("mxt/1", TEA): 0.2}, MXT),
        ({("pam/1", TEA): 0.3, ("mxt/1", TEA): 0.2}, PAM),
        ({("pam/1", TEA): 0.2, ("mxt/1", TEA): 0.3}, MXT),
        ({("pam/1", TEA): 0.3, ("mxt/1", TEA): 0.3}, PAM),  # of equals the first named
        ({("mxt/1", TEA): 0.0}, MXT),  # open, though it lets nothing through right
        ({("mxt/1", OIL): 0.9}, PAM),  # a gate of another product type
    ],
)
def test_the_open_gate_of_higher_recall_decides(recalls, winner):
    assert choosing.choose(BOTH, KNOWN, recalls)[TEA] == winner


def test_a_model_publishes_only_where_its_entry_names_the_pair():
    oils = [Candidate(Choice(model="pam"), PAM), Candidate(Choice(model="mxt", product_types=("oil",)), MXT)]

    chosen = choosing.choose(oils, KNOWN, {("mxt/1", TEA): 0.9, ("mxt/1", OIL): 0.9})

    assert chosen == {TEA: PAM, OIL: MXT}


def test_a_model_is_asked_where_an_entry_names_it_and_everything_if_none_does():
    choices = [Choice(model="pam"), Choice(model="mxt", product_types=("oil",), attributes=("brand",))]

    assert choosing.questions(choices, "mxt", KNOWN) == [OIL]
    assert choosing.questions(choices, "pam", KNOWN) == [TEA, OIL]
    assert choosing.questions(choices, "look-up", KNOWN) == [TEA, OIL]
    assert choosing.questions([], "mxt", KNOWN) == [TEA, OIL]


@pytest.mark.parametrize(
    ("choices", "found", "expected"),
    [
        ([Choice(model="pam", product_types=("tee",))], "product type 'tee'", "one of oil, tea"),
        ([Choice(model="pam", attributes=("band",))], "attribute 'band'", "one of brand"),
        ([Choice(model="pam", product_types=("tea",))], "no model for brand of oil", "at least one for each"),
    ],
)
def test_an_entry_that_cannot_be_meant_is_refused_by_name(choices, found, expected):
    with pytest.raises(ConfigError) as caught:
        choosing.check(choices, KNOWN)

    assert found in str(caught.value)
    assert expected in str(caught.value)


def test_an_exception_for_what_no_definition_has_is_refused():
    exception = StatesOf(states=("certified",), attributes=("colour",))

    with pytest.raises(ConfigError, match=r"publish\.states_of.*attribute 'colour'"):
        choosing.check_names("publish.states_of", exception, KNOWN)


def test_an_entry_whose_product_type_lacks_its_attribute_is_refused():
    known = [*KNOWN, Definition(product_type="oil", attribute="flavor", question="?")]

    with pytest.raises(ConfigError, match="an entry of mxt for nothing"):
        choosing.check(
            [Choice(model="pam"), Choice(model="mxt", product_types=("tea",), attributes=("flavor",))], known
        )


def test_entries_are_read_strictly_and_an_entry_may_be_a_name_alone():
    conf = config.load([config.BASE], ["publish.models=[{model: pam, product_types: [tea]}, {model: mxt, version: 3}]"])

    assert conf.publish.models == (Choice(model="pam", product_types=("tea",)), Choice(model="mxt", version=3))
    with pytest.raises(ConfigError, match=r"publish\.models\.0\.colour"):
        config.load([config.BASE], ["publish.models=[{model: pam, colour: red}]"])


def gate(version, support, recall, *, state="provisional", normaliser="1"):
    return {
        "gate_id": f"{version} {support}", "product_type": "tea", "attribute": "brand", "support": support,
        "model_version": version, "normaliser_version": normaliser, "calibrator": "{}", "target": 0.9,
        "threshold": None if state == "closed" else 0.8, "state": state, "reason": "test", "n": 9, "errors": 0,
        "num_judged": 9, "num_stated": 20, "recall": recall, "method": "by hand", "population": "none",
        "valid_from": shelf.NOON, "run_id": "calibrate-1",
    }  # fmt: skip


def publishes(*states: Literal["certified", "provisional"]):
    drift = Drift(smallest=30, distance=1.0, false_alarm=0.01, known=())
    limits = Limits(nights=0, least=1, volume=1.0, quarantined=1.0, unknown=1.0)
    return Publish(models=(), states=states, states_of=(), review_margin=0.1, drift=drift, limits=limits, dry_run=False)


def test_recalls_of_open_gates_add_up_and_closed_ones_are_none(tables):
    rows = [
        gate("a/1", str(Support.PRINTED), 0.25),
        gate("a/1", str(Support.INFERRED), 0.5),
        gate("b/1", str(Support.PRINTED), None, state="closed"),
        gate("c/1", str(Support.PRINTED), 0.5, normaliser="0"),  # nothing passes before it is calibrated again
        gate("d/1", str(Support.PRINTED), 0.5, state="certified"),
    ]
    frame = tables.rows(rows, GATES)

    assert choosing.recalls(frame, publishes("provisional", "certified")) == {("a/1", TEA): 0.75, ("d/1", TEA): 0.5}
    assert choosing.recalls(frame, publishes("certified")) == {("d/1", TEA): 0.5}


def decided(version, decision, minutes, *, input_hash="i"):
    at = shelf.NOON + timedelta(minutes=minutes)
    return {
        "product_id": "p", "attribute": "brand", "input_hash": input_hash, "model_version": version,
        "decode_config": "d", "product_type": "tea", "decision": decision, "reason": "test", "run_id": "r",
        "day": shelf.DAY, "decided_at": at,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("log", "stands"),
    [
        ([decided("a/1", "review", 1), decided("b/1", "review", 2)], ["b/1"]),
        # b/1 gave way later than a/1 was decided: its withdrawal says nothing of a/1
        ([decided("a/1", "review", 1), decided("b/1", "review", 2), decided("b/1", "withdrawn", 3)], ["a/1"]),
        ([decided("a/1", "published", 1), decided("a/1", "withdrawn", 2)], []),
        ([decided("a/1", "review", 1), decided("c/1", "review", 2)], ["a/1"]),  # c/1 may not publish
        ([decided("a/1", "review", 1), decided("b/1", "review", 2, input_hash="before")], ["a/1"]),
    ],
)
def test_what_stands_is_the_last_word_of_a_model_that_may_publish(tables, log, stands):
    inputs = tables.spark.createDataFrame(
        [("p", "brand", "i", version) for version in ("a/1", "b/1")],
        "product_id string, attribute string, input_hash string, model_version string",
    )

    found = standing(tables.rows(log, DECISIONS), inputs).collect()

    assert [row.model_version for row in found] == stands


def test_models_are_pinned_by_name_and_version(tables, tmp_path):
    tea = product("a", "Alba tea")
    stock(
        tables,
        products=[tea],
        attribute_definitions=[definition("tea", "brand")],
        examples=[example(tea, "brand", "Alba")],
    )
    train.main([*settings(tmp_path), "--set", "train.name=one"])

    def found(entries):
        sets = settings(tmp_path, f"publish.models={entries}")
        overrides = [sets[place + 1] for place, part in enumerate(sets) if part == "--set"]
        return choosing.candidates(config.load([config.BASE, "conf/local.yaml"], overrides))

    teas, rest = found("[{model: one, product_types: [tea]}, {model: one}]")
    assert teas.model == rest.model
    assert choosing.versions(choosing.models([teas, rest])) == "one/1"
    with pytest.raises(ModelError, match="no such model"):
        found("[{model: two}]")
    with pytest.raises(ModelError, match="no such version"):
        found("[{model: one, version: 2}]")
    with pytest.raises(ConfigError, match="versions of 'one' that differ"):
        found("[{model: one}, {model: one, version: 1}]")
