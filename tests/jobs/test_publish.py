"""What may be published, what a person must see, and what happens when gates, sellers or pages change."""

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import functions as F

from extractor.errors import ConfigError, ContractError
from extractor.evidence import replay
from extractor.records import Evidence
from jobs import answers, choosing, config, outcome, publish, runs, weighing
from jobs import kill as kills
from jobs.choosing import Candidate
from jobs.config import Choice
from jobs.inputs import Schemas
from jobs.pinned import Pinned
from jobs.standing import standing
from jobs.tables import Tables
from jobs.workers import reading
from schemas.attribute_definitions import ATTRIBUTE_DEFINITIONS
from schemas.attributes import ATTRIBUTES
from schemas.catalog_attributes import CATALOG_ATTRIBUTES
from schemas.decisions import DECISIONS
from schemas.enums import Source
from schemas.gates import GATES
from schemas.predictions import PREDICTIONS
from schemas.products import PRODUCTS
from schemas.review_queue import REVIEW_QUEUE

MODEL = Pinned("facetmill", "7", Path(), "hash", Schemas(ocr="", features=""))
ALONE = [Candidate(Choice(model="facetmill"), MODEL)]
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
LATER = datetime(2026, 1, 16, 12, tzinfo=UTC)
STRAIGHT = '{"intercept": 0.0, "kind": "logistic", "slope": 1.0}'
"""A calibrator that takes scores as they are."""


def product(product_id, title):
    return {
        "product_id": product_id,
        "content_hash": title,
        "is_current": True,
        "product_type": "tea",
        "locale": "en-US",
        "family_id": product_id,
        "title": title,
        "bullets": [],
        "source": "test",
        "updated_at": NOON,
        "run_id": "ingest-1",
    }


def definition(attribute, kind="text", options=None):
    return {
        "product_type": "tea",
        "attribute": attribute,
        "question": f"Which {attribute}?",
        "kind": kind,
        "options": options,
        "inferable": False,
        "pictures": "all",
        "precision_target": 0.9,
    }


def said(product_id, attribute, value, origin="seller", at=NOON):
    return {
        "product_id": product_id,
        "attribute": attribute,
        "origin": origin,
        "observed_at": at,
        "value": value,
        "run_id": "ingest-1",
    }


def gate(attribute, gate_id, state="provisional", at=NOON, *, version="7", recall=0.5):
    return {
        "gate_id": gate_id,
        "product_type": "tea",
        "attribute": attribute,
        "support": "printed",
        "model_version": version,
        "normaliser_version": "1",
        "calibrator": STRAIGHT,
        "target": 0.9,
        "threshold": None if state == "closed" else 0.9,
        "state": state,
        "reason": "for the test",
        "n": 10,
        "errors": 0,
        "num_judged": 10,
        "num_stated": 20,
        "recall": None if state == "closed" else recall,
        "method": "by hand",
        "population": "none",
        "valid_from": at,
        "run_id": "calibrate-1",
    }


def answer(product_id, attribute, input_hash, title, said):
    """An answer that is a slice of the title, with its score; None: unknown."""
    value, score = said
    start = 0 if value is None else title.index(value)
    evidence = [] if value is None else [{"word": value, "source": "title", "start": start, "end": start + len(value)}]
    return {
        "product_id": product_id,
        "attribute": attribute,
        "input_hash": input_hash,
        "model_version": "7",
        "decode_config": "d",
        "product_type": "tea",
        "model_name": "facetmill",
        "state": "unknown" if value is None else "value",
        "value": value,
        "score": score,
        "support": None if value is None else "printed",
        "evidence": evidence,
        "run_id": "enrich-1",
        "chunk_id": 0,
        "day": date(2026, 1, 15),
        "predicted_at": NOON,
    }


TITLES = {
    "p1": "ALBA BOTANICA tea 75grams",
    "p2": "Oru tea 1.8 oz",
    "p3": "Nine Hills tea",
    "p4": "Nine Hills tea 50 g",
}
SAID = {  # value and score by product and attribute
    ("p1", "brand"): ("ALBA BOTANICA", 0.95),
    ("p1", "net_content"): ("75grams", 0.95),
    ("p2", "brand"): ("Oru", 0.95),
    ("p2", "net_content"): ("1.8 oz", 0.95),
    ("p3", "brand"): ("Nine Hills", 0.8),
    ("p3", "net_content"): (None, 0.95),
    ("p4", "brand"): ("Nine", 0.95),
    ("p4", "net_content"): ("50 g", 0.2),
}


def predict(tables, txn):
    """Answer what is asked now and has no answer, as enrich would."""
    pairs = answers.asked(tables, MODEL).pairs.collect()
    known = {row.input_hash for row in tables.read_or_empty(PREDICTIONS).collect()}
    titles = {row.product_id: row.title for row in tables.read(PRODUCTS).where("is_current").collect()}
    rows = [
        answer(p.product_id, p.attribute, p.input_hash, titles[p.product_id], SAID[p.product_id, p.attribute])
        for p in pairs
        if p.input_hash not in known
    ]
    tables.append(tables.rows(rows, PREDICTIONS), PREDICTIONS, txn=txn)


def run(tables, name="publish-1", at=NOON, candidates=ALONE):
    conf = config.load([config.BASE, "conf/local.yaml", "conf/test.yaml"], ["label.unknown_words=[n/a]"])
    job = runs.Job(name="publish", id=name, day=at.date(), conf=conf, spark=tables.spark, tables=tables, started_at=at)
    publish.publish(job, candidates)
    return job


@pytest.fixture(scope="module")
def published(spark, tmp_path_factory):
    """A warehouse after a first run."""
    tables = Tables(spark, str(tmp_path_factory.mktemp("published")))
    tables.append(tables.rows([product(*item) for item in TITLES.items()], PRODUCTS), PRODUCTS, txn="a")
    definitions = [definition("brand"), definition("net_content", kind="quantity")]
    tables.append(tables.rows(definitions, ATTRIBUTE_DEFINITIONS), ATTRIBUTE_DEFINITIONS, txn="a")
    sellers = [
        said("p2", "brand", "oru"),
        said("p2", "net_content", "50 g"),
        said("p4", "brand", "Nine Hills"),
        said("p1", "brand", "Alba", origin="model:6"),  # what a model wrote is nobody's word
        said("p9", "brand", "Alba Botanica"),
    ]
    tables.append(tables.rows(sellers, CATALOG_ATTRIBUTES), CATALOG_ATTRIBUTES, txn="a")
    gates = [gate("brand", "g1"), gate("net_content", "g2")]
    tables.append(tables.rows(gates, GATES), GATES, txn="a")
    predict(tables, "a")
    return tables, run(tables)


@pytest.fixture
def warehouse(published, tmp_path):
    """A copy of it, to be changed."""
    tables, _ = published
    shutil.copytree(tables.root, tmp_path / "warehouse")
    return Tables(tables.spark, str(tmp_path / "warehouse"))


def test_every_requested_pair_has_one_decision(published):
    tables, job = published

    decided = {(row.product_id, row.attribute): row.decision for row in tables.read(DECISIONS).collect()}

    assert decided == {
        ("p1", "brand"): "published",
        ("p1", "net_content"): "published",
        ("p2", "brand"): "confirmed",
        ("p2", "net_content"): "confirmed",  # 1.8 oz is what 50 g converts to
        ("p3", "brand"): "review",
        ("p3", "net_content"): "abstained",
        ("p4", "brand"): "review",
        ("p4", "net_content"): "abstained",
    }
    assert job.counts == {
        "requested": 8,
        "unknown": 1,
        "published": 2,
        "confirmed": 2,
        "review": 2,
        "abstained": 2,
        "quarantined": 0,
        "new_decisions": 8,
        "withdrawn": 0,
        "waiting": 0,
    }


def test_a_published_value_is_normalised_and_replays_from_its_own_row(published):
    tables, _ = published

    rows = tables.read(ATTRIBUTES).orderBy("attribute").collect()

    assert [(row.product_id, row.value, row.gate_state, row.run_id) for row in rows] == [
        ("p1", "Alba Botanica", "provisional", "publish-1"),
        ("p1", "75 g", "provisional", "publish-1"),
    ]
    for row in rows:
        evidence = [Evidence(word=e.word, source=Source(e.source), start=e.start, end=e.end) for e in row.evidence]
        assert replay(evidence, lambda _: TITLES["p1"]) == row.value_as_read


def test_the_review_queue_holds_what_a_person_must_see(published):
    tables, _ = published

    rows = tables.read(REVIEW_QUEUE).orderBy("product_id").collect()

    assert [(row.product_id, row.value_as_read, row.seller_value, row.reason) for row in rows] == [
        ("p3", "Nine Hills", None, "a little below the gate"),
        ("p4", "Nine", "Nine Hills", "the seller says otherwise"),
    ]


def current(tables):
    return [sorted(map(str, tables.read(table).collect())) for table in (ATTRIBUTES, REVIEW_QUEUE)]


def test_a_second_run_decides_nothing_anew_and_mends_what_the_first_left_undone(warehouse):
    before = current(warehouse)
    version = warehouse.version(DECISIONS)
    shutil.rmtree(warehouse.path(ATTRIBUTES))  # as if the first had died after its decisions

    job = run(warehouse, "publish-2", LATER)

    assert job.counts["new_decisions"] == 0
    assert job.counts["published"] == 2
    assert warehouse.version(DECISIONS) == version
    assert current(warehouse) == before


def test_values_of_people_and_closed_gates_withdraw_what_was_published(warehouse):
    warehouse.append(
        warehouse.rows([said("p1", "brand", "Alba Botanicals", at=LATER)], CATALOG_ATTRIBUTES),
        CATALOG_ATTRIBUTES,
        txn="b",
    )
    warehouse.append(warehouse.rows([gate("net_content", "g3", "closed", LATER)], GATES), GATES, txn="b")

    job = run(warehouse, "publish-2", LATER)

    assert warehouse.read(ATTRIBUTES).count() == 0
    assert (job.counts["published"], job.counts["withdrawn"]) == (0, 2)
    log = warehouse.read(DECISIONS).where("product_id = 'p1'").orderBy("attribute", "decided_at")
    assert [(row.attribute, row.decision, row.reason) for row in log.collect()] == [
        ("brand", "published", "passes a gate that is provisional"),
        ("brand", "withdrawn", "now review: the seller says otherwise"),
        ("brand", "review", "the seller says otherwise"),
        ("net_content", "published", "passes a gate that is provisional"),
        ("net_content", "withdrawn", "now abstained: the gate is closed: for the test"),
        ("net_content", "abstained", "the gate is closed: for the test"),
    ]


def test_an_answer_to_a_page_that_changed_is_no_answer(warehouse):
    renamed = product("p1", "Now ALBA BOTANICA tea 75grams")
    gone = product("p1", TITLES["p1"]) | {"is_current": False}
    warehouse.upsert(warehouse.rows([renamed, gone], PRODUCTS), PRODUCTS)

    with pytest.raises(ContractError, match="found 6, expected the 8 requested; run enrich"):
        run(warehouse, "publish-2", LATER)

    assert warehouse.read(ATTRIBUTES).count() == 2
    first = warehouse.read(DECISIONS).where("decision = 'published'").collect()
    predict(warehouse, "b")
    job = run(warehouse, "publish-3", LATER)
    assert (job.counts["published"], job.counts["withdrawn"]) == (2, 2)
    rows = warehouse.read(ATTRIBUTES).orderBy("attribute").collect()
    assert [row.evidence[0].start for row in rows] == [4, 22]
    assert {row.published_at for row in rows} == {row.decided_at for row in first}  # the values are the same


@pytest.mark.slow  # several whole runs of a job
def test_what_is_deleted_or_moved_to_another_type_is_taken_back_and_returns_as_it_was(warehouse):
    before = current(warehouse)
    product_ = warehouse.read(PRODUCTS).where("product_id = 'p1'")
    warehouse.upsert(product_.withColumn("is_current", F.lit(False)), PRODUCTS)
    deleted = run(warehouse, "publish-2", LATER)
    after_deletion = warehouse.read(ATTRIBUTES).count()
    moved = product("p1", TITLES["p1"]) | {"content_hash": "moved", "product_type": "mug"}
    warehouse.upsert(warehouse.rows([moved], PRODUCTS), PRODUCTS)

    in_another_type = run(warehouse, "publish-3", LATER + timedelta(days=1))
    warehouse.upsert(warehouse.rows([moved | {"is_current": False}], PRODUCTS), PRODUCTS)
    warehouse.upsert(product_, PRODUCTS)
    back = run(warehouse, "publish-4", LATER + timedelta(days=2))

    assert (deleted.counts["requested"], deleted.counts["withdrawn"], after_deletion) == (6, 2, 0)
    assert (in_another_type.counts["published"], in_another_type.counts["new_decisions"]) == (0, 0)
    assert (back.counts["published"], back.counts["withdrawn"]) == (2, 0)
    assert current(warehouse) == before


def test_answers_of_an_older_model_and_a_night_of_an_older_day_leave_what_is_published(warehouse):
    before = current(warehouse)
    answered = warehouse.read(PREDICTIONS).where("product_id = 'p1'").withColumn("model_version", F.lit("6"))
    later = answered.withColumn("predicted_at", F.lit(LATER)).withColumn("value", F.lit("ALBA"))
    warehouse.append(later.where("attribute = 'brand'"), PREDICTIONS, txn="backfill")

    at = LATER + timedelta(days=1)
    conf = config.load([config.BASE, "conf/local.yaml", "conf/test.yaml"], ["label.unknown_words=[n/a]"])
    older = runs.Job(
        name="publish", id="older", day=date(2026, 1, 2), conf=conf, spark=warehouse.spark, tables=warehouse,
        started_at=at,
    )  # fmt: skip
    publish.publish(older, ALONE)

    assert older.counts["new_decisions"] == 0
    assert current(warehouse) == before


SHADOW = Pinned("other", "8", Path(), "hash", Schemas(ocr="", features=""))
"""A second model; it reads every brand as the first word of the title, and no quantity."""


def second(tables, gate):
    """Let the second model answer and be calibrated, as enrich and calibrate would."""
    titles = {row.product_id: row.title for row in tables.read(PRODUCTS).where("is_current").collect()}
    rows = [
        answer(p.product_id, p.attribute, p.input_hash, titles[p.product_id], first_word(titles[p.product_id], p))
        | {"model_name": "other", "model_version": "8"}
        for p in answers.asked(tables, SHADOW).pairs.collect()
    ]
    tables.append(tables.rows(rows, PREDICTIONS), PREDICTIONS, txn="second")
    tables.append(tables.rows([gate], GATES), GATES, txn="second")


def first_word(title, pair):
    return (title.split()[0], 0.97) if pair.attribute == "brand" else (None, 0.9)


BOTH = [*ALONE, Candidate(Choice(model="other"), SHADOW)]


def values(tables):
    return {
        (row.product_id, row.attribute): (row.value, row.model_version) for row in tables.read(ATTRIBUTES).collect()
    }


def standing_now(tables):
    """Whose decision stands for each product, by attribute, if both models may publish."""
    asked = choosing.asked(tables, [MODEL, SHADOW])
    rows = standing(tables.read(DECISIONS), choosing.inputs(asked, [MODEL, SHADOW])).collect()
    return {name: [row.model_version for row in rows if row.attribute == name] for name in ("brand", "net_content")}


@pytest.mark.slow  # several whole runs of a job
def test_of_a_model_that_no_entry_names_nothing_is_published_and_its_answers_stay(warehouse):
    before, decided = current(warehouse), warehouse.version(DECISIONS)
    second(warehouse, gate("brand", "s1", version="8", recall=0.9))

    job = run(warehouse, "publish-2", LATER)

    assert current(warehouse) == before
    assert (job.counts["new_decisions"], warehouse.version(DECISIONS)) == (0, decided)
    assert warehouse.read(PREDICTIONS).where("model_version = '8'").count() == 8
    assert warehouse.read(GATES).where("model_version = '8'").count() == 1


@pytest.mark.slow  # several whole runs of a job
def test_the_model_of_higher_recall_takes_an_attribute_over_and_gives_it_back(warehouse):
    alone = values(warehouse)
    second(warehouse, gate("brand", "s1", version="8", recall=0.6))

    job = run(warehouse, "publish-2", LATER, BOTH)

    # brand is the second's, net_content stays the first's: the second has no gate there
    assert alone == {("p1", "brand"): ("Alba Botanica", "7"), ("p1", "net_content"): ("75 g", "7")}
    assert values(warehouse) == {
        ("p1", "brand"): ("Alba", "8"),
        ("p1", "net_content"): ("75 g", "7"),
        ("p3", "brand"): ("Nine", "8"),
    }
    assert sum(job.counts[fate] for fate in ("published", "confirmed", "review", "abstained")) == 8
    log = warehouse.read(DECISIONS).where("product_id = 'p1' AND attribute = 'brand'").orderBy("decided_at")
    assert [(row.model_version, row.decision, row.reason) for row in log.collect()] == [
        ("7", "published", "passes a gate that is provisional"),
        ("7", "withdrawn", "chosen is now 8"),
        ("8", "published", "passes a gate that is provisional"),
    ]
    assert standing_now(warehouse) == {"brand": ["8"] * 4, "net_content": ["7"] * 4}

    version = warehouse.version(DECISIONS)
    again = run(warehouse, "publish-3", LATER + timedelta(hours=1), BOTH)
    assert (again.counts["new_decisions"], warehouse.version(DECISIONS)) == (0, version)

    closed = gate("brand", "s2", "closed", LATER + timedelta(hours=2), version="8")
    warehouse.append(warehouse.rows([closed], GATES), GATES, txn="closed")
    run(warehouse, "publish-4", LATER + timedelta(hours=2), BOTH)
    assert values(warehouse) == alone
    assert standing_now(warehouse) == {"brand": ["7"] * 4, "net_content": ["7"] * 4}
    assert {row.reason for row in warehouse.read(REVIEW_QUEUE).collect()} == {
        "a little below the gate",
        "the seller says otherwise",
    }


def test_the_last_word_of_a_person_counts(spark, tables):
    rows = [
        said("p1", "brand", "Old"),
        said("p1", "brand", "New", at=LATER),
        said("p2", "brand", "Seller"),
        said("p2", "brand", "Audit", origin="audit"),
        said("p3", "brand", "Model", origin="model:6"),
        said("p4", "brand", None),
        said("p5", "brand", "Old"),
        said("p5", "brand", None, at=LATER),  # taken back: nothing is said any more
        said("p6", "brand", "Old"),
        said("p6", "brand", None, at=LATER, origin="audit"),
    ]

    found = answers.stated(tables.rows(rows, CATALOG_ATTRIBUTES), "seller", "audit").collect()

    assert {row.product_id: (row.origin, row.stated) for row in found} == {
        "p1": ("seller", "New"),
        "p2": ("audit", "Audit"),
        "p4": ("seller", None),
        "p6": ("audit", None),
    }


def test_most_sellers_decide_how_an_open_text_is_written(spark, tables):
    kinds = [definition("brand"), definition("form", options=[{"value": "bag", "aliases": []}])]
    definitions = tables.rows(kinds, ATTRIBUTE_DEFINITIONS)
    products = spark.createDataFrame([(f"p{i}", "tea") for i in range(6)], "product_id string, product_type string")
    asked = answers.Asked(products, products, definitions, answers.records(definitions))
    words = ["ORU", "Oru", "oru", "tea.o", "TEA.O ", "n/a"]
    stated = spark.createDataFrame(
        [(f"p{i}", name, word) for i, word in enumerate(words) for name in ("brand", "form")],
        "product_id string, attribute string, stated string",
    )

    found = answers.spellings(stated, asked, reading.reader(asked.known), ["n/a"])

    assert {(row.attribute, row.key): row.spelling for row in found.collect()} == {
        ("brand", "oru"): "Oru",
        ("brand", "teao"): "tea.o",
    }


def test_answers_are_written_in_the_catalogues_own_spelling(spark, tables):
    definitions = tables.rows([definition("brand")], ATTRIBUTE_DEFINITIONS)
    spelt = spark.createDataFrame(
        [("tea", "brand", "teao", "tea.o")], "product_type string, attribute string, key string, spelling string"
    )
    frame = spark.createDataFrame(
        [("tea", "brand", value, None) for value in ("TEA.O", "OTHER TEA", "...", None)],
        "product_type string, attribute string, value string, stated string",
    )

    found = weighing.written(frame, reading.reader(answers.records(definitions)), spelt)

    assert {row.value: (row.written, row.problem) for row in found.collect()} == {
        "TEA.O": ("tea.o", None),
        "OTHER TEA": ("Other Tea", None),
        "...": (None, "'...' has no letter and no digit"),
        None: (None, None),
    }


def test_confidences_follow_each_gates_own_calibrator(spark):
    steep = '{"intercept": 0.0, "kind": "logistic", "slope": 2.0}'
    frame = spark.createDataFrame(
        [(STRAIGHT, 0.8), (steep, 0.8), (None, 0.8), (STRAIGHT, None)], "calibrator string, score double"
    )

    rows = frame.select(reading.confidence(F.col("calibrator"), F.col("score")).alias("confidence")).collect()

    assert [row.confidence for row in rows] == [0.8, pytest.approx(0.941176), None, None]


def turn(tables, at, *, undo=False, **scope: str):
    """Turn a kill switch and publish."""
    kill = config.Kill(
        **({"product_type": "", "attribute": "", "model_version": "", "answered_by": ""} | scope),
        reason="for the test",
        undo=undo,
    )
    conf = config.load([config.BASE, "conf/local.yaml", "conf/test.yaml"])
    job = runs.Job(
        name="kill", id=f"kill-{at:%d%H%M}", day=at.date(), conf=conf, spark=tables.spark, tables=tables, started_at=at
    )
    kills.turn(job, kill)
    return run(tables, f"publish-{at:%d%H%M}", at + timedelta(minutes=1))


def rows_of(tables, table=ATTRIBUTES):
    return sorted(tuple(map(str, row)) for row in tables.read(table).collect())


@pytest.mark.slow  # several whole runs of a job
def test_what_is_killed_is_taken_back_in_one_commit_and_comes_back_byte_for_byte(warehouse):
    scope = {"attribute": "brand"}
    before, version = rows_of(warehouse), warehouse.version(ATTRIBUTES)

    turn(warehouse, LATER, **scope)
    killed, after_kill = rows_of(warehouse), warehouse.version(ATTRIBUTES)
    turn(warehouse, LATER + timedelta(hours=1), undo=True, **scope)

    assert len(killed) < len(before)
    assert not [row for row in killed if "brand" in row]
    assert after_kill == version + 1
    assert rows_of(warehouse) == before
    of_p1 = warehouse.read(DECISIONS).where("product_id = 'p1' AND attribute = 'brand'").orderBy("decided_at").collect()
    assert [(row.decision, row.reason) for row in of_p1] == [
        ("published", "passes a gate that is provisional"),
        ("withdrawn", "now abstained: killed: for the test"),
        ("abstained", "killed: for the test"),
        ("published", "passes a gate that is provisional"),
    ]


@pytest.mark.slow  # several whole runs of a job
def test_a_killed_model_gives_way_to_the_value_that_was_published_before(warehouse):
    before = rows_of(warehouse)
    newer = [
        row.asDict(recursive=True) | {"model_version": "8", "run_id": "enrich-2", "value": row.value and row.value[:3]}
        for row in warehouse.read(PREDICTIONS).collect()
    ]
    for row in newer:
        row["evidence"] = [word | {"word": word["word"][:3], "end": word["start"] + 3} for word in row["evidence"]]
    warehouse.append(warehouse.rows(newer, PREDICTIONS), PREDICTIONS, txn="newer")
    gates = [gate("brand", "g8", version="8"), gate("net_content", "g9", version="8")]
    warehouse.append(warehouse.rows(gates, GATES), GATES, txn="newer")
    successor = [Candidate(Choice(model="facetmill"), MODEL._replace(version="8"))]
    run(warehouse, "publish-2", LATER, successor)
    replaced = {row.value for row in warehouse.read(ATTRIBUTES).where("attribute = 'brand'").collect()}

    conf = config.load(
        [config.BASE, "conf/local.yaml", "conf/test.yaml"], ["kill.model_version='8'", "kill.reason=bad"]
    )
    at = LATER + timedelta(hours=1)
    killing = runs.Job(name="kill", id="kill-1", day=at.date(), conf=conf, spark=warehouse.spark, tables=warehouse,
                       started_at=at)  # fmt: skip
    kills.turn(killing, conf.kill)
    job = run(warehouse, "publish-3", at + timedelta(minutes=1), successor)

    assert "Alb" in replaced or "ALB" in replaced
    assert rows_of(warehouse) == before
    assert job.counts["published"] == len(before)
    assert sum(job.counts[name] for name in map(str, outcome.OUTCOMES)) == job.counts["requested"]
    last = warehouse.read(DECISIONS).where("model_version = '7' AND decision = 'published'")
    assert last.where("reason LIKE 'restored, for 8 is killed: bad'").count() == len(before)


def test_a_switch_must_name_something_say_why_and_undo_what_stands(warehouse):
    with pytest.raises(ConfigError, match="a product type, an attribute"):
        turn(warehouse, LATER)
    with pytest.raises(ConfigError, match="named as it was then"):
        turn(warehouse, LATER, undo=True, attribute="brand")
