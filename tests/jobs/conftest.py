"""One Spark session for all job tests, and a warehouse of its own for each."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs import config
from jobs.session import open_session
from jobs.tables import Tables
from tests.jobs import shop

CONF = ["conf/local.yaml", "conf/test.yaml"]


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    session = open_session("tests", config.load([config.BASE, *CONF]).spark)
    yield session
    session.stop()


@pytest.fixture(scope="module", autouse=True)
def forgotten() -> Iterator[None]:
    """Each module's tables lie in folders of their own: what Spark and Delta keep of them would fill the heap."""
    yield
    session = SparkSession.getActiveSession()
    if session is not None:
        session.catalog.clearCache()
        jvm: Any = session._jvm
        jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()


@pytest.fixture
def tables(spark: SparkSession, tmp_path: Path) -> Tables:
    return Tables(spark, str(tmp_path / "warehouse"))


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose registry holds Word Matching as the first version of `facetmill`, its champion."""
    folder = tmp_path_factory.mktemp("models")
    shop.teach(folder)
    return folder
