"""A prepared warehouse as files: what teaches, what is asked and what is true, so that many runs need no Spark."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter

from extractor import vocabulary
from extractor.models.base import Knowledge
from extractor.records import DEFINITIONS, Definition, Example
from jobs import catalogue, config, evaluate, inputs, lessons, pinned
from jobs.evaluate import Fact
from jobs.inputs import Schemas
from jobs.session import open_session
from jobs.tables import Tables
from schemas.enums import Split
from schemas.examples import EXAMPLES
from schemas.products import PRODUCTS

ASKED, INDEX = "asked", "index.json"
FACTS = TypeAdapter(list[Fact])


class Exported(NamedTuple):
    """All that a run without Spark needs."""

    taught: dict[Split, list[Example]]
    asked: list[Example]
    """Products of the truth, with all that their type defines asked of them."""
    facts: list[Fact]
    definitions: tuple[Definition, ...]
    schemas: Schemas
    feature_dim: int

    def knowledge(self, train: Sequence[Example], *, min_count: int) -> Knowledge:
        """What a model is told before it learns from some of these examples."""
        said = (
            (example.product_type, question.attribute, question.answer)
            for example in train
            for question in example.asked
            if question.answer is not None
        )
        return Knowledge(
            definitions=self.definitions,
            vocabularies=vocabulary.build(self.definitions, said, min_count=min_count),
            feature_schema=self.schemas.features,
            feature_dim=self.feature_dim,
            ocr_schema=self.schemas.ocr,
        )


def export(conf: config.Conf, folder: Path, *, splits: Sequence[str]) -> None:
    """Write a warehouse's newest examples, and the products of its truth that lie in some splits."""
    spark = open_session("benchmark", conf.spark)
    tables = Tables(spark, conf.warehouse)
    lesson = lessons.read(tables, pinned.in_use(conf))
    paths = lessons.export(lesson, folder)
    known = catalogue.read(tables)
    truth = evaluate.with_families(
        evaluate.read_truth(spark, conf.evaluate.truth),
        tables.read(PRODUCTS).where("is_current"),
        tables.read_or_empty(EXAMPLES),
    )
    facts = [fact for fact in evaluate.facts_of(truth, conf.label) if fact.split in splits]
    wanted = spark.createDataFrame([(fact.product_id,) for fact in facts], "product_id string").distinct()
    pages = inputs.pages(
        known.products.join(wanted, on="product_id", how="left_semi"),
        known.pictures,
        known.texts,
        known.features,
        lesson.schemas,
    )
    asked = inputs.with_features(inputs.ask(pages, known.definitions), known.features, lesson.schemas)
    asked.write.mode("overwrite").parquet(str(folder / ASKED))
    index = {
        "content": lesson.content,
        "taught": {str(split): str(path.relative_to(folder)) for split, path in paths.items()},
        "definitions": DEFINITIONS.dump_python(tuple(lesson.definitions), mode="json"),
        "schemas": lesson.schemas,
        "feature_dim": lesson.feature_dim,
        "facts": FACTS.dump_python(facts, mode="json"),
    }
    (folder / INDEX).write_text(json.dumps(index, ensure_ascii=False), encoding="utf-8")  # last: it says all is there


def content(folder: Path) -> str:
    """A hash of what teaches."""
    return str(json.loads((folder / INDEX).read_text(encoding="utf-8"))["content"])


def load(folder: Path) -> Exported:
    """Read what `export` wrote."""
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    return Exported(
        taught={Split(split): lessons.load(folder / path).examples for split, path in index["taught"].items()},
        asked=lessons.load(folder / ASKED).examples,
        facts=FACTS.validate_python(index["facts"]),
        definitions=tuple(DEFINITIONS.validate_python(index["definitions"])),
        schemas=Schemas(*index["schemas"]),
        feature_dim=index["feature_dim"],
    )
