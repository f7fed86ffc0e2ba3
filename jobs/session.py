"""The Spark session, from conf: what every job needs, then what the operator adds."""

import os
import sys
from pathlib import Path

from pyspark.sql import SparkSession

from extractor.errors import ConfigError
from jobs.config import Spark

DELTA = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # A commit that landed while its answer was lost must not be committed twice.
    "spark.databricks.delta.commit.idempotencyCheck.enabled": "true",
}
BATCHES = {
    # mapInArrow matches columns by position: a swap or a wrong type must be an error.
    "spark.sql.execution.arrow.pyspark.validateSchema.enabled": "true",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "256",
    "spark.sql.execution.arrow.maxBytesPerBatch": "32m",
    # Blobs of 100 KB a row: the default of 4096 rows a batch reserves gigabytes.
    "spark.sql.parquet.columnarReaderBatchSize": "256",
    "spark.hadoop.parquet.block.size": str(32 * 1024 * 1024),
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
}


def open_session(app: str, conf: Spark) -> SparkSession:
    """The session of this process; the first job of a process decides its settings."""
    # Workers must run this environment's Python, activated or not.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # two cores under several workers: more threads are slower
    builder = SparkSession.builder.appName(f"facetmill {app}")
    for key, value in {**DELTA, **BATCHES, **_jars(conf), **_memory(conf), **conf.confs}.items():
        builder = builder.config(key, value)
    if conf.master is not None:
        builder = builder.master(conf.master)
    spark: SparkSession = builder.getOrCreate()
    spark.sparkContext.setLogLevel(conf.log_level)
    return spark


def _memory(conf: Spark) -> dict[str, str]:
    return {} if conf.driver_memory is None else {"spark.driver.memory": conf.driver_memory}


def _jars(conf: Spark) -> dict[str, str]:
    missing = [jar for jar in conf.jars if not Path(jar).is_file()]
    if missing:
        raise ConfigError("spark.jars", missing[0], "an existing file; `make setup` fetches the Delta jars")
    return {"spark.jars": ",".join(str(Path(jar).resolve()) for jar in conf.jars)} if conf.jars else {}
