"""Teach a writing model tasks that the catalogue's own pages set, without a label, before it learns attributes.

    python -m jobs.pretrain --conf conf/local.yaml --conf conf/models/mxt.yaml --day 2026-01-15
    python -m jobs.train ... --set train.start_from=mxt-pretrained

The model is registered as <train.name>-pretrained; the newest version is its champion. The same pages and settings are
learnt once, and a killed run goes on where it was. Pictures' features are not read.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

from extractor import augment, components, pretraining, training
from extractor.errors import ConfigError, ContractError
from extractor.models.base import Knowledge
from jobs import catalogue, config, fitting, inputs, learning, lessons, pinned, registry, runs
from jobs.inputs import Schemas
from schemas.enums import Split
from schemas.image_texts import IMAGE_TEXTS
from schemas.products import PRODUCTS

SUFFIX = "-pretrained"
VALIDATION = 0.02
"""Share of the tasks that validate and do not teach."""


class Pages(NamedTuple):
    """The catalogue's pages as files."""

    path: Path
    ocr_schema: str
    content: str
    """A hash of all that they hold."""


def main(argv: Sequence[str] | None = None) -> None:
    """The story of the job."""
    with runs.job("pretrain", argv, doc=__doc__) as job:
        conf = job.conf
        check(conf)
        name = f"{conf.train.name}{SUFFIX}"
        models = registry.connect(
            conf.registry.tracking_uri, conf.registry.experiment, artifacts_root=conf.registry.artifacts
        )
        pages = export(job, Path(conf.train.folder))
        fingerprint = identity(pages, conf)
        known = models.trained(name, fingerprint)
        if known is not None:
            job.model_version = pinned.named(name, known)
            job.say(f"{job.model_version} has learnt exactly this: nothing to train")
            models.promote(name, known)
            job.counts |= {"trained": 0}
            return
        read = lessons.load(pages.path)
        for problem in read.problems[:1]:
            job.say(f"{len(read.problems):,} pages could not be read, the first: {problem}")
        tasks = pretraining.tasks(read.examples, conf.pretrain, seed=conf.train.loop.seed)
        if not tasks.examples:
            raise ContractError(f"table {PRODUCTS.name}", "no page with two words", "text to learn from")
        taught, held_back = pretraining.held_back(tasks.examples, VALIDATION)
        job.counts |= {"pages": len(read.examples), "unreadable": len(read.problems), "tasks": len(taught)}
        own = replace(conf, train=replace(conf.train, augment=NOTHING, loop=loop(conf)))
        learnt = learning.learn(
            own,
            Knowledge(tasks.definitions, {}, feature_schema="", feature_dim=0, ocr_schema=pages.ocr_schema),
            fitting.Material({}, {Split.TRAIN: taught, Split.VALIDATION: held_back}, tasks.definitions),
            Path(conf.train.folder) / "runs" / fingerprint,
            examples_id=pages.content,
            start=None,
            say=job.say,
        )
        version = learning.register(models, learnt, own, fingerprint, name=name, promote=True)
        job.model_version = pinned.named(name, version)
        job.counts |= {"trained": 1, "steps": learnt.fitted.steps if learnt.fitted else 0}


NOTHING = augment.Config()
"""Tasks are made anew from the pages: no changed copies."""


def check(conf: config.Conf) -> None:
    """Refuse what cannot pretrain before anything is read."""
    kind = components.offered("models", conf.model.name, key="model.name")
    if not fitting.pretrains(kind):
        raise ConfigError("model.name", conf.model.name, f"one that can be pretrained: {fitting.pretrainable()}")
    if conf.train.processes > 1:
        raise ConfigError("train.processes", conf.train.processes, "1: pretraining learns in one process")


def loop(conf: config.Conf) -> training.Config:
    """The training loop of train, with pretraining's own length."""
    return replace(conf.train.loop, steps=conf.pretrain.steps)


def export(job: runs.Job, folder: Path) -> Pages:
    """Write every current product's page as Parquet, unless a run before has finished the same."""
    known = catalogue.read(job.tables)
    ocr = lessons.held(job.tables.read_or_empty(IMAGE_TEXTS), "ocr_schema", pinned.in_use(job.conf).ocr)
    schemas = Schemas(ocr, features="")
    pages = inputs.pages(known.products, known.pictures, known.texts, known.features, schemas)
    rows = inputs.ask(pages, known.definitions).persist()
    content = hashlib.sha256(json.dumps([*schemas, inputs.content(rows)]).encode()).hexdigest()[:16]
    path = folder / "pages" / content
    if not (path / "_SUCCESS").exists():
        inputs.with_features(rows, known.features, schemas).write.mode("overwrite").parquet(str(path))
    rows.unpersist()

    return Pages(path, ocr, content)


def identity(pages: Pages, conf: config.Conf) -> str:
    """Names what would be learnt: the same identity needs no second training."""
    own = {key: value for key, value in asdict(loop(conf)).items() if key not in training.HOW}
    parts = [pages.content, conf.model.name, asdict(conf.model.config), asdict(conf.pretrain), own]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


if __name__ == "__main__":
    main()
