"""A small shop beside a registry with a model: what enrich and backfill are tried on."""

from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import functions as F

from extractor import checkpoint
from extractor.models import word_matching
from extractor.models.base import Knowledge
from extractor.records import Definition, Example, Question
from jobs import enrich, registry
from jobs.tables import Tables
from schemas.predictions import PREDICTIONS
from schemas.runs import RUNS
from tests.jobs import shelf
from tests.jobs.shelf import definition, features, picture, product, settings, stock, texts

DEFINITIONS = [definition("tea", "brand"), definition("tea", "flavor")]


def teach(folder: Path) -> None:
    """Give a folder a registry that holds Word Matching, taught one brand and one flavour, as `facetmill`."""
    asked = (Question(attribute="brand", answer="Alba"), Question(attribute="flavor", answer="mint"))
    taught = Example(product_id="t", product_type="tea", title="Alba mint", asked=asked)
    known = tuple(Definition(product_type="tea", attribute=name, question=name) for name in ("brand", "flavor"))
    config = word_matching.Config()
    model = word_matching.Model.create(config, Knowledge(known, {}, shelf.FEATURES, 4, shelf.OCR), [taught], seed=0)
    card = checkpoint.save(
        folder / "model", model, name="word_matching", config=config,
        feature_schema=shelf.FEATURES, ocr_schema=shelf.OCR, examples_id="snapshot",
    )  # fmt: skip
    store = registry.connect(f"sqlite:///{folder}/mlflow.db", "facetmill", artifacts_root=f"{folder}/mlflow")
    run_id = store.log("taught", params={}, history=[], metrics={}, tags={})
    store.register("facetmill", folder / "model", run_id=run_id, fingerprint="f", model_hash=card.model_hash)


class Shop:
    """A warehouse beside the models, and enrich on it."""

    def __init__(self, tables: Tables, models: Path) -> None:
        self.tables = tables
        self.where = [f"warehouse={tables.root}", f"registry.tracking_uri=sqlite:///{models}/mlflow.db"]

    def enrich(self, *overrides: str) -> None:
        enrich.main(settings(Path(self.tables.root), *self.where, *overrides))

    def answers(self) -> dict[tuple[str, str], dict[str, Any]]:
        """All that is said of each pair, but when and by which run."""
        rows = self.tables.read(PREDICTIONS).drop("run_id", "chunk_id", "predicted_at").collect()
        assert len(rows) == len({(row.product_id, row.attribute, row.input_hash) for row in rows})
        return {(row.product_id, row.attribute): row.asDict(recursive=True) for row in rows}

    def last_run(self) -> Any:
        return self.tables.read(RUNS).orderBy(F.desc("started_at")).first()


def filled(tables: Tables, models: Path) -> Shop:
    """Four teas (a pack that says ALBA mint, one that says mint, one with features of NaN, no picture) and an oil."""
    nan = np.full((2, 4), np.nan, "<f2").tobytes()
    stock(
        tables,
        products=[*(product(name, f"{name} tea") for name in "abcd"), product("o", "Oil", product_type="oil")],
        product_pictures=[picture(name, f"i{name}") for name in "abc"],
        image_texts=[texts("ia", "ALBA mint"), texts("ib", "mint")],
        image_features=[features("ia"), features("ib", schema="net/8"), features("ic") | {"regions": nan}],
        attribute_definitions=DEFINITIONS,
    )
    return Shop(tables, models)
