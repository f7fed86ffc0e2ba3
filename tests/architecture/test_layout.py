"""Rules of the layout that no linter knows."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from extractor import components
from schemas import markdown

ROOT = Path(__file__).resolve().parents[2]
CODE = sorted(
    path
    for folder in ("schemas", "extractor", "jobs", "airflow_dags", "benchmarks", "tests")
    for path in (ROOT / folder).rglob("*.py")
)
STEPS = (
    "sample",
    "ingest",
    "read_images",
    "label",
    "pretrain",
    "train",
    "enrich",
    "calibrate",
    "publish",
    "evaluate",
    "report",
)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", CODE, ids=relative)
def test_every_file_opens_with_what_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", CODE, ids=relative)
def test_every_silenced_line_names_its_rule_and_its_reason(path):
    silenced = re.compile(r"#\s*(noqa|type:\s*ignore)(?P<code>:\s*[A-Z]+\d+|\[[a-z-]+\])?(?P<rest>.*)")

    bare = [
        line.strip()
        for line in path.read_text(encoding="utf-8").splitlines()
        if (found := silenced.search(line))
        and "silenced = " not in line
        and not (found["code"] and "#" in found["rest"])
    ]

    assert bare == []


@pytest.mark.parametrize("path", CODE, ids=relative)
def test_no_file_sprawls(path):
    limit = 650  # an outlier asks a question at 400; past this the answer is no

    assert len(path.read_text(encoding="utf-8").splitlines()) <= limit


@pytest.mark.parametrize("folder", ["ocr", "regions", "encoders", "models"])
def test_every_component_offers_a_config_and_its_class(folder):
    for name in components.names(folder):
        module = components.module(folder, name, key=folder)

        assert hasattr(module, "Config"), name
        assert hasattr(module, components.OFFERS[folder]), name


@pytest.mark.parametrize("job", STEPS)
def test_every_job_is_in_the_readme(job):
    assert f"jobs.{job}" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted((ROOT / "jobs").rglob("*.py")), ids=relative)
def test_no_job_knows_which_model_it_runs(path):
    names = {f"extractor.models.{name}" for name in components.names("models")}
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}

    assert not imported & names


def test_the_page_about_tables_is_what_the_contracts_print():
    assert (ROOT / "docs" / "tables.md").read_text(encoding="utf-8") == markdown.page()


def test_every_key_of_the_base_conf_has_a_comment_near_it():
    lines = (ROOT / "conf" / "base.yaml").read_text(encoding="utf-8").splitlines()
    keys = [line for line in lines if re.match(r"^\s+[a-z_]+: \S", line)]

    commented = [line for line in keys if "#" in line]

    assert len(commented) >= len(keys) * 0.6


@pytest.mark.parametrize("path", sorted((ROOT / "conf").rglob("*.yaml")), ids=relative)
def test_every_conf_file_is_a_mapping(path):
    assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict)


def test_every_dependency_is_locked_with_a_hash():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    lock = (ROOT / "requirements" / "all.lock").read_text(encoding="utf-8").lower()

    for requirement in wanted:
        name = re.split(r"[\[<>=!~ ]", requirement, maxsplit=1)[0].lower()
        assert re.search(rf"^{re.escape(name)}(\[[a-z,]+\])?==\S+ \\\n\s+--hash=sha256:", lock, re.MULTILINE), name


def test_everything_of_airflows_environment_is_locked_with_a_hash():
    wanted = (ROOT / "requirements" / "airflow.in").read_text(encoding="utf-8").splitlines()
    lock = (ROOT / "requirements" / "airflow.lock").read_text(encoding="utf-8")

    for requirement in filter(None, (line.partition("#")[0].strip() for line in wanted)):
        version = re.escape(requirement) if "==" in requirement else f"{requirement.partition('>')[0]}==\\S+"
        assert re.search(rf"^{version} \\\n\s+--hash=sha256:", lock, re.MULTILINE), requirement
