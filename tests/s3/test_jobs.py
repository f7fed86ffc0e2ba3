"""Jobs with everything on S3: what they say when it refuses them, and that no secret is among it."""

import json

import pytest

from benchmarks.moto_store import BUCKET, KEY
from jobs import ingest
from schemas.products import PRODUCTS
from tests.s3.faults import Fault

pytestmark = pytest.mark.s3


@pytest.fixture(scope="module", autouse=True)
def feed(store) -> None:
    rows = [{"product_id": name, "product_type": "tea", "updated_at": "2026-01-01"} for name in ("a", "b")]
    client = store.client()
    client.put_object(Bucket=BUCKET, Key="feed/products.jsonl", Body="\n".join(map(json.dumps, rows)).encode())
    definition = b"- {product_type: tea, attribute: brand, question: brand}\n"
    client.put_object(Bucket=BUCKET, Key="feed/definitions.yaml", Body=definition)


def settings(tables, conf, **more: str) -> list[str]:
    sets = {
        "warehouse": tables.root,
        "s3.endpoint": conf.s3.endpoint,
        "s3.lease_wait_seconds": 0,
        "ingest.products.path": f"s3a://{BUCKET}/feed/products.jsonl",
        "ingest.definitions.path": f"s3a://{BUCKET}/feed/definitions.yaml",
        **more,
    }
    flags = [part for key, value in sets.items() for part in ("--set", f"{key}={value}")]
    return ["--conf", "conf/local.yaml", "--conf", "conf/test.yaml", "--day", "2026-01-15", *flags]


def test_a_feed_on_s3_becomes_tables_on_s3(tables, conf):
    ingest.main(settings(tables, conf))

    assert sorted(row.product_id for row in tables.read(PRODUCTS).collect()) == ["a", "b"]


@pytest.mark.parametrize(
    "refusal", [(403, "InvalidAccessKeyId"), (403, "SignatureDoesNotMatch"), (400, "ExpiredToken")]
)
def test_credentials_that_are_refused_are_one_message_without_a_secret(tables, conf, proxy, capfd, refusal):
    proxy.plan(Fault(lambda request: True, 10_000, status=refusal[0], code=refusal[1]))

    with pytest.raises(SystemExit) as stop:
        ingest.main(settings(tables, conf))

    told = capfd.readouterr()
    assert stop.value.code == 2
    assert "[ingest] S3: refused (" in told.err
    assert not any(secret in told.out + told.err for secret in KEY.values())


def test_a_bucket_that_is_not_there_is_named_as_the_problem(tables, conf, capfd):
    with pytest.raises(SystemExit) as stop:
        ingest.main(settings(tables, conf, warehouse="s3a://no-such-bucket/warehouse"))

    assert stop.value.code == 2
    assert "[ingest] S3: no such bucket" in capfd.readouterr().err


def test_a_table_that_another_run_writes_to_ends_the_job_with_its_name(tables, conf, capfd):
    with tables.leases.hold(PRODUCTS.name), pytest.raises(SystemExit) as stop:
        ingest.main(settings(tables, conf))

    assert stop.value.code == 2
    assert "[ingest] lease of table products: test holds it and renewed it" in capfd.readouterr().err
