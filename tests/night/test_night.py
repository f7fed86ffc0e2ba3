"""What must be true of a whole night: counts add up, values replay, readers read, a second night does nothing."""

import re
import sysconfig
from collections import Counter
from pathlib import Path

import duckdb
import polars as pl
import pytest
from deltalake import DeltaTable

from extractor import evidence
from extractor.records import Box, Evidence
from schemas.enums import Source

pytestmark = pytest.mark.slow  # a whole night, twice: about ten minutes

FATES = ("published", "confirmed", "review", "abstained", "quarantined")
ANALYSTS = ("attributes", "predictions", "review_queue")


def last_run(night, job):
    return max((run for run in night.rows("runs") if run["job"] == job), key=lambda run: run["started_at"])


def texts(night):
    """What evidence points at: fields of current products, tokens of pictures, words of vocabularies."""
    products = {row["product_id"]: row for row in night.rows("products") if row["is_current"]}
    pictures = {row["image_hash"]: row["tokens"] for row in night.rows("image_texts") if row["status"] == "ok"}
    words = {row["vocab_id"]: row["words"] for row in night.rows("vocabularies")}

    def text_of(row, found):
        match found.source:
            case Source.TITLE:
                return products[row["product_id"]]["title"]
            case Source.BULLET:
                return products[row["product_id"]]["bullets"][found.field_index]
            case Source.OCR:
                return pictures[found.image_hash][found.token_index]["text"]
            case Source.WRITTEN:
                return found.word
            case _:
                return words[row["vocab_id"]][found.token_index]

    return text_of


def replayed(row, text_of):
    found = [
        Evidence(**{**word, "source": Source(word["source"]), "box": word["box"] and Box(**word["box"])})
        for word in row["evidence"]
    ]
    return evidence.replay(found, lambda word: text_of(row, word))


def test_every_question_has_exactly_one_fate_and_the_run_book_says_so(night):
    counts = dict(last_run(night, "publish")["counts"])
    types = Counter(row["product_type"] for row in night.rows("products") if row["is_current"])
    asked = sum(types[row["product_type"]] for row in night.rows("attribute_definitions"))

    assert counts["requested"] == sum(counts[fate] for fate in FATES) == asked
    assert counts["published"] == night.table("attributes").num_rows > 0
    assert counts["review"] == night.table("review_queue").num_rows


def test_every_predicted_and_every_published_value_replays_from_its_evidence_byte_for_byte(night):
    text_of = texts(night)
    predictions = [row for row in night.rows("predictions") if row["value"] is not None]
    attributes = night.rows("attributes")

    assert [row["value"] for row in predictions] == [replayed(row, text_of) for row in predictions]
    assert [row["value_as_read"] for row in attributes] == [replayed(row, text_of) for row in attributes]
    assert len(attributes) > 0


def test_a_replay_from_a_moved_place_is_noticed(night):
    text_of = texts(night)
    [row, *_] = [row for row in night.rows("predictions") if row["value"] is not None and len(row["value"]) > 2]
    moved = {**row, "evidence": [{**word, "end": word["end"] - 1} for word in row["evidence"]]}

    assert replayed(moved, text_of) != row["value"]


@pytest.mark.parametrize("name", ANALYSTS)
def test_analysts_read_the_same_rows_with_every_reader_of_version_one(night, name):
    path = str(night.folder / "warehouse" / name)
    [extension] = Path(sysconfig.get_path("purelib")).glob("duckdb_ext/**/delta.duckdb_extension")
    connection = duckdb.connect()
    connection.execute(f"LOAD '{extension}'")

    by_delta_rs = night.table(name).num_rows
    by_polars = pl.scan_delta(path).select(pl.len()).collect().item()
    [[by_duckdb]] = connection.execute("SELECT count(*) FROM delta_scan(?)", [path]).fetchall()

    assert by_delta_rs == by_polars == by_duckdb
    assert DeltaTable(path).protocol().min_reader_version == 1


def test_no_value_of_a_seller_is_overwritten(night):
    stated = {
        (row["product_id"], row["attribute"])
        for row in night.rows("catalog_attributes")
        if row["origin"] in ("seller", "audit")
    }

    published = {(row["product_id"], row["attribute"]) for row in night.rows("attributes")}

    assert published & stated == set()


def test_only_open_gates_publish_and_only_at_their_threshold(night):
    gates = {row["gate_id"]: row for row in night.rows("gates")}

    for row in night.rows("attributes"):
        gate = gates[row["gate_id"]]
        assert gate["state"] in ("certified", "provisional")
        assert row["confidence"] >= gate["threshold"]


def test_the_report_needs_no_network(night):
    page = (night.folder / "report.html").read_text(encoding="utf-8")

    assert re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", page) == []
    assert "Facetmill" in page


def test_a_second_night_trains_nothing_asks_nothing_and_decides_nothing(night):
    before = {
        name: night.table(name).num_rows for name in ("predictions", "decisions", "gates", "examples", "attributes")
    }

    again = night.run()

    assert again.returncode == 0, again.stderr[-4000:]
    assert {name: night.table(name).num_rows for name in before} == before
    assert last_run(night, "enrich")["model_calls"] == 0
    assert dict(last_run(night, "train")["counts"])["trained"] == 0
