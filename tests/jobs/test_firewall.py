"""No value of ours comes back as somebody's word: every path from the catalogue to labels, gates and figures."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from extractor.records import Definition
from jobs import answers, calibrate, firewall, label
from schemas.attribute_definitions import ATTRIBUTE_DEFINITIONS
from schemas.catalog_attributes import CATALOG_ATTRIBUTES
from schemas.decisions import DECISIONS
from schemas.enums import Kind
from schemas.products import PRODUCTS
from tests.jobs import shelf

JOBS = Path(answers.__file__).parent
BRAND = Definition(product_type="tea", attribute="brand", question="Which brand?")
WEIGHT = Definition(product_type="tea", attribute="weight", question="How heavy?", kind=Kind.QUANTITY)
READERS = {
    "ingest.py": "writes it, and compares with what it wrote",
    "label.py": "labels, by the firewall",
    "calibrate.py": "judges, by the firewall",
    "outcome.py": "publishes nothing over a person's word, whoever's words these were first",
    "verify.py": "holds what is published against it",
    "auditing/draw.py": "draws pairs of which nobody says anything",
}
"""Who reads the catalogue's values, and what for."""


def at(day):
    return datetime(2026, 1, day, 12, tzinfo=UTC)


def said(product_id, value, day, *, origin="seller", attribute="brand"):
    return {
        "product_id": product_id, "attribute": attribute, "origin": origin, "observed_at": at(day), "value": value,
        "run_id": "ingest-1",
    }  # fmt: skip


def decided(product_id, value, day, *, decision="published", attribute="brand"):
    return {
        "product_id": product_id, "attribute": attribute, "input_hash": "i", "model_version": "7",
        "decode_config": "d", "product_type": "tea", "support": "printed", "gate_id": "g", "value": value,
        "confidence": 0.9, "decision": decision, "reason": "for the test", "run_id": "publish-1",
        "day": date(2026, 1, day), "decided_at": at(day),
    }  # fmt: skip


SAID = [
    said("before us", "Alba", 1),
    said("copied", "  ALBA ", 10),
    said("copied, then changed", "Alba", 10),
    said("copied, then changed", "Oru", 12),
    said("differs", "Oru", 10),
    said("own word, taken back, then ours", "Oru", 1),
    said("own word, taken back, then ours", None, 2),
    said("own word, taken back, then ours", "Alba", 10),
    said("only queued", "Alba", 10),
    said("never asked", "Alba", 10),
    said("of a model", "Alba", 10, origin="model:7"),
    said("another spelling", "0.05 kg", 10, attribute="weight"),
]
DECIDED = [
    *(decided(name, "Alba", 5) for name in dict.fromkeys(row["product_id"] for row in SAID if row["product_id"] not in
      ("only queued", "never asked", "another spelling"))),
    decided("only queued", "Alba", 5, decision="review"),
    decided("another spelling", "50 g", 5, attribute="weight"),
]  # fmt: skip
OWN = {("before us", "Alba"), ("copied, then changed", "Oru"), ("differs", "Oru"), ("only queued", "Alba"),
       ("never asked", "Alba")}  # fmt: skip


@pytest.fixture
def stocked(tables):
    products = [shelf.product(name, f"{name} tea") for name in dict.fromkeys(row["product_id"] for row in SAID)]
    weight = shelf.definition("tea", "weight") | {"kind": "quantity"}
    tables.append(tables.rows(products, PRODUCTS), PRODUCTS, txn="a")
    definitions = [shelf.definition("tea", "brand"), weight]
    tables.append(tables.rows(definitions, ATTRIBUTE_DEFINITIONS), ATTRIBUTE_DEFINITIONS, txn="a")
    tables.append(tables.rows(SAID, CATALOG_ATTRIBUTES), CATALOG_ATTRIBUTES, txn="a")
    return tables


def test_a_sellers_value_that_repeats_what_was_published_before_is_not_his_own_word(stocked):
    stated = answers.stated(stocked.read(CATALOG_ATTRIBUTES), "seller")
    before = firewall.own_words(stocked, stated, [BRAND, WEIGHT]).count()
    stocked.append(stocked.rows(DECIDED, DECISIONS), DECISIONS, txn="a")

    found = firewall.own_words(stocked, stated, [BRAND, WEIGHT])

    assert before == len({row["product_id"] for row in SAID} - {"of a model"})  # nothing was published then
    assert {(row.product_id, row.stated) for row in found.collect()} == OWN


def test_labels_and_judges_are_made_of_own_words_alone(stocked):
    stocked.append(stocked.rows(DECIDED, DECISIONS), DECISIONS, txn="a")
    products, defined = stocked.read(PRODUCTS), stocked.read(ATTRIBUTE_DEFINITIONS)
    own = firewall.own_words(stocked, answers.stated(stocked.read(CATALOG_ATTRIBUTES), "seller"), [BRAND, WEIGHT])
    pairs = products.crossJoin(defined.select("attribute")).select("product_id", "attribute", "product_type")

    taught = label.statements(own, products, defined)
    judges = calibrate.judging(own, products.select("product_id"), pairs, unknown_words=[])

    assert {(row.product_id, row.raw_value) for row in taught.collect()} == OWN
    assert {(row.product_id, row.stated) for row in judges.collect()} == OWN


def test_every_reader_of_the_catalogues_values_is_known_and_who_learns_from_them_goes_through_the_firewall():
    texts = {str(file.relative_to(JOBS)): file.read_text(encoding="utf-8") for file in JOBS.rglob("*.py")}
    readers = {name for name, text in texts.items() if re.search(r"\bCATALOG_ATTRIBUTES\b", text)}

    assert readers == set(READERS)
    for name in ("label.py", "calibrate.py"):
        reads = re.findall(r"job\.tables\.read\w*\(CATALOG_ATTRIBUTES\)", texts[name])
        assert len(reads) == 1, name
        assert len(re.findall(r"firewall\.own_words\(job\.tables, ", texts[name])) == 1, name
