"""Tables on a real S3 server: written once under leases, whatever the server answers."""

from datetime import UTC, datetime
from typing import Any

import pytest
from deltalake import DeltaTable
from py4j.protocol import Py4JJavaError

from extractor.errors import BackendError, ContractError
from jobs import s3
from jobs.lease import Leases
from jobs.tables import Tables
from schemas.catalog_attributes import CATALOG_ATTRIBUTES
from tests.s3.faults import Fault, Request

pytestmark = pytest.mark.s3

THIEF = b'{"owner": "thief", "token": "t", "number": 1, "seconds": 60}'
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def value(product_id: str, text: str = "Alba") -> dict[str, Any]:
    row = {"product_id": product_id, "attribute": "brand", "origin": "seller", "observed_at": NOON}
    return row | {"value": text, "run_id": "r"}


def found(tables: Tables) -> dict[str, str]:
    return {row.product_id: row.value for row in tables.read(CATALOG_ATTRIBUTES).collect()}


def frame(tables: Tables, *product_ids: str, text: str = "Alba") -> Any:
    return tables.rows([value(name, text) for name in product_ids], CATALOG_ATTRIBUTES)


def is_commit(request: Request) -> bool:
    return (
        request.method == "PUT" and "/_delta_log/" in request.path and request.path.partition("?")[0].endswith(".json")
    )


def test_an_append_and_a_merge_lie_on_s3_and_are_made_once(tables, store):
    first = tables.append(frame(tables, "a", "b"), CATALOG_ATTRIBUTES, txn="t1")
    second = tables.append(frame(tables, "a", "b", "c"), CATALOG_ATTRIBUTES, txn="t1")
    tables.upsert(frame(tables, "b", "d", text="Bark"), CATALOG_ATTRIBUTES)

    assert (first, second) == (True, False)
    assert found(tables) == {"a": "Alba", "b": "Bark", "d": "Bark"}
    address = tables.path(CATALOG_ATTRIBUTES).replace("s3a://", "s3://")
    assert DeltaTable(address, storage_options=store.reader()).to_pyarrow_table().num_rows == 3


def test_a_table_that_somebody_else_writes_to_is_left_alone_with_a_message(tables, conf, spark):
    others = Leases(conf.s3, tables.root, "backfill-7", lambda text: None)
    with others.hold(CATALOG_ATTRIBUTES.name):
        with pytest.raises(BackendError, match="lease of table catalog_attributes: backfill-7 holds it"):
            tables.append(frame(tables, "a"), CATALOG_ATTRIBUTES, txn="t1")
        assert not tables.exists(CATALOG_ATTRIBUTES)

    assert tables.append(frame(tables, "a"), CATALOG_ATTRIBUTES, txn="t1")


def test_a_reader_needs_no_lease_and_cannot_write(tables, spark):
    tables.append(frame(tables, "a"), CATALOG_ATTRIBUTES, txn="t1")
    reader = Tables(spark, tables.root)

    assert found(reader) == {"a": "Alba"}
    with pytest.raises(ContractError, match="no leases"):
        reader.append(frame(tables, "b"), CATALOG_ATTRIBUTES, txn="t2")


def test_a_driver_whose_lease_was_taken_while_it_computed_commits_nothing(tables):
    tables.create(CATALOG_ATTRIBUTES)
    mine = tables.leases
    before = tables.version(CATALOG_ATTRIBUTES)

    def commit() -> None:
        thief = Leases(mine.config, tables.root, "thief", lambda text: None)
        key = f"{mine.prefix}/{CATALOG_ATTRIBUTES.name}"
        thief.client.put_object(Bucket=mine.bucket, Key=key, Body=THIEF)
        tables.write(CATALOG_ATTRIBUTES, lambda: pytest.fail("it committed"))

    with pytest.raises(BackendError, match="lost: thief took it over"):
        tables.write(CATALOG_ATTRIBUTES, commit)
    assert tables.version(CATALOG_ATTRIBUTES) == before


@pytest.mark.parametrize("status", [500, 503])
def test_a_store_that_fails_now_and_then_changes_nothing(tables, proxy, status):
    tables.create(CATALOG_ATTRIBUTES)
    puts, looks = (
        Fault(lambda r: r.method == "PUT", 2, status=status),
        Fault(lambda r: r.method != "PUT", 3, status=status),
    )
    proxy.plan(puts, looks)

    tables.append(frame(tables, "a"), CATALOG_ATTRIBUTES, txn="t1")

    assert len(proxy.happened) >= 4
    assert found(tables) == {"a": "Alba"}


def test_a_commit_whose_answer_was_lost_is_one_commit(tables, proxy):
    tables.create(CATALOG_ATTRIBUTES)
    before = tables.version(CATALOG_ATTRIBUTES)
    proxy.plan(Fault(is_commit, 1, drop=True))

    tables.append(frame(tables, "a"), CATALOG_ATTRIBUTES, txn="t1")

    assert len(proxy.happened) == 1
    assert tables.version(CATALOG_ATTRIBUTES) == before + 1
    assert found(tables) == {"a": "Alba"}


def test_a_slow_store_is_waited_for(tables, proxy):
    tables.create(CATALOG_ATTRIBUTES)
    proxy.plan(Fault(lambda request: request.method in ("PUT", "GET"), 4, seconds=1.0))

    tables.append(frame(tables, "a"), CATALOG_ATTRIBUTES, txn="t1")

    assert found(tables) == {"a": "Alba"}


def test_a_store_that_is_away_is_one_message_and_the_next_try_is_whole(tables, proxy):
    tables.create(CATALOG_ATTRIBUTES)
    proxy.plan(Fault(is_commit, 1000, status=503))

    with pytest.raises(Py4JJavaError) as caught:
        tables.append(frame(tables, "a"), CATALOG_ATTRIBUTES, txn="t1")
    problem = s3.problem(caught.value)
    proxy.plan()
    tables.append(frame(tables, "a"), CATALOG_ATTRIBUTES, txn="t1")

    assert problem is not None
    assert problem.retry
    assert str(problem).startswith("S3: does not serve (")
    assert found(tables) == {"a": "Alba"}
