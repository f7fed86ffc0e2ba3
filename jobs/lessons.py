"""What a model is taught: the newest examples as rows of schemas.model_inputs, exported once and read without Spark."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import pyarrow.dataset as ds
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from extractor.errors import ContractError
from extractor.records import Definition, Example, example_from_row
from jobs import answers, inputs
from jobs.inputs import Schemas
from jobs.tables import Tables
from schemas.attribute_definitions import ATTRIBUTE_DEFINITIONS
from schemas.enums import Split
from schemas.examples import EXAMPLES
from schemas.image_features import IMAGE_FEATURES
from schemas.image_texts import IMAGE_TEXTS
from schemas.model_inputs import MODEL_INPUTS
from schemas.product_pictures import PRODUCT_PICTURES
from schemas.products import PRODUCTS

SPLITS = (Split.TRAIN, Split.VALIDATION)
"""What learning may see; no other split is ever exported."""


class Lesson(NamedTuple):
    """Everything that teaches a model."""

    examples_id: str
    schemas: Schemas
    feature_dim: int
    """Floats a vector; 0 without features."""
    definitions: list[Definition]
    rows: Mapping[Split, DataFrame]
    """The small side of the model's inputs, with answers."""
    features: DataFrame
    content: str
    """A hash of all that can be learnt from: examples, pages, features and definitions."""


class Taught(NamedTuple):
    """One split as records."""

    examples: list[Example]
    problems: list[str]
    """Why rows were left out: one line each."""


def read(tables: Tables, used: Schemas) -> Lesson:
    """The newest snapshot of examples, with each product as it was when it was labelled."""
    texts, features = tables.read_or_empty(IMAGE_TEXTS), tables.read_or_empty(IMAGE_FEATURES)
    schemas = Schemas(held(texts, "ocr_schema", used.ocr), held(features, "feature_schema", used.features))
    examples_id, kept = newest(tables.read(EXAMPLES))
    definitions = tables.read(ATTRIBUTE_DEFINITIONS)
    revisions = kept.select("product_id", "content_hash").distinct()
    products = tables.read(PRODUCTS).join(revisions, on=["product_id", "content_hash"], how="left_semi")
    pages = inputs.pages(products, tables.read_or_empty(PRODUCT_PICTURES), texts, features, schemas)
    asked = inputs.ask(pages, definitions)
    rows = {split: inputs.labelled(asked, kept.where(F.col("split") == split)).persist() for split in SPLITS}
    known = answers.records(definitions)
    dims = features.where(F.col("feature_schema") == schemas.features).agg(F.coalesce(F.max("dim"), F.lit(0)))
    taught = [examples_id, *schemas, [asdict(one) for one in known], [inputs.content(rows[split]) for split in SPLITS]]
    content = hashlib.sha256(json.dumps(taught).encode()).hexdigest()[:16]
    return Lesson(examples_id, schemas, dims.collect()[0][0], known, rows, features, content)


def newest(examples: DataFrame) -> tuple[str, DataFrame]:
    """The newest snapshot's name and those of its examples that are worth learning."""
    # A run's id holds its day and start, so the greatest is the newest.
    examples_id = examples.agg(F.max_by("examples_id", "run_id")).collect()[0][0]
    if examples_id is None:
        raise ContractError(f"table {EXAMPLES.name}", "no example", "at least one; run label first")
    return examples_id, examples.where((F.col("examples_id") == examples_id) & F.col("kept"))


def held(table: DataFrame, column: str, used: str) -> str:
    """The schema that conf names, empty where nothing was ever read; a table of other schemas alone is refused."""
    schemas = sorted(row[0] for row in table.select(column).distinct().collect())
    if schemas and used and used not in schemas:
        raise ContractError(
            f"{column} of the warehouse", ", ".join(schemas), f"{used!r} as in conf; run read_images first"
        )
    return used if schemas else ""


def export(lesson: Lesson, folder: Path) -> dict[Split, Path]:
    """Write each split as Parquet, unless a run before has finished it."""
    paths = {split: folder / "inputs" / lesson.content / split for split in SPLITS}
    for split, path in paths.items():
        if not (path / "_SUCCESS").exists():
            rows = inputs.with_features(lesson.rows[split], lesson.features, lesson.schemas)
            rows.write.mode("overwrite").parquet(str(path))
    return paths


def load(path: Path) -> Taught:
    """Read exported rows as records, in an order that no file layout can change; a broken row is left out, and said."""
    taught = Taught([], [])
    for batch in ds.dataset(path, schema=MODEL_INPUTS.schema, format="parquet").to_batches():
        for row in batch.to_pylist():
            try:
                taught.examples.append(example_from_row(row))
            except ContractError as error:
                taught.problems.append(f"product {row['product_id']}: {error}")
    taught.examples.sort(key=lambda example: (example.product_id, example.asked[0].attribute))
    return taught
