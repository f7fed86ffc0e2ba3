"""Evaluation: the truth is checked, splits hold, answers are judged, an evaluation is appended once."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from extractor import metrics
from extractor.errors import ContractError
from extractor.evaluation import Slice
from extractor.labels import Config as Labels
from extractor.labels import split_of
from jobs import answers, config, evaluate, runs
from jobs.evaluate import Fact
from jobs.inputs import Schemas
from jobs.pages import findings
from jobs.pinned import Pinned
from schemas.attribute_definitions import ATTRIBUTE_DEFINITIONS
from schemas.decisions import DECISIONS
from schemas.examples import EXAMPLES
from schemas.gates import GATES
from schemas.predictions import PREDICTIONS
from schemas.products import PRODUCTS
from schemas.scores import SCORES
from schemas.truth import TRUTH

PAM = Pinned("facetmill", "7", Path(), "hash", Schemas(ocr="", features=""))
LOOK_UP = Pinned("look-up", "1", Path(), "hash", Schemas(ocr="", features=""))
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
DAY = date(2026, 1, 15)


def true(product_id, attribute, values, stands="title", split=None):
    return {
        "product_id": product_id, "attribute": attribute, "product_type": "tea", "values": values,
        "stands": stands, "split": split,
    }  # fmt: skip


TEA = [
    true("p1", "brand", ["Alba"], split="test"),
    true("p1", "flavor", ["mint", "peppermint"], "pack", split="test"),
    true("p2", "brand", [], "unknown", split="test"),
    true("p2", "flavor", ["rose"], split="test"),
    true("p3", "brand", ["Oru"], split="calibration"),
    true("p3", "flavor", ["lime"], split="calibration"),
]


def write_truth(folder, rows, schema=TRUTH.schema):
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "truth.parquet")
    return str(folder)


def test_a_missing_truth_is_one_clear_message(spark, tmp_path):
    with pytest.raises(ContractError, match=r"truth at .*truth\.parquet: found no readable Parquet"):
        evaluate.read_truth(spark, str(tmp_path))


@pytest.mark.parametrize(
    ("row", "found"),
    [
        (true("p", "brand", [], "title"), "'stands': 'title'"),
        (true("p", "brand", ["Alba"], "unknown"), "'stands': 'unknown'"),
        (true("p", "brand", ["Alba"], "shelf"), "'stands': 'shelf'"),
        (true("p", "brand", ["Alba"], split="exam"), "'split': 'exam'"),
        (TEA[0], "'count': 2"),
    ],
)
def test_a_truth_that_breaks_its_contract_is_refused_by_the_row(spark, tmp_path, row, found):
    folder = write_truth(tmp_path, [*TEA, row])

    with pytest.raises(ContractError, match=found):
        evaluate.read_truth(spark, folder)


def test_a_truth_of_other_columns_is_refused(spark, tmp_path):
    folder = write_truth(tmp_path, [{"product_id": "p"}], pa.schema([("product_id", pa.string())]))

    with pytest.raises(ContractError, match="expected struct<product_id:string,attribute:string"):
        evaluate.read_truth(spark, folder)


def example(examples_id, family_id, split):
    return {
        "examples_id": examples_id, "product_id": "px", "attribute": "brand", "product_type": "tea",
        "content_hash": "c", "family_id": family_id, "raw_value": "x", "value": "x", "split": split, "kept": True,
        "reach": [], "run_id": f"label-{examples_id}",
    }  # fmt: skip


def product(product_id, title="tea"):
    return {
        "product_id": product_id, "content_hash": title, "is_current": True, "product_type": "tea",
        "locale": "en-US", "family_id": f"family {product_id}", "title": title, "bullets": [], "source": "test",
        "updated_at": NOON, "run_id": "ingest-1",
    }  # fmt: skip


def test_a_fact_has_the_split_of_the_truth_else_of_the_newest_labels_else_of_its_family(tables):
    truth = [true("p1", "brand", ["a"], split="test"), true("p2", "brand", ["a"]), true("p3", "brand", ["a"])]
    labelled = [example("1", "family p2", "train"), example("2", "family p2", "validation")]
    products = tables.rows([product("p1"), product("p2"), product("p3")], PRODUCTS)

    rows = evaluate.with_families(tables.rows(truth, TRUTH), products, tables.rows(labelled, EXAMPLES))
    facts = evaluate.facts_of(rows, Labels())

    assert [fact.split for fact in facts] == ["test", "validation", split_of("family p3", Labels())]


def test_the_truth_of_a_product_that_the_catalogue_has_not_is_left_out(tables):
    truth = tables.rows([true("gone", "brand", ["a"]), true("p1", "brand", ["a"])], TRUTH)

    rows = evaluate.with_families(truth, tables.rows([product("p1")], PRODUCTS), tables.rows([], EXAMPLES))

    assert [fact.product_id for fact in evaluate.facts_of(rows, Labels())] == ["p1"]


def test_a_pair_that_was_never_answered_counts_as_nothing_said():
    facts = [Fact("p1", "brand", "tea", ("Alba",), "title", "test"), Fact("p2", "brand", "tea", (), "unknown", "test")]

    cells = evaluate.raw_cells(facts, [])["test"]

    assert [cell.outcome for cell in cells] == [metrics.Outcome.VN, metrics.Outcome.NN]


def prediction(model, pair, input_hash, value, score):
    return {
        "product_id": pair[0], "attribute": pair[1], "input_hash": input_hash, "model_version": model.version,
        "decode_config": "d", "product_type": "tea", "model_name": model.name,
        "state": "unknown" if value is None else "value", "value": value, "score": score,
        "support": None if value is None else "printed", "evidence": [], "run_id": "enrich-1", "chunk_id": 0,
        "day": DAY, "predicted_at": NOON,
    }  # fmt: skip


def decision(pair, input_hash, value, confidence, decided):
    return {
        "product_id": pair[0], "attribute": pair[1], "input_hash": input_hash, "model_version": PAM.version,
        "decode_config": "d", "product_type": "tea", "support": None if value is None else "printed",
        "gate_id": None if value is None else f"gate of {pair[1]}", "value": value, "confidence": confidence,
        "decision": decided, "reason": "for the test", "run_id": "publish-1", "day": DAY, "decided_at": NOON,
    }  # fmt: skip


def gate(attribute, threshold):
    return {
        "gate_id": f"gate of {attribute}", "product_type": "tea", "attribute": attribute, "support": "printed",
        "model_version": PAM.version, "normaliser_version": "1", "calibrator": "{}", "target": 0.9,
        "threshold": threshold, "state": "closed" if threshold is None else "provisional", "reason": "test", "n": 9,
        "errors": 0, "num_judged": 9, "num_stated": 9, "method": "by hand", "population": "none", "valid_from": NOON,
        "run_id": "calibrate-1",
    }  # fmt: skip


SAID = {
    ("p1", "brand"): ("Alba", 0.95, "published"),
    ("p1", "flavor"): ("Peppermint", 0.9, "published"),
    ("p2", "brand"): ("Fine", 0.97, "published"),  # sure and wrong: the page shows no brand
    ("p2", "flavor"): ("lime", 0.4, "abstained"),
    ("p3", "brand"): ("Oru", 0.8, "published"),
    ("p3", "flavor"): (None, 0.6, "abstained"),
}


@pytest.fixture
def job(spark, tables, tmp_path):
    """An evaluation about to run over three teas, two systems and what was decided."""
    conf = config.load(
        [config.BASE, "conf/local.yaml"], ["evaluate.split=test", "evaluate.threshold_split=calibration"]
    )
    conf = replace(conf, report=replace(conf.report, out=str(tmp_path / "report.html")))

    def put(table, rows):
        tables.append(tables.rows(rows, table), table, txn="put")

    put(PRODUCTS, [product(name) for name in ("p1", "p2", "p3")])
    definition = {
        "product_type": "tea", "question": "?", "kind": "text", "inferable": False, "pictures": "all",
        "precision_target": 0.9,
    }  # fmt: skip
    put(ATTRIBUTE_DEFINITIONS, [definition | {"attribute": name} for name in ("brand", "flavor")])
    hashes = {(row.product_id, row.attribute): row.input_hash for row in answers.asked(tables, PAM).pairs.collect()}
    raw = [prediction(PAM, pair, hashes[pair], value, score) for pair, (value, score, _) in SAID.items()]
    known = [prediction(LOOK_UP, pair, hashes[pair], "Alba" if pair[0] == "p1" else None, 0.5) for pair in SAID]
    put(PREDICTIONS, raw + known)
    decided = [
        decision(pair, hashes[pair], value, None if value is None else score, what)
        for pair, (value, score, what) in SAID.items()
    ]
    put(DECISIONS, decided)
    put(GATES, [gate("brand", 0.7), gate("flavor", 0.8)])
    return runs.Job(name="evaluate", id="evaluate-1", day=DAY, conf=conf, spark=spark, tables=tables, started_at=NOON)


def test_an_evaluation_finds_what_a_person_would_count(job, tmp_path):
    truth = evaluate.read_truth(job.spark, write_truth(tmp_path, TEA))

    evaluate.evaluate(job, truth, [PAM], [LOOK_UP])

    found = findings.read(tmp_path / "evaluation.json")
    assert found is not None
    assert (found.num_cells, found.num_products, found.model.name) == (4, 2, "facetmill")
    # facetmill: Alba and Peppermint right; Fine for nothing; lime for rose
    assert found.value("precision", "facetmill") == 2 / 4
    assert found.value("recall", "facetmill") == 2 / 3
    assert found.value("accuracy", "facetmill", Slice(slice="stands=pack")) == 1.0
    assert found.value("precision", "look-up") == 1 / 2
    assert found.value("unknown_recall", "look-up") == 1.0
    [versus] = found.versus
    assert [(side.of.slice or side.of.attribute, side.num) for side in versus.comparison.sides] == [
        ("", 4),
        ("stands=pack", 1),
        ("stands=title", 2),
        ("stands=unknown", 1),
        ("brand", 2),
        ("flavor", 2),
    ]
    everything = versus.comparison.sides[0]
    # Alba of p1 is both's; Peppermint is facetmill's alone; no brand of p2 look-up's alone; rose is neither's
    assert (everything.agree, everything.both_right, everything.both_wrong) == (1, 1, 1)
    assert (everything.right.only_a, everything.right.only_b, everything.right.p) == (1, 1, 1.0)
    # published: without lime, which its gate held back
    assert found.value("precision", "published") == 2 / 3
    assert found.value("precision", "published", Slice(slice="gate=gate of flavor")) == 1.0
    assert found.value("precision", "published", split="calibration") == 1.0
    assert [(cell.product_id, cell.attribute) for cell in found.errors] == [("p2", "brand"), ("p2", "flavor")]
    # the threshold of R@90P, 0.8, comes from p3, where Oru alone was said
    assert found.value("threshold_at_90p", "facetmill") == 0.8
    assert found.value("precision_at_90p", "facetmill") == 2 / 3


def test_the_same_evaluation_is_appended_once(job, tmp_path):
    truth = evaluate.read_truth(job.spark, write_truth(tmp_path, TEA))

    evaluate.evaluate(job, truth, [PAM], [LOOK_UP])
    once = job.tables.read(SCORES).count()
    evaluate.evaluate(replace(job, id="evaluate-2"), truth, [PAM], [LOOK_UP])

    assert once > 40
    beside = job.tables.read(SCORES).where("slice LIKE 'vs=look-up%' AND metric = 'only_this_right'").collect()
    assert {(row.attribute, row.slice): (row.value, row.n) for row in beside} == {
        ("", "vs=look-up"): (1 / 4, 4),
        ("", "vs=look-up, stands=pack"): (1.0, 1),
        ("", "vs=look-up, stands=title"): (0.0, 2),
        ("", "vs=look-up, stands=unknown"): (0.0, 1),
        ("brand", "vs=look-up"): (0.0, 2),
        ("flavor", "vs=look-up"): (1 / 2, 2),
    }
    assert job.tables.read(SCORES).count() == once
    assert job.tables.read(SCORES).select(*SCORES.key).distinct().count() == once


def test_a_split_without_truth_is_one_clear_message(job, tmp_path):
    truth = evaluate.read_truth(job.spark, write_truth(tmp_path, [TEA[4]]))

    with pytest.raises(ContractError, match="truth, split test: found no cell"):
        evaluate.evaluate(job, truth, [PAM], [])


def test_findings_of_another_shape_are_refused_by_name(tmp_path):
    (tmp_path / "evaluation.json").write_text('{"run_id": "x"}')

    with pytest.raises(ContractError, match=r"evaluation.json.*run it again"):
        findings.read(tmp_path / "evaluation.json")


def test_without_findings_there_are_none(tmp_path):
    assert findings.read(tmp_path / "evaluation.json") is None
