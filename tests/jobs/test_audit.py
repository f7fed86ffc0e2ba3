"""From answers to a certificate: what is drawn, what work sheets hold, which verdicts are taken, what they prove."""

import csv
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import functions as F

from extractor.errors import ContractError
from jobs import answers, calibrate, config, publish, runs
from jobs.auditing import draw, record, sheet, verdicts, watch
from jobs.choosing import Candidate
from jobs.config import Choice
from jobs.inputs import Schemas
from jobs.pinned import Pinned
from jobs.tables import Tables
from schemas.attributes import ATTRIBUTES
from schemas.audit_items import AUDIT_ITEMS
from schemas.audit_samples import AUDIT_SAMPLES
from schemas.audits import AUDITS
from schemas.catalog_attributes import CATALOG_ATTRIBUTES
from schemas.decisions import DECISIONS
from schemas.gates import GATES
from schemas.predictions import PREDICTIONS
from schemas.product_pictures import PRODUCT_PICTURES
from tests.jobs import shelf

MODEL = Pinned("facetmill", "facetmill/7", Path(), "hash", Schemas(ocr="", features=""))
ALONE = [Candidate(Choice(model="facetmill"), MODEL)]
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
NUM = 200
"""Products; the seller of every tenth states the brand."""
WRONG = frozenset(f"p{number:03d}" for number in range(170, NUM, 2))
"""Wrong answers: all among the least sure ones."""


def score(number: int) -> float:
    return round(0.99 - 0.4 * number / NUM, 4)


def prediction(pair, titles):
    number = int(pair.product_id[1:])
    value = titles[pair.product_id].split(" tea")[0]
    return {
        "product_id": pair.product_id, "attribute": pair.attribute, "input_hash": pair.input_hash,
        "model_version": MODEL.version, "decode_config": "d", "product_type": "tea", "model_name": MODEL.name,
        "state": "value", "value": value, "score": score(number), "support": "printed",
        "evidence": [{"word": value, "source": "title", "start": 0, "end": len(value)}],
        "run_id": "enrich-1", "chunk_id": 0, "day": date(2026, 1, 15), "predicted_at": NOON,
    }  # fmt: skip


def job(tables, *overrides: str, at=NOON):
    settings = ["audit.slack=0.3", "calibrate.certify.delta=0.1", *overrides]
    conf = config.load([config.BASE, "conf/local.yaml", "conf/test.yaml"], settings)
    name = f"audit-{at:%d%H%M}"
    return runs.Job(name="audit", id=name, day=at.date(), conf=conf, spark=tables.spark, tables=tables, started_at=at)


@pytest.fixture(scope="module")
def calibrated(spark, tmp_path_factory):
    """A warehouse with answers and gates, before anybody looked."""
    tables = Tables(spark, str(tmp_path_factory.mktemp("calibrated")))
    products = [shelf.product(f"p{number:03d}", f"=Brand {number:03d} tea") for number in range(NUM)]
    stated = [
        {"product_id": f"p{number:03d}", "attribute": "brand", "origin": "seller", "observed_at": NOON,
         "value": f"Brand {number:03d}", "run_id": "r"}
        for number in range(0, NUM, 10)
    ]  # fmt: skip
    labelled = [
        shelf.example(products[number], "brand", f"=Brand {number:03d}", split="calibration")
        for number in range(0, NUM, 10)
    ]
    shelf.stock(
        tables,
        products=products,
        attribute_definitions=[shelf.definition("tea", "brand")],
        catalog_attributes=stated,
        examples=labelled,
        product_pictures=[],
    )
    assert tables.read(PRODUCT_PICTURES).count() == 0
    titles = {product["product_id"]: product["title"] for product in products}
    rows = [prediction(pair, titles) for pair in answers.asked(tables, MODEL).pairs.collect()]
    tables.append(tables.rows(rows, PREDICTIONS), PREDICTIONS, txn="a")
    calibrate.calibrate(job(tables), MODEL)
    return tables


def auditable(running, model):
    """What the gates of a model would publish."""
    return {model: draw.auditable(running, model, answers.asked(running.tables, model))}


@pytest.fixture(scope="module")
def sampled(calibrated, tmp_path_factory):
    """The same with a sample drawn and its work sheets written."""
    folder = tmp_path_factory.mktemp("sheets")
    drawing = job(calibrated, f"audit.out={folder}", "audit.second=0.5")
    sample_id = draw.draw(drawing, auditable(drawing, MODEL))
    assert sample_id is not None
    sheet.write(drawing, sample_id)
    return calibrated, drawing, folder / sample_id


@pytest.fixture
def warehouse(sampled, tmp_path):
    """A copy to be changed."""
    tables, _, folder = sampled
    shutil.copytree(tables.root, tmp_path / "warehouse")
    return Tables(tables.spark, str(tmp_path / "warehouse")), folder


def sheet_rows(folder: Path, name: str = "first") -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def verdict_file(path: Path, rows, **changed: str) -> Path:
    """A file with a verdict on each row, from the truth."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["item_id", "verdict", "right_value", "auditor", "audited_at"])
        writer.writeheader()
        for row in rows:
            wrong = row["product_id"] in WRONG
            said = {"verdict": "wrong" if wrong else "right", "right_value": "Other" if wrong else "", "auditor": "ann"}
            writer.writerow({"item_id": row["item_id"], **said, **changed})
    return path


def certified(tables, tmp_path, folder, *overrides: str):
    """Record the whole sheet and calibrate again; the one gate."""
    file = verdict_file(tmp_path / "verdicts.csv", sheet_rows(folder))
    later = job(tables, *overrides, at=NOON + timedelta(hours=1))
    record.record(later, file, auditor="", keep_good=False)
    calibrate.calibrate(later, MODEL)
    [gate] = answers.in_force(tables.read(GATES), MODEL).where("support = 'printed'").collect()
    return later, gate


def test_drawn_are_answers_that_a_gate_would_publish_uniformly_and_once(sampled):
    tables, drawing, _ = sampled

    [sample] = tables.read(AUDIT_SAMPLES).collect()
    items = tables.read(AUDIT_ITEMS).orderBy("place").collect()

    assert [item.place for item in items] == list(range(1, sample.drawn + 1))
    assert drawing.counts["to_judge"] == sample.to_judge == sample.drawn == len({item.item_id for item in items})
    stated = {row.product_id for row in tables.read(CATALOG_ATTRIBUTES).collect()}
    assert not stated & {item.product_id for item in items}
    assert sample.attempt == 1
    assert list(sample.thresholds) == sorted(sample.thresholds, reverse=True)
    assert min(item.score for item in items) >= min(sample.thresholds)
    # Uniform: the order of draws has nothing to do with the score.
    ranks = [item.score for item in items]
    assert abs(sum(ranks[: len(ranks) // 2]) - sum(ranks[len(ranks) // 2 :])) < 0.06 * len(ranks) / 2 + 0.5


def test_the_same_tables_draw_the_same_sample_once(sampled):
    tables, drawing, folder = sampled
    before = tables.version(AUDIT_SAMPLES)

    later = job(tables, f"audit.out={folder.parent}", "audit.second=0.5")
    again = draw.draw(later, auditable(later, MODEL))

    assert again is None  # its gate waits for verdicts
    assert draw.unfinished(drawing, [MODEL]) == [folder.name]
    assert tables.version(AUDIT_SAMPLES) == before
    assert drawing.counts["gates_drawn"] == 1


def test_work_sheets_show_the_page_and_no_confidence(sampled):
    _, drawing, folder = sampled

    first, second = sheet_rows(folder), sheet_rows(folder, "second")
    page = (folder / "first.html").read_text(encoding="utf-8")

    assert len(first) == drawing.counts["to_judge"]
    assert 0 < len(second) < len(first)
    assert {row["item_id"] for row in second} < {row["item_id"] for row in first}
    assert first[0]["question"] == "what is the brand"
    assert first[0]["value"].startswith("'=Brand")  # no formula for a spreadsheet
    assert all(row["verdict"] == "" for row in first)
    assert page.count('class="item"') == len(first)
    assert "confidence" not in page


def test_a_sample_judged_whole_certifies_what_its_verdicts_prove(warehouse, tmp_path):
    tables, folder = warehouse

    later, gate = certified(tables, tmp_path, folder)

    assert later.counts["recorded"] == len(sheet_rows(folder))
    assert gate.state == "certified", gate.reason
    assert gate.bound >= gate.target
    assert gate.delta == pytest.approx(0.05)  # the first attempt's part
    assert gate.audit_sample == folder.name
    passing = tables.read(PREDICTIONS).where(F.col("score") >= gate.least_score)
    num_wrong = passing.where(F.col("product_id").isin(sorted(WRONG))).count()
    assert num_wrong <= 0.1 * passing.count()


def test_published_is_what_the_certificate_speaks_of_and_no_value_that_was_found_wrong(warehouse, tmp_path):
    tables, folder = warehouse
    later, gate = certified(tables, tmp_path, folder, "publish.states=[certified]")

    publish.publish(later, ALONE)

    published = {row.product_id for row in tables.read(ATTRIBUTES).collect()}
    least = tables.read(PREDICTIONS).where(F.col("product_id").isin(sorted(published))).agg(F.min("score")).first()[0]
    assert published
    assert least >= gate.least_score
    judged_wrong = {row.product_id for row in tables.read(AUDITS).where("verdict = 'wrong'").collect()}
    assert judged_wrong
    assert not published & judged_wrong
    reasons = {row.reason for row in tables.read(DECISIONS).where(F.col("product_id").isin(*judged_wrong)).collect()}
    assert reasons == {"an auditor found it wrong: Other"}


@pytest.mark.slow  # several whole runs of a job
def test_checks_of_what_went_out_can_take_the_certificate_and_every_value_back(warehouse, tmp_path):
    tables, folder = warehouse
    later, _ = certified(tables, tmp_path, folder, "publish.states=[certified]")
    publish.publish(later, ALONE)
    num_out = tables.read(ATTRIBUTES).count()

    checking = job(tables, f"audit.out={tmp_path}", "audit.watch=0.9", at=NOON + timedelta(hours=2))
    sample_id = watch.draw(checking, auditable(checking, MODEL))
    assert sample_id is not None
    num_drawn = checking.counts["to_check"]
    assert watch.draw(checking, auditable(checking, MODEL)) is None  # each value is asked for once
    assert draw.unfinished(checking, [MODEL]) == [sample_id]
    sheet.write(checking, sample_id)
    rows = sheet_rows(tmp_path / sample_id)
    judged = {row["product_id"] for row in sheet_rows(folder)}
    assert 0 < num_drawn == len(rows) < num_out
    assert not judged & {row["product_id"] for row in rows}  # what was judged before is not asked again

    file = verdict_file(tmp_path / "checks.csv", rows, verdict="wrong", right_value="")
    recording = job(tables, "publish.states=[certified]", at=NOON + timedelta(hours=3))
    record.record(recording, file, auditor="", keep_good=False)
    calibrate.calibrate(recording, MODEL)
    publish.publish(recording, ALONE)

    [gate] = answers.in_force(tables.read(GATES), MODEL).where("support = 'printed'").collect()
    num = len(rows)
    assert (gate.state, gate.reason) == (
        "closed",
        f"the certificate is lost: {num} errors in {num} checks of what it let out",
    )
    assert tables.read(ATTRIBUTES).count() == 0
    assert recording.counts["withdrawn"] == num_out


def test_a_sample_that_lacks_verdicts_proves_nothing(warehouse, tmp_path):
    tables, folder = warehouse
    file = verdict_file(tmp_path / "verdicts.csv", sheet_rows(folder)[:-1])
    later = job(tables, at=NOON + timedelta(hours=1))
    record.record(later, file, auditor="", keep_good=False)

    calibrate.calibrate(later, MODEL)

    [gate] = answers.in_force(tables.read(GATES), MODEL).where("support = 'printed'").collect()
    assert gate.state != "certified"
    assert gate.reason.endswith("its audit sample lacks 1 verdicts")


def test_audits_that_do_not_prove_the_target_close_the_gate_and_the_next_attempt_is_twice_as_large(warehouse, tmp_path):
    tables, folder = warehouse
    rows = sheet_rows(folder)
    file = verdict_file(tmp_path / "verdicts.csv", rows, verdict="not_applicable", right_value="")
    later = job(tables, at=NOON + timedelta(hours=1))
    record.record(later, file, auditor="", keep_good=False)

    calibrate.calibrate(later, MODEL)
    [gate] = answers.in_force(tables.read(GATES), MODEL).where("support = 'printed'").collect()
    drawing = job(tables, at=NOON + timedelta(hours=2))
    draw.draw(drawing, auditable(drawing, MODEL))

    assert gate.state == "closed"
    assert gate.reason.startswith("collusion: sellers agree with")
    [second] = tables.read(AUDIT_SAMPLES).where("attempt = 2").collect()
    assert second.drawn == min(2 * len(rows), second.population)
    assert second.to_judge == second.drawn - len(rows)  # the first ones are judged already


@pytest.mark.slow  # several whole runs of a job
def test_verdicts_hold_for_another_model_that_says_the_same(warehouse, tmp_path):
    tables, folder = warehouse
    certified(tables, tmp_path, folder)
    newer = Pinned("facetmill", "facetmill/8", Path(), "hash", Schemas(ocr="", features=""))
    rows = [row.asDict(recursive=True) | {"model_version": newer.version} for row in tables.read(PREDICTIONS).collect()]
    tables.append(tables.rows(rows, PREDICTIONS), PREDICTIONS, txn="newer")
    calibrate.calibrate(job(tables, at=NOON + timedelta(hours=2)), newer)

    drawing = job(tables, at=NOON + timedelta(hours=3))
    draw.draw(drawing, auditable(drawing, newer))
    [before] = answers.in_force(tables.read(GATES), newer).where("support = 'printed'").collect()
    calibrate.calibrate(job(tables, at=NOON + timedelta(hours=4)), newer)
    [after] = answers.in_force(tables.read(GATES), newer).where("support = 'printed'").collect()

    assert before.state != "certified"
    assert drawing.counts["to_judge"] == 0
    assert after.state == "certified"


def test_a_file_with_a_wrong_line_is_refused_whole_unless_its_good_ones_are_asked_for(warehouse, tmp_path, capsys):
    tables, folder = warehouse
    file = verdict_file(tmp_path / "verdicts.csv", sheet_rows(folder)[:3])
    with file.open("a", encoding="utf-8") as stream:
        stream.write("1.2E+11,right,,ann,\r\n")

    with pytest.raises(ContractError, match="1 wrong lines of 4"):
        record.record(job(tables), file, auditor="", keep_good=False)
    assert tables.read_or_empty(AUDITS).count() == 0
    record.record(job(tables), file, auditor="", keep_good=True)

    assert tables.read(AUDITS).count() == 3
    assert "line 5: item_id: found 1.2E+11, expected an item of a sample" in capsys.readouterr().err


def test_recording_a_file_again_changes_nothing_and_a_changed_mind_is_recorded(warehouse, tmp_path):
    tables, folder = warehouse
    rows = sheet_rows(folder)[:5]
    file = verdict_file(tmp_path / "verdicts.csv", rows)
    record.record(job(tables), file, auditor="", keep_good=False)
    before = tables.version(AUDITS)

    again = job(tables, at=NOON + timedelta(hours=1))
    record.record(again, file, auditor="", keep_good=False)
    same = tables.version(AUDITS)
    changed = verdict_file(tmp_path / "changed.csv", rows[:1], verdict="cannot_tell", right_value="")
    record.record(job(tables, at=NOON + timedelta(hours=2)), changed, auditor="", keep_good=False)

    assert same == before
    assert again.counts["known"] == 5
    said = {row.product_id: row.verdict for row in verdicts.verdicts(tables.read(AUDITS)).collect()}
    assert said[rows[0]["product_id"]] == "cannot_tell"


def test_two_auditors_who_disagree_make_it_wrong(warehouse, tmp_path):
    tables, folder = warehouse
    rows = sheet_rows(folder)[:1]
    record.record(job(tables), verdict_file(tmp_path / "a.csv", rows, verdict="right", right_value=""), auditor="",
                  keep_good=False)  # fmt: skip
    second = verdict_file(tmp_path / "b.csv", rows, verdict="wrong", right_value="Oru", auditor="ben")
    record.record(job(tables, at=NOON + timedelta(hours=1)), second, auditor="", keep_good=False)

    [said] = verdicts.verdicts(tables.read(AUDITS)).collect()

    assert (said.verdict, said.num_auditors, said.right_value) == ("wrong", 2, "Oru")
