"""What analysts see after a night, the same in DuckDB and in Spark, and where no table is there yet."""

import re
import sysconfig
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from pyspark.sql import functions as F

from extractor.errors import ContractError
from jobs import answers, config, deciding, publish, runs, views
from jobs.choosing import Candidate
from jobs.config import Choice
from jobs.inputs import Schemas
from jobs.pinned import Pinned
from jobs.tables import Tables
from schemas.catalogue import WAREHOUSE
from schemas.enums import Decision
from tests.jobs import shelf
from tests.jobs.shelf import DAY, GATE, GROUP, NOON, SAMPLE, audit, item, published, said, stock

MODEL = Pinned("facetmill", "7", Path(), "hash", Schemas(ocr="", features=""))
TITLES = {  # the last word is the product type
    "a": "Alba tea", "b": "Boro tea", "c": "Cora tea", "d": "Dill tea", "e": "Etta tea", "f": "Fuji tea",
    "g": "Gado tea", "h": "Hibi tea", "i": "Iris tea", "j": "Jade tea", "k": "Kola tea", "o": "Oro oil",
    "s": "Sud soap", "t": "Taro salt",
}  # fmt: skip
SILENT: dict = {"value": None, "support": None, "evidence": []}
ANSWERS: dict = {  # where they are no value of score 0.95
    "c": {"score": 0.8}, "e": SILENT | {"state": "unknown"}, "f": {"state": "truncated"},
    "g": SILENT | {"state": "error", "score": None, "reason": "no words"}, "h": {"support": "inferred"},
    "i": {"score": 0.2}, "k": {"run_id": "enrich-bad"},
}  # fmt: skip


def prediction(pair):
    """A brand is the title's first word."""
    word = TITLES.get(pair.product_id, "Vero tea").split()[0]
    return GROUP | {
        "product_id": pair.product_id, "product_type": pair.product_type, "input_hash": pair.input_hash,
        "decode_config": "d", "model_name": "facetmill", "state": "value", "value": word, "score": 0.95,
        "evidence": [{"word": word, "source": "title", "start": 0, "end": len(word)}], "run_id": "enrich-1",
        "chunk_id": 0, "day": DAY, "predicted_at": NOON,
    } | ANSWERS.get(pair.product_id, {})  # fmt: skip


@pytest.fixture(scope="module")
def warehouse(spark, tmp_path_factory):
    """A night up to publish; then a seller takes a value back and more products come in."""
    tables = Tables(spark, str(tmp_path_factory.mktemp("views") / "it's a warehouse"))
    products = [shelf.product(one, title, product_type=title.split()[-1]) for one, title in TITLES.items()]
    products.append(shelf.product("a", "Old tea", is_current=False))
    refusal = {"job": "ingest", "source": "feed.csv", "reason": "found '', expected a time", "day": DAY}
    refusal |= {"quarantined_at": NOON, "run_id": "ingest-1"}
    picture = refusal | {"key": "picture", "reason": "image_texts of 1.png, found nothing"}
    stock(
        tables,
        products=products,
        attribute_definitions=[shelf.definition(name, "brand") for name in ("tea", "oil", "soap", "salt")],
        catalog_attributes=[said("b", "boro"), said("d", "Other"), said("a", "Alba Ltd", origin="model:6")],
        gates=[
            GATE,
            GATE | {"gate_id": "oil", "product_type": "oil", "state": "closed", "threshold": None},
            GATE | {"gate_id": "salt", "product_type": "salt", "normaliser_version": "0"},
        ],
        audit_samples=[SAMPLE],
        audit_items=[item("j")],
        audits=[audit("j", "Ann", "wrong")],
        switches=[{"switch_id": "k", "answered_by": "enrich-bad", "killed": True, "reason": "bad night",
                   "turned_at": NOON, "run_id": "kill-1"}],
        quarantine=[refusal | {"key": "q"}, refusal | {"key": "a"}, picture],
        runs=[published("7")],
    )  # fmt: skip
    pairs = answers.asked(tables, MODEL).pairs.collect()
    stock(tables, predictions=[prediction(pair) for pair in pairs])
    conf = config.load([config.BASE, "conf/local.yaml", "conf/test.yaml"])
    job = runs.Job(name="publish", id="p", day=DAY, conf=conf, spark=spark, tables=tables, started_at=NOON)
    publish.publish(job, [Candidate(Choice(model="facetmill"), MODEL)])

    fresh = [shelf.product(one, "Vero tea") for one in "uv"] + [shelf.product("n", "x", product_type="book")]
    changes = {"products": fresh, "catalog_attributes": [said("b", None, NOON + timedelta(days=1))]}
    changes["predictions"] = [prediction(pairs[0]) | {"product_id": "v"}]
    for name, rows in changes.items():
        tables.append(tables.rows(rows, WAREHOUSE[name]), WAREHOUSE[name], txn="later")
    return tables


@pytest.fixture(scope="module")
def duck(warehouse, tmp_path_factory):
    """DuckDB after it read the script."""
    script = tmp_path_factory.mktemp("script") / "views.sql"
    views.write(warehouse, script)
    return opened(script)


def opened(script):
    connection = duckdb.connect()
    # INSTALL finds the extension there and asks no network.
    extensions = str(Path(sysconfig.get_path("purelib"), "duckdb_ext", "extensions"))
    connection.execute("SET threads = 1; SET TimeZone = 'UTC'")
    connection.execute("SET extension_directory = ?", [extensions])
    connection.execute(script.read_text(encoding="utf-8"))
    return connection


def ask(connection, name, columns="*", where="true"):
    return connection.table(name).filter(where).project(columns).order("ALL").fetchall()


@pytest.fixture(scope="module")
def registered(warehouse):
    """Spark with the views; the session is other tests' as well."""
    views.register(warehouse)
    yield warehouse.spark
    for name in (*WAREHOUSE, *views.VIEWS):
        warehouse.spark.catalog.dropTempView(name)


@pytest.mark.parametrize("name", views.VIEWS)
def test_spark_and_duckdb_give_the_same_rows_and_the_file_explains_their_columns(registered, duck, name):
    by_spark, by_duckdb = registered.table(name).toArrow(), duck.table(name)

    assert by_spark.num_rows == len(by_duckdb) > 0
    assert by_spark.column_names == by_duckdb.columns
    assert duck.from_arrow(by_spark).except_(by_duckdb).fetchall() == []
    comment = "".join(re.findall(r"^--.*$", views.sql(name), re.MULTILINE))
    assert set(by_spark.column_names) <= set(re.findall(r"\w+", comment))


def test_every_hole_has_its_cause(duck):
    assert dict(ask(duck, "missing", "product_id, cause")) == {
        "b": "not decided", "c": "review", "e": "unknown", "f": "truncated", "g": "quarantined", "h": "inferred",
        "i": "below gate", "j": "judged wrong", "k": "killed", "n": "no definition", "o": "gate closed",
        "q": "refused by ingest", "s": "no gate", "t": "other normaliser", "u": "no prediction", "v": "not decided",
    }  # fmt: skip


def test_no_rule_of_publish_is_without_a_cause(spark):
    abstaining = [decision for _, decision, _ in deciding.rules(F.lit(True), 0.1) if decision == Decision.ABSTAINED]

    # A closed gate and none are one rule with two causes, and drift is told from other reviews. A new rule needs a line
    # of missing.sql.
    assert len(re.findall(r"WHEN q\.reason (?:LIKE|=) ", views.sql("missing"))) == len(abstaining) + 2


def test_coverage_counts_every_product_once(duck):
    [tea] = ask(duck, "coverage", "* EXCLUDE (product_type, attribute)", "product_type = 'tea'")

    assert tea == (13, 1, 1, 1, 2, 6, 1, 2, 0.0769, 0.1538)
    assert len(ask(duck, "coverage")) == 4


def test_published_is_what_attributes_holds_with_evidence_and_promise(duck):
    columns = "product_id, title, value, evidence[1].source, gate_state, precision_target, judged, judged_wrong"

    assert ask(duck, "published", columns) == [("a", "Alba tea", "Alba", "title", "provisional", 0.9, 10, 1)]


def test_the_catalogue_shows_theirs_where_it_is_stated_and_else_ours_where_it_is_published(duck):
    columns = "product_id, stated, ours, decision, value, value_from"

    assert ask(duck, "catalogue", columns, "product_id IN ('a', 'c', 'd', 'e')") == [
        ("a", None, "Alba", "published", "Alba", "ours"),
        ("c", None, "Cora", "review", None, None),
        ("d", "Other", "Dill", "review", "Other", "seller"),
        ("e", None, None, None, None, None),
    ]


def test_views_of_a_warehouse_without_tables_are_empty_and_an_unknown_view_is_refused(tmp_path, capsys):
    told = [*shelf.settings(tmp_path), "--out", str(tmp_path / "new" / "views.sql"), "--name"]

    views.main([*told, "coverage"])
    with pytest.raises(SystemExit):
        views.main([*told, "coverages"])

    printed = capsys.readouterr()
    assert "share_with_ours" in printed.out
    assert "'views.name': found 'coverages'" in printed.err
    connection = opened(tmp_path / "new" / "views.sql")
    assert [ask(connection, name) for name in views.VIEWS] == [[] for _ in views.VIEWS]


def test_a_column_that_an_older_table_lacks_is_null_and_a_table_of_another_contract_is_told(tables, tmp_path):
    frame = tables.rows([GATE | {"bound": 0.9}], WAREHOUSE["gates"])
    frame.drop("bound").write.format("delta").save(f"{tables.root}/gates")

    views.write(tables, tmp_path / "views.sql")

    assert ask(opened(tmp_path / "views.sql"), "gates", "gate_id, bound") == [("tea", None)]
    frame.write.format("delta").save(f"{tables.root}/quarantine")
    with pytest.raises(ContractError, match="quarantine"):
        views.write(tables, tmp_path / "views.sql")
