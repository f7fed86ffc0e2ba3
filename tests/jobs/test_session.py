"""The session: what it says where spark-submit was not told of Delta."""

import pytest

from extractor.errors import ConfigError
from jobs import config, session

JARS = ("jars/delta-spark.jar", "jars/delta-storage.jar")


def test_jars_that_spark_submit_was_not_given_are_named_with_the_line_that_gives_them():
    message = r"no delta-storage.jar in .*expected `spark-submit --jars jars/delta-spark.jar,jars/delta-storage.jar`"

    session._check_submitted("file:/x/delta-spark.jar,file:/y/delta-storage.jar", JARS)
    with pytest.raises(ConfigError, match=message):
        session._check_submitted("file:/x/delta-spark.jar", JARS)


def test_a_jar_that_is_not_there_is_named():
    conf = config.load([config.BASE], ["spark.jars=[nowhere.jar]"]).spark

    with pytest.raises(ConfigError, match=r"'spark.jars': found 'nowhere.jar'"):
        session._jars(conf)


@pytest.mark.parametrize(("master", "kept"), [("local", 0), ("local[4]", 0), ("local-cluster[1,2,1024]", 3), (None, 3)])
def test_a_local_master_is_not_asked_for_gpus(master, kept):
    conf = config.load([config.BASE, "conf/gpu.yaml"], [f"spark.master={master or 'null'}"]).spark

    found = session._confs(conf)

    assert sum("gpu" in key for key in found) == kept
    assert found["spark.executor.memory"] == "8g"
