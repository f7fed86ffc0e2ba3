"""The same job file by spark-submit: what the README shows, on a local master."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from deltalake import DeltaTable

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
JARS = ("jars/delta-spark_4.2_2.13-4.4.0.jar", "jars/delta-storage-4.4.0.jar")


def submit(*argv: str) -> subprocess.CompletedProcess[str]:
    """Run a job file as an operator would; spark-submit prints what the job says, errors too, to its stdout."""
    command = [f"{Path(sys.executable).parent}/spark-submit", *argv]
    environment = os.environ | {"PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory) -> Path:
    """A feed of two products and what they are asked."""
    folder = tmp_path_factory.mktemp("submit")
    rows = [{"product_id": name, "product_type": "tea", "updated_at": "2026-01-01"} for name in ("a", "b")]
    (folder / "products.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (folder / "definitions.yaml").write_text("- {product_type: tea, attribute: brand, question: brand}\n")
    return folder


def settings(folder: Path) -> list[str]:
    sets = {
        "warehouse": folder / "warehouse",
        "ingest.products.path": folder / "products.jsonl",
        "ingest.definitions.path": folder / "definitions.yaml",
    }
    flags = [part for key, value in sets.items() for part in ("--set", f"{key}={value}")]
    return ["jobs/ingest.py", "--conf", "conf/local.yaml", "--day", "2026-01-15", *flags]


def test_a_submitted_job_writes_what_the_module_writes(catalogue):
    done = submit("--jars", ",".join(JARS), *settings(catalogue))

    assert done.returncode == 0, done.stdout[-2000:]
    assert "[ingest] done" in done.stdout
    products = DeltaTable(str(catalogue / "warehouse" / "products")).to_pandas()
    assert sorted(products["product_id"]) == ["a", "b"]


def test_without_deltas_jars_it_says_which_line_to_submit(catalogue):
    done = submit(*settings(catalogue))

    assert done.returncode == 2
    assert "conf key 'spark.jars': found \"no delta-" in done.stdout
