"""What the views for analysts say of rows that are made up for them."""

from datetime import datetime, timedelta

import duckdb
import pyarrow as pa

from jobs import views
from schemas.catalogue import WAREHOUSE
from tests.jobs.shelf import GATE, GROUP, NOON, SAMPLE, audit, item, published, said

HOUR, NEXT = timedelta(hours=1), NOON + timedelta(days=1)


def decided(decision: str, at: datetime, value: str, input_hash: str = "i", version: str = "7") -> dict:
    return GROUP | {
        "product_id": "a", "input_hash": input_hash, "model_version": version, "decode_config": "d", "value": value,
        "decision": decision, "reason": f"{decision} {value} of {version}", "run_id": f"publish-{at:%d}",
        "day": at.date(), "decided_at": at,
    }  # fmt: skip


def over(**rows: list[dict]):
    """DuckDB with the views over rows given by table."""
    connection = duckdb.connect()
    for table in WAREHOUSE.values():
        connection.register(table.name, pa.Table.from_pylist(rows.get(table.name, []), schema=table.schema))
    for name in views.VIEWS:
        connection.execute(f"CREATE VIEW {name} AS {views.sql(name)}")
    return connection


def ask(connection, name, columns):
    return connection.table(name).project(columns).order("ALL").fetchall()


def test_changes_tell_on_which_day_a_value_came_changed_or_went():
    days = [NOON + timedelta(days=number) for number in range(6)]
    log = [
        decided("published", days[0], "Alba"), decided("published", days[1], "Alba"),  # by another gate
        decided("withdrawn", days[2] - HOUR, "Alba"), decided("published", days[2], "Oru", "j"),
        decided("withdrawn", days[3] - HOUR, "Oru", "j"), decided("published", days[3], "Oru", "j", "8"),  # by another
        decided("abstained", days[3], "Uro", "k"), decided("withdrawn", days[4], "Uro", "k"),  # gave way, was not out
        decided("withdrawn", days[5] - HOUR, "Oru", "j", "8"), decided("abstained", days[5], "Oru", "j", "8"),
    ]  # fmt: skip

    assert ask(over(decisions=log), "changes", "day, change, old_value, new_value, reason") == [
        (days[0].date(), "came", None, "Alba", "published Alba of 7"),
        (days[2].date(), "changed", "Alba", "Oru", "published Oru of 7"),
        (days[5].date(), "went", "Oru", None, "withdrawn Oru of 8"),
    ]


def test_gates_are_the_newest_of_their_group_with_bound_and_what_they_let_out():
    gates = [GATE, GATE | {"gate_id": "new", "valid_from": NEXT, "bound": 0.91}, GATE | {"model_version": "6"}]

    found = over(gates=gates, attributes=[{"gate_id": "new", "product_id": "a"}], runs=[published("16, 7")])

    assert ask(found, "gates_now", "model_version, in_use, gate_id, bound, precision_seen, published") == [
        ("6", False, "tea", None, 0.9, 0), ("7", True, "new", 0.91, 0.9, 1),
    ]  # fmt: skip


def test_what_stands_is_the_last_word_on_an_answer_of_a_model_that_may_publish_now():
    log = [
        decided("abstained", NOON, "Alba"), decided("published", NEXT, "Oru", "j"),
        decided("withdrawn", NEXT + HOUR, "Oru", "j"),  # the page is again as it was, its decision was told already
        decided("confirmed", NEXT, "Ulo", "l"), decided("withdrawn", NEXT + HOUR, "Ulo", "l"),
        decided("review", NEXT, "Oro", "k"),  # of a page that is gone: review_queue holds it no more
        decided("abstained", NEXT + HOUR, "Uro", version="8"),
    ]  # fmt: skip

    now = over(decisions=log, runs=[published("7", NEXT), published("8"), published("8", NEXT + HOUR, "failed")])

    assert ask(now, "standing", "reason") == [("abstained Alba of 7",)]
    assert ask(over(decisions=log), "standing", "reason") == [("abstained Uro of 8",)]  # nobody says who may publish


def test_the_last_word_of_a_person_is_what_is_stated():
    rows = [
        said("new", "Old"), said("new", "New", NEXT), said("both", "Seller"), said("both", "Audit", origin="audit"),
        said("model", "Model", origin="model:6"), said("none", None), said("back", "Old"), said("back", None, NEXT),
        said("gone", "Old"), said("gone", None, NEXT, "audit"),
    ]  # fmt: skip

    assert ask(over(catalog_attributes=rows), "stated", "product_id, stated, stated_by") == [
        ("both", "Audit", "audit"), ("gone", None, "audit"), ("new", "New", "seller"), ("none", None, "seller"),
    ]  # fmt: skip


def test_auditors_agree_as_often_as_their_newest_words_are_alike():
    words = ["a Ann right", "a Ben right", "b Ann wrong", "b Ben not_applicable", "c Ann right", "c Ben cannot_tell"]
    audits = [audit(one, auditor, verdict) for one, auditor, verdict in map(str.split, [*words, "d Ann right"])]
    audits.append(audit("c", "Ben", "wrong", NOON - HOUR))
    samples = [SAMPLE, SAMPLE | {"sample_id": "old", "drawn_at": NOON - HOUR}]

    found = over(audits=audits, audit_samples=samples, audit_items=[*map(item, "abcde"), item("f", "old")])

    columns = "drawn, judged, lacking, judged_right, judged_wrong, cannot_tell, judged_twice, agreed, agreement"
    assert ask(found, "audit_agreement", columns) == [(5, 4, 1, 2, 1, 1, 3, 2, 2 / 3)]


def test_duckdb_is_told_its_own_name_of_s3():
    assert [views.address(path) for path in ("s3a://shop/warehouse", "/data/s3a://odd")] == [
        "s3://shop/warehouse", "/data/s3a://odd",
    ]  # fmt: skip


def test_every_file_of_the_folder_is_a_view():
    assert sorted(views.VIEWS) == sorted(path.stem for path in views.FOLDER.glob("*.sql"))
