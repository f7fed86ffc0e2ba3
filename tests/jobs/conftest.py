"""One Spark session for all job tests, and a warehouse of its own for each."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs import config
from jobs.session import open_session
from jobs.tables import Tables

CONF = ["conf/local.yaml", "conf/test.yaml"]


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    session = open_session("tests", config.load([config.BASE, *CONF]).spark)
    yield session
    session.stop()


@pytest.fixture
def tables(spark: SparkSession, tmp_path: Path) -> Tables:
    return Tables(spark, str(tmp_path / "warehouse"))
