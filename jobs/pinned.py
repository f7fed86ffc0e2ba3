"""The model that a run asks: what its alias means now, checked against the catalogue, brought to the executors."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pyspark import SparkContext
from pyspark.sql import DataFrame

from extractor import checkpoint
from extractor.errors import ModelError
from jobs import config, registry
from jobs.inputs import Schemas


class Pinned(NamedTuple):
    """One version of one model, for the whole run, whatever becomes of its alias."""

    name: str
    version: str
    folder: Path
    model_hash: str
    reads: Schemas
    """What it learnt from; an empty name: none."""


def pin(conf: config.Conf) -> Pinned:
    """The model that conf names."""
    where = registry.connect(
        conf.registry.tracking_uri, conf.registry.experiment, artifacts_root=conf.registry.artifacts
    )
    resolved = where.resolve(conf.enrich.model, str(conf.enrich.version))
    card = checkpoint.check(resolved.folder)
    if card.model_hash != resolved.model_hash:
        thing = f"{conf.enrich.model} version {resolved.version} at {resolved.folder}"
        raise ModelError(thing, f"files of hash {card.model_hash}", f"{resolved.model_hash}, as it was registered")
    reads = Schemas(ocr=card.ocr_schema, features=card.feature_schema)
    version = named(conf.enrich.model, resolved.version)
    return Pinned(conf.enrich.model, version, resolved.folder, card.model_hash, reads)


def named(model: str, number: str) -> str:
    """A version's name in our tables, e.g. facetmill/3: numbers alone would mix the versions of two models."""
    return f"{model}/{number}"


def in_use(conf: config.Conf) -> Schemas:
    """Whose readings and features the catalogue has by conf: the imported ones, else those of our own components."""
    imported, own = conf.ingest, conf.read_images
    ocr, features = imported.image_texts.ocr_schema, imported.image_features.feature_schema
    if own.enabled and not imported.image_texts.path:
        ocr = own.ocr.config.schema
    if own.enabled and not imported.image_features.path:
        features = own.regions.config.schema
    return Schemas(ocr=ocr, features=features)


def check(model: Pinned, used: Schemas, *, texts: DataFrame, features: DataFrame) -> None:
    """A model must find what it learnt from, both in conf and in the tables; it is refused before any work."""
    for column, reads, conf, table in (
        ("ocr_schema", model.reads.ocr, used.ocr, texts),
        ("feature_schema", model.reads.features, used.features, features),
    ):
        thing = f"{model.version}, {column}"
        if not reads:
            continue
        if reads != conf:
            raise ModelError(thing, repr(reads), f"{conf!r}, which conf (read_images, ingest) makes")
        held = sorted(row[0] for row in table.select(column).distinct().collect())
        if reads not in held:
            raise ModelError(thing, repr(reads), f"one that the warehouse holds ({', '.join(held) or 'none yet'})")


@contextmanager
def on_executors(context: SparkContext, model: Pinned) -> Iterator[tuple[str, bool]]:
    """Where executors find the files, and whether Spark brings them there; on one machine they are there already."""
    if re.match(r"local($|\[)", str(context.master)):
        yield str(model.folder), False
        return
    name = f"model-{model.model_hash}"
    with tempfile.TemporaryDirectory() as folder:
        # An archive, because Spark adds no local folder to a cluster.
        archive = shutil.make_archive(f"{folder}/{name}", "zip", model.folder)
        context.addArchive(f"{archive}#{name}")
        yield name, True
