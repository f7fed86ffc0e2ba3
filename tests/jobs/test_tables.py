"""The door to Delta: contracts on the way in and out, appends that happen once, constraints that hold."""

from dataclasses import replace
from datetime import UTC, datetime

import delta.exceptions
import pyarrow as pa
import pytest
from py4j.protocol import Py4JJavaError
from pyspark.sql import functions as F

from extractor.errors import ConflictError, ContractError
from schemas.catalog_attributes import CATALOG_ATTRIBUTES
from schemas.products import PRODUCTS

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def value(product: str, text: str | None, origin: str = "seller") -> dict:
    return {
        "product_id": product,
        "attribute": "brand",
        "origin": origin,
        "observed_at": NOON,
        "value": text,
        "run_id": "r",
    }


def test_an_append_happens_once_a_transaction_even_with_other_rows(tables):
    first = tables.append(tables.rows([value("a", "Alba")], CATALOG_ATTRIBUTES), CATALOG_ATTRIBUTES, txn="t1")
    again = tables.append(tables.rows([value("b", "Bark")], CATALOG_ATTRIBUTES), CATALOG_ATTRIBUTES, txn="t1")

    assert (first, again) == (True, False)
    assert [row.product_id for row in tables.read(CATALOG_ATTRIBUTES).collect()] == ["a"]


def test_a_repeated_append_computes_nothing(tables, spark):
    calls = spark.sparkContext.accumulator(0)
    frame = tables.rows([value("a", "Alba")], CATALOG_ATTRIBUTES)

    def counted(batches):
        for batch in batches:
            calls.add(len(batch))
            yield batch

    nullable = ", ".join(f"{field.name} {field.dataType.simpleString()}" for field in frame.schema.fields)
    for _ in range(2):
        tables.append(frame.mapInPandas(counted, nullable), CATALOG_ATTRIBUTES, txn="t1")

    assert calls.value == 1


def test_a_row_that_breaks_a_check_fails_the_write_and_leaves_nothing(tables):
    with pytest.raises(Py4JJavaError, match="known_origin"):
        tables.append(tables.rows([value("a", "x", origin="gossip")], CATALOG_ATTRIBUTES), CATALOG_ATTRIBUTES, txn="t")

    assert tables.read(CATALOG_ATTRIBUTES).count() == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda frame: frame.drop("value"), r"missing \['value'\]"),
        (lambda frame: frame.withColumn("extra", F.lit(1)), r"foreign \['extra'\]"),
        (lambda frame: frame.withColumn("value", F.lit(1)), "'value': 'int'"),
    ],
)
def test_a_frame_that_does_not_fit_its_contract_is_named_column_by_column(tables, change, says):
    frame = tables.rows([value("a", "Alba")], CATALOG_ATTRIBUTES)

    with pytest.raises(ContractError, match=says):
        tables.append(change(frame), CATALOG_ATTRIBUTES, txn="t")

    assert not tables.exists(CATALOG_ATTRIBUTES) or tables.read(CATALOG_ATTRIBUTES).count() == 0


def test_a_missing_table_and_one_of_another_contract_are_named(tables, spark):
    with pytest.raises(ContractError, match=r"table products .* no Delta table"):
        tables.read(PRODUCTS)
    spark.range(3).write.format("delta").save(tables.path(PRODUCTS))

    with pytest.raises(ContractError, match="products"):
        tables.read(PRODUCTS)


def test_a_table_of_an_older_version_reads_with_nulls_and_is_given_what_it_lacks(tables, spark):
    fields = [field for field in CATALOG_ATTRIBUTES.schema if field.name != "value"]
    older = replace(CATALOG_ATTRIBUTES, schema=pa.schema(fields))
    row = {name: text for name, text in value("a", None).items() if name != "value"}
    tables.append(tables.rows([row], older), older, txn="older")

    before = tables.read(CATALOG_ATTRIBUTES).collect()
    tables.append(tables.rows([value("b", "Bark")], CATALOG_ATTRIBUTES), CATALOG_ATTRIBUTES, txn="newer")

    assert [(row.product_id, row.value) for row in before] == [("a", None)]
    after = tables.read(CATALOG_ATTRIBUTES)
    assert after.columns == CATALOG_ATTRIBUTES.columns
    assert {row.product_id: row.value for row in after.collect()} == {"a": None, "b": "Bark"}


def test_a_read_keeps_its_version_while_others_write(tables):
    tables.append(tables.rows([value("a", "Alba")], CATALOG_ATTRIBUTES), CATALOG_ATTRIBUTES, txn="t1")

    before = tables.read(CATALOG_ATTRIBUTES)
    tables.append(tables.rows([value("b", "Bark")], CATALOG_ATTRIBUTES), CATALOG_ATTRIBUTES, txn="t2")

    assert before.count() == 1
    assert tables.read(CATALOG_ATTRIBUTES).count() == 2
    assert tables.versions["catalog_attributes"] == tables.version(CATALOG_ATTRIBUTES)


def test_synchronise_updates_inserts_and_deletes_to_the_frame(tables):
    tables.upsert(tables.rows([value("a", "Alba"), value("b", "Bark")], CATALOG_ATTRIBUTES), CATALOG_ATTRIBUTES)

    tables.synchronise(
        tables.rows([value("a", "Alba Botanica"), value("c", "Coco")], CATALOG_ATTRIBUTES), CATALOG_ATTRIBUTES
    )

    found = {row.product_id: row.value for row in tables.read(CATALOG_ATTRIBUTES).collect()}
    assert found == {"a": "Alba Botanica", "c": "Coco"}


def test_tables_stay_readable_by_readers_of_version_one(tables, spark):
    tables.create(CATALOG_ATTRIBUTES)

    [detail] = spark.sql(f"DESCRIBE DETAIL delta.`{tables.path(CATALOG_ATTRIBUTES)}`").collect()

    assert detail.minReaderVersion == 1


def test_numbered_commits_land_in_order_and_a_number_that_another_took_is_a_conflict(tables):
    def land(product, after, note):
        rows = tables.rows([value(product, "x")], CATALOG_ATTRIBUTES)
        return tables.append_next(rows, CATALOG_ATTRIBUTES, stream="s", after=after, note=note)

    landed = [land("a", 0, "one"), land("b", 1, "two")]
    for stale in (0, 1, 3):
        with pytest.raises(ConflictError, match="of another writer"):
            land("c", stale, "late")

    assert landed == [1, 2]
    assert tables.number(CATALOG_ATTRIBUTES, "s") == 2
    assert tables.number(CATALOG_ATTRIBUTES, "other") == 0
    assert set(tables.notes(CATALOG_ATTRIBUTES)) == {"one", "two"}
    assert {row.product_id for row in tables.read(CATALOG_ATTRIBUTES).collect()} == {"a", "b"}


def test_a_number_that_is_taken_between_the_look_and_the_write_is_a_conflict(tables, monkeypatch):
    def rows(product):
        return tables.rows([value(product, "x")], CATALOG_ATTRIBUTES)

    tables.append_next(rows("a"), CATALOG_ATTRIBUTES, stream="s", after=0, note="ours")
    monkeypatch.setattr(tables, "number", lambda table, stream: 0)

    # Delta itself skips the write in silence: our look at the notes is what notices.
    with pytest.raises(ConflictError, match="commit 1 of another writer"):
        tables.append_next(rows("b"), CATALOG_ATTRIBUTES, stream="s", after=0, note="theirs")

    assert {row.product_id for row in tables.read(CATALOG_ATTRIBUTES).collect()} == {"a"}


def test_a_table_that_follows_from_a_later_commit_is_left_as_it_is(tables):
    def follow(product, number):
        rows = tables.rows([value(product, "x")], CATALOG_ATTRIBUTES)
        tables.follow(rows, CATALOG_ATTRIBUTES, stream="s", number=number)
        return [row.product_id for row in tables.read(CATALOG_ATTRIBUTES).collect()]

    assert [follow("a", 1), follow("b", 2), follow("c", 2)] == [["a"], ["b"], ["c"]]
    with pytest.raises(ConflictError, match="what follows from a later commit"):
        follow("d", 1)

    assert [row.product_id for row in tables.read(CATALOG_ATTRIBUTES).collect()] == ["c"]
    assert tables.append(tables.rows([value("e", "x")], CATALOG_ATTRIBUTES), CATALOG_ATTRIBUTES, txn="free again")


def test_a_merge_that_loses_against_another_writer_is_tried_again_and_gives_up_in_the_end(tables, monkeypatch):
    tries = []

    def losing(times):
        def write():
            tries.append(times)
            if len(tries) < times:
                raise delta.exceptions.ConcurrentAppendException("somebody else")

        return write

    monkeypatch.setattr("jobs.tables.PAUSES", (0.0, 0.0, 0.0))

    tables._retried(CATALOG_ATTRIBUTES, losing(3))
    assert len(tries) == 3
    with pytest.raises(ConflictError, match="other writers, 3 times"):
        tables._retried(CATALOG_ATTRIBUTES, losing(99))
