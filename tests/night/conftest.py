"""One small night for all tests here: the real jobs on a small catalogue with the odd products in it."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from jobs import config, trees

ROOT = Path(__file__).resolve().parents[2]
OCR = "drawn-ocr"
FEATURES = "drawn-features"
DAY = "2026-01-15"


class Night(NamedTuple):
    """Where a night's work lies, and how to run it again."""

    folder: Path
    small: bool = True
    """Of a catalogue of readings; else the demo's own."""

    def own(self) -> dict[str, object]:
        """What a small night sets, by dotted key."""
        return {
            "warehouse": self.folder / "warehouse",
            "sample.out": self.folder / "catalogue",
            "sample.truth": self.folder / "truth",
            "sample.products": 200,
            "sample.features_only": "true",
            "ingest.products.path": self.folder / "catalogue" / "products*.jsonl",
            "ingest.definitions.path": self.folder / "catalogue" / "definitions.yaml",
            "ingest.image_texts.path": self.folder / "catalogue" / "image_texts",
            "ingest.image_texts.ocr_schema": OCR,
            "ingest.image_features.path": self.folder / "catalogue" / "image_features",
            "ingest.image_features.feature_schema": FEATURES,
            "read_images.root": self.folder / "catalogue" / "pictures",
            "read_images.enabled": "false",
            "train.folder": self.folder / "training",
            "train.augment.copies": 2,
            "train.loop.steps": 150,
            "registry.tracking_uri": f"sqlite:///{self.folder}/mlflow.db",
            "registry.artifacts": self.folder / "mlflow",
            "evaluate.truth": self.folder / "truth",
            "audit.out": self.folder / "audits",
            "report.out": self.folder / "report.html",
            "report.pictures": self.folder / "catalogue" / "pictures",
            # A small night must publish something: what it publishes is held against its evidence, not the truth.
            "calibrate.min_judged": 2,
            "calibrate.prior_strength": 1.0,
        }

    def settings(self, *overrides: str) -> dict[str, Any]:
        """The same as the tree of a conf file, with overrides."""
        tree: dict[str, Any] = {}
        for text in (*(f"{key}={value}" for key, value in self.own().items()), *overrides):
            tree = config.merge(tree, trees.override(text))
        return tree

    def run(self, *overrides: str, steps: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Run the night (or some of its steps) as its operator would."""
        flags = [part for key, value in self.own().items() if self.small for part in ("--set", f"{key}={value}")]
        flags += [part for override in overrides for part in ("--set", override)]
        command = [
            sys.executable,
            "-m",
            "jobs.nightly",
            "--conf",
            "conf/local.yaml",
            "--day",
            DAY,
            *flags,
            *steps,
        ]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    def table(self, name: str) -> pa.Table:
        """A table as delta-rs reads it."""
        return DeltaTable(str(self.folder / "warehouse" / name)).to_pyarrow_table()

    def rows(self, name: str) -> list[dict]:
        """Its rows."""
        return self.table(name).to_pylist()


@pytest.fixture(scope="session", params=["small", "demo"])
def night(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """A night that was just run, and the demo's where `make demo` was run in this checkout."""
    if request.param == "demo":
        if not (ROOT / "demo" / "report.html").exists():
            pytest.skip("no demo here: run make demo first")
        yield Night(ROOT / "demo", small=False)
        return
    made = Night(tmp_path_factory.mktemp("night"))
    done = made.run()
    assert done.returncode == 0, done.stderr[-4000:]
    yield made
    shutil.rmtree(made.folder)


MODEL = ("model.name=word_matching", "enrich.device=cpu", "enrich.chunk_pairs=200", "enrich.task_products=8")
"""A model that costs next to nothing, and chunks so small that there are several."""


@pytest.fixture(scope="session")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Night:
    """A night up to its model, Word Matching."""
    made = Night(tmp_path_factory.mktemp("taught"))
    done = made.run(*MODEL, steps=("sample", "ingest", "label", "train"))
    assert done.returncode == 0, done.stderr[-4000:]
    return made
