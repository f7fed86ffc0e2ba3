"""What decision 8 takes for granted of S3A: it looks before it creates, unless it is told to be fast."""

from typing import Any

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from benchmarks.moto_store import BUCKET

pytestmark = pytest.mark.s3

CONDITIONAL = "fs.option.create.conditional.overwrite"


def file_system(spark: SparkSession, flags: str) -> Any:
    """An S3A of our own, with performance flags."""
    jvm: Any = spark._jvm
    hadoop = jvm.org.apache.hadoop.conf.Configuration(spark.sparkContext._jsc.hadoopConfiguration())
    hadoop.set("fs.s3a.performance.flags", flags)
    made = jvm.org.apache.hadoop.fs.s3a.S3AFileSystem()
    made.initialize(jvm.java.net.URI(f"s3a://{BUCKET}/"), hadoop)
    return made


def path(spark: SparkSession, name: str) -> Any:
    jvm: Any = spark._jvm
    return jvm.org.apache.hadoop.fs.Path(f"s3a://{BUCKET}/s3a/{name}")


def test_a_file_that_is_there_is_not_made_again(spark):
    files, there = file_system(spark, ""), path(spark, "once")
    files.create(there, False).close()

    with pytest.raises(Py4JJavaError, match="FileAlreadyExistsException"):
        files.create(there, False)


def test_two_that_look_at_once_both_make_it_which_is_why_there_are_leases(spark):
    files, there = file_system(spark, ""), path(spark, "twice")
    first, second = files.create(there, False), files.create(there, False)

    first.close()
    second.close()

    assert files.exists(there)


def test_with_the_flag_that_conf_refuses_nobody_looks(spark):
    files, there = file_system(spark, "create"), path(spark, "careless")
    files.create(there, False).close()

    files.create(there, False).close()

    assert files.exists(there)


def test_a_log_store_that_asked_for_it_could_create_under_a_condition(spark):
    files, there = file_system(spark, ""), path(spark, "conditional")
    first, second = (files.createFile(there).overwrite(False).must(CONDITIONAL, True).build() for _ in range(2))
    first.close()

    with pytest.raises(Py4JJavaError, match="412"):
        second.close()
