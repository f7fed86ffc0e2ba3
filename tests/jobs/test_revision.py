"""The run book's code version: the commit that runs, and whether somebody changed it since."""

import re
import subprocess

import pytest

from jobs import revision


@pytest.fixture
def checkout(tmp_path):
    """A repository of one commit."""
    (tmp_path / "job.py").write_text("one")
    author = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    for command in (("init", "-q"), ("add", "job.py"), (*author, "commit", "-q", "-m", "first"), ("tag", "v1")):
        subprocess.run(["git", "-C", tmp_path, *command], check=True)
    return tmp_path


def test_a_checkout_is_named_by_its_commit_and_a_changed_one_says_so(checkout):
    clean = revision.commit(checkout)
    (checkout / "job.py").write_text("two")

    assert clean is not None
    assert re.fullmatch("[0-9a-f]{9}", clean)
    assert revision.commit(checkout) == f"{clean}-dirty"


def test_a_folder_within_a_checkout_of_others_is_not_named_by_it(checkout):
    (checkout / "site-packages").mkdir()

    assert revision.commit(checkout / "site-packages") is None


@pytest.mark.parametrize("break_it", [lambda git: git.mkdir(), lambda git: git.write_text("gitdir: /nowhere")])
def test_a_broken_checkout_fails_no_job(tmp_path, break_it):
    break_it(tmp_path / ".git")

    assert revision.commit(tmp_path) is None


def test_a_machine_without_git_fails_no_job(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")

    assert revision.commit(checkout) is None


def test_there_is_always_a_version():
    assert revision.code_version()
