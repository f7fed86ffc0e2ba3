"""The check for Java: by the standard library alone, before anything is installed, saying what is needed."""

import subprocess
import sys
from pathlib import Path

import pytest

from jobs import java

ROOT = Path(__file__).resolve().parents[2]


def says(home: Path, *lines: str) -> None:
    """A Java that does what a shell script does."""
    program = home / "bin" / "java"
    program.parent.mkdir()
    program.write_text("\n".join(["#!/bin/sh", *lines]))
    program.chmod(0o755)


@pytest.mark.parametrize("release", ["17.0.15", "21.0.2"])
def test_a_release_that_spark_runs_on_is_found(tmp_path, monkeypatch, release):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    says(tmp_path, f"echo 'openjdk version \"{release}\"' >&2")

    assert java.find_java() == str(tmp_path / "bin" / "java")


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["echo 'openjdk version \"11.0.2\" 2019-01-15' >&2"], 'openjdk version "11.0.2"'),
        (["echo 'java version \"1.8.0_292\"' >&2"], 'java version "1.8.0_292"'),
        (["echo 'Unable to locate a Java Runtime' >&2", "exit 1"], "Unable to locate a Java Runtime"),  # as on a Mac
        (["exit 1"], "nothing"),
    ],
)
def test_any_other_java_is_refused_with_what_it_says_and_what_is_needed(tmp_path, monkeypatch, lines, found):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    says(tmp_path, *lines)

    with pytest.raises(SystemExit) as caught:
        java.find_java()

    assert str(caught.value).startswith(f"Java 17 or 21 is needed, found at {tmp_path}/bin/java: {found}")
    assert "set JAVA_HOME" in str(caught.value)


def test_the_check_needs_nothing_that_must_be_installed_first(tmp_path):
    environment = {"PATH": "/nowhere", "JAVA_HOME": str(tmp_path)}

    done = subprocess.run(
        [sys.executable, "-S", "-m", "jobs.java"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.startswith(f"Java 17 or 21 is needed and none was found in JAVA_HOME={tmp_path}: install it")


@pytest.mark.parametrize("verb", ["demo", "test", "nightly"])
@pytest.mark.parametrize("is_ready", [True, False])
def test_java_is_asked_for_every_time_and_before_anything_is_installed(tmp_path, verb, is_ready):
    ready = [".venv/.ready"] if is_ready else []
    for name in ["requirements/all.lock", "requirements/uv.lock", "jobs/jars.py", *ready]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    command = ["make", "--dry-run", "-f", ROOT / "Makefile", verb]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)

    lines = done.stdout.splitlines()
    asked = [place for place, line in enumerate(lines) if line.endswith("-m jobs.java")]
    installed = [place for place, line in enumerate(lines) if "uv pip install" in line]
    assert (len(asked), len(installed)) == (1, 0 if is_ready else 1)
    assert [*asked, *installed] == sorted([*asked, *installed])
