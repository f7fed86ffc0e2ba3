"""One Spark session with S3A and one real S3 server for all tests here; none of it is started by the default suite."""

import os
from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from benchmarks.moto_store import BUCKET, KEY, Store, moto
from jobs import config
from jobs.lease import Leases
from jobs.session import open_session
from jobs.tables import Tables
from tests.s3.faults import Faulty, faulty


@pytest.fixture(scope="session", autouse=True)
def environment() -> Iterator[None]:
    """The credentials of the tests, and none of whoever runs them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in KEY.items():
            patch.setenv(name, value)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


@pytest.fixture(scope="session")
def store(environment: None) -> Iterator[Store]:
    with moto() as made:
        yield made


@pytest.fixture(scope="session")
def proxy(store: Store) -> Iterator[Faulty]:
    with faulty(store) as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_planned(request: pytest.FixtureRequest) -> None:
    """A test starts with a store that does not fail."""
    if "proxy" in request.fixturenames:
        request.getfixturevalue("proxy").plan()


@pytest.fixture(scope="session")
def conf(proxy: Faulty) -> config.Conf:
    """Settings of a warehouse behind the proxy, that gives up soon."""
    quick = {"attempts.maximum": "3", "retry.limit": "2", "retry.interval": "50ms", "retry.throttle.limit": "3",
             "retry.throttle.interval": "50ms",
             "connection.timeout": "5s", "connection.request.timeout": "5s"}  # fmt: skip
    overrides = [
        f"warehouse=s3a://{BUCKET}/warehouse",
        f"s3.endpoint={proxy.store.endpoint}",
        "s3.lease_wait_seconds=0",
    ]
    made = config.load([config.BASE, "conf/local.yaml", "conf/test.yaml"], overrides)
    made.spark.confs.update({f"spark.hadoop.fs.s3a.{key}": value for key, value in quick.items()})
    return made


@pytest.fixture(scope="session")
def spark(conf: config.Conf) -> Iterator[SparkSession]:
    session = open_session("s3 tests", conf.spark)
    yield session
    session.stop()


@pytest.fixture
def tables(spark: SparkSession, conf: config.Conf, request: pytest.FixtureRequest) -> Tables:
    """A warehouse of the test's own."""
    root = f"{conf.warehouse}/{request.node.name.partition('[')[0]}-{abs(hash(request.node.name)) % 10_000}"
    return Tables(spark, root, Leases(conf.s3, root, "test", lambda text: None))
