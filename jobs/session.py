"""The Spark session, from conf: what every job needs, then what the operator adds."""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from pyspark.sql import SparkSession

from extractor.errors import ConfigError
from jobs.config import Spark

SUBMITTED = "PYSPARK_GATEWAY_PORT"
"""In the environment of what spark-submit starts."""
GPU = re.compile(r"spark\.(driver|executor|task|worker)\.resource\.gpu\.")
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
    for key, value in {**DELTA, **BATCHES, **_jars(conf), **_memory(conf), **_confs(conf)}.items():
        builder = builder.config(key, value)
    if conf.master is not None:
        builder = builder.master(conf.master)
    spark: SparkSession = builder.getOrCreate()
    spark.sparkContext.setLogLevel(conf.log_level)
    if SUBMITTED in os.environ:
        _check_submitted(spark.sparkContext.getConf().get("spark.jars") or "", conf.jars)
    return spark


def _confs(conf: Spark) -> dict[str, str]:
    """The operator's own settings, on a local master without those of GPUs: Spark would wait for one for ever."""
    if conf.master is None or not re.match(r"local($|\[)", conf.master):
        return dict(conf.confs)
    return {key: value for key, value in conf.confs.items() if not GPU.match(key)}


def _memory(conf: Spark) -> dict[str, str]:
    return {} if conf.driver_memory is None else {"spark.driver.memory": conf.driver_memory}


def _jars(conf: Spark) -> dict[str, str]:
    missing = [jar for jar in conf.jars if not Path(jar).is_file()]
    if missing:
        raise ConfigError("spark.jars", missing[0], "an existing file; `make setup` fetches the Delta jars")
    if SUBMITTED in os.environ:  # its JVM runs already: jars that are named now come too late for Spark's extensions
        return {}
    return {"spark.jars": ",".join(str(Path(jar).resolve()) for jar in conf.jars)} if conf.jars else {}


def _check_submitted(given: str, jars: Sequence[str]) -> None:
    """Whether spark-submit was told of our jars."""
    names = {Path(jar).name for jar in given.split(",")}
    missing = [jar for jar in jars if Path(jar).name not in names]
    if missing:
        expected = f"`spark-submit --jars {','.join(jars)}`, or `spark.jars: []` where the cluster has them"
        raise ConfigError("spark.jars", f"no {Path(missing[0]).name} in {given or 'no jars'!r}", expected)
