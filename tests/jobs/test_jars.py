"""Jars are those that conf names, and one that is there whole is not fetched again."""

import hashlib

import pytest

from jobs import config, jars
from jobs.jars import SETS, Jar

BASE = config.load([config.BASE])


@pytest.mark.parametrize(("name", "named"), [("delta", BASE.spark.jars), ("s3", BASE.s3.jars)])
def test_conf_names_the_jars_of_a_set(name, named):
    assert {f"jars/{jar.file}" for jar in SETS[name]} == set(named)


def test_a_jar_that_is_there_whole_is_not_fetched(tmp_path):
    path = tmp_path / "a-1.jar"
    path.write_bytes(b"whole")
    jar = Jar("group", "a", "1", hashlib.sha256(b"whole").hexdigest())

    jars.provide("/no/java", jar, path)

    assert path.read_bytes() == b"whole"


def test_a_jar_that_is_not_whole_is_fetched(tmp_path):
    path = tmp_path / "a-1.jar"
    path.write_bytes(b"broken")

    with pytest.raises(FileNotFoundError, match="/no/java"):
        jars.provide("/no/java", Jar("group", "a", "1", hashlib.sha256(b"whole").hexdigest()), path)


def test_a_set_that_nobody_knows_is_refused(capsys):
    with pytest.raises(SystemExit):
        jars.main(["gcs"])

    assert "found 'gcs', expected one of delta, s3" in capsys.readouterr().err
