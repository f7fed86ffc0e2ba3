"""Input files: a missing one is one clear error, a bad line is a row with a problem."""

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from extractor.errors import ConfigError, ContractError
from jobs.columns import spark_schema
from jobs.feeds.lines import ParseLine, parse

ORIGIN = pa.schema(
    [
        pa.field("source", pa.string()),  # the file
        pa.field("payload", pa.string()),  # the beginning of the row, for the quarantine
        pa.field("problem", pa.string()),  # what was found and what was expected; null where the row can be used
    ]
)
"""What every row read from a file says of itself."""


@contextmanager
def existing(path: str, key: str) -> Iterator[None]:
    """Turn Spark's ways to say that there is no file, or none of this format, into one clear error."""
    try:
        yield
    except AnalysisException as error:
        if error.getCondition() == "PATH_NOT_FOUND":
            raise ConfigError(key, path, "an existing file, folder or glob") from error
        if error.getCondition() in ("UNABLE_TO_INFER_SCHEMA", "FAILED_READ_FILE"):
            raise ContractError(
                f"files at {path}", "nothing that can be read", "files of the configured format"
            ) from error
        raise


def json_lines(spark: SparkSession, path: str, parse_line: ParseLine, schema: pa.Schema) -> DataFrame:
    """Parse files line by line into rows of `schema`, which begins with ORIGIN."""
    # Bytes, because a Spark string may hold what is no UTF-8 and would end the Python worker.
    lines = spark.read.text(path).select(F.col("_metadata.file_name").alias("source"), F.col("value").cast("binary"))
    return lines.mapInArrow(lambda batches: parse(batches, parse_line, schema), schema=spark_schema(schema))
