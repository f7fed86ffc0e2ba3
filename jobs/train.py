"""Teach a model from the newest examples and register it; the same examples, pages and settings are learnt once.

    python -m jobs.train --conf conf/local.yaml --day 2026-01-15

The first version of a name becomes champion, later ones challenger (train.promote: true makes them champion at once).
"""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from extractor import checkpoint, components, training, vocabulary
from extractor.errors import ContractError
from extractor.models.base import Knowledge, Model
from extractor.records import Example
from jobs import config, fitting, lessons, pinned, registry, runs, vocabularies
from jobs.lessons import Lesson
from schemas.enums import Split
from schemas.scores import SCORES


class Learnt(NamedTuple):
    """A model on disk, and how it came about."""

    folder: Path
    card: checkpoint.Card
    fitted: training.Fitted | None
    """None for a model that only counts."""
    seconds: float


def main(argv: Sequence[str] | None = None) -> None:
    """The story of the job."""
    with runs.job("train", argv, doc=__doc__) as job:
        conf = job.conf
        lesson = lessons.read(job.tables, pinned.in_use(conf))
        models = registry.connect(
            conf.registry.tracking_uri, conf.registry.experiment, artifacts_root=conf.registry.artifacts
        )
        fingerprint = identity(lesson, conf)
        known = models.trained(conf.train.name, fingerprint)
        if known is not None:
            job.model_version = pinned.named(conf.train.name, known)
            job.say(f"{job.model_version} has learnt exactly this: nothing to train")
            if conf.train.promote:
                models.promote(conf.train.name, known)
            job.counts |= {"trained": 0}
            return
        paths = lessons.export(lesson, Path(conf.train.folder))
        taught = {split: taught_of(job, split, path) for split, path in paths.items()}
        material = fitting.Material(paths, taught, tuple(lesson.definitions))
        knowledge = know(lesson, taught[Split.TRAIN], min_count=conf.label.min_count)
        vocabularies.store(job, knowledge.vocabularies.values(), examples_id=lesson.examples_id)
        learnt = learn(job, lesson, knowledge, material, Path(conf.train.folder) / "runs" / fingerprint)
        job.model_version = pinned.named(conf.train.name, register(models, learnt, conf, fingerprint))
        job.tables.append(
            job.tables.rows(score_rows(job, learnt), SCORES), SCORES, txn=f"train:{conf.train.name}:{fingerprint}"
        )
        job.counts |= {"trained": 1, "steps": learnt.fitted.steps if learnt.fitted else 0}


def identity(lesson: Lesson, conf: config.Conf) -> str:
    """Names what would be learnt: the same identity needs no second training."""
    loop = {key: value for key, value in asdict(conf.train.loop).items() if key not in training.HOW}
    settings = [conf.model.config, conf.train.augment]
    parts = [lesson.content, conf.model.name, *map(asdict, settings), loop, conf.label.min_count]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def taught_of(job: runs.Job, split: Split, path: Path) -> list[Example]:
    """The examples of a split; says how many could not be read, and why."""
    taught = lessons.load(path)
    job.counts |= {f"{split}_products": len(taught.examples)}
    job.counts |= {f"{split}_pairs": sum(len(example.asked) for example in taught.examples)}
    if taught.problems:
        job.counts |= {f"{split}_unreadable": len(taught.problems)}
        job.say(f"{len(taught.problems):,} {split} rows could not be read, the first: {taught.problems[0]}")
    return taught.examples


def know(lesson: Lesson, train: Sequence[Example], *, min_count: int) -> Knowledge:
    """What a model is told before it learns, from training examples alone."""
    if not train:
        raise ContractError(f"examples {lesson.examples_id}", "none of the training split", "at least one that is kept")
    said = (
        (example.product_type, question.attribute, question.answer)
        for example in train
        for question in example.asked
        if question.answer is not None
    )
    return Knowledge(
        definitions=tuple(lesson.definitions),
        vocabularies=vocabulary.build(lesson.definitions, said, min_count=min_count),
        feature_schema=lesson.schemas.features,
        feature_dim=lesson.feature_dim,
        ocr_schema=lesson.schemas.ocr,
    )


def learn(job: runs.Job, lesson: Lesson, knowledge: Knowledge, material: fitting.Material, folder: Path) -> Learnt:
    """Create, fit (where there is something to fit) and save a model; a killed run goes on where it was."""
    component, own = job.conf.model, job.conf.train
    began = time.monotonic()
    kind = components.offered("models", component.name, key="model.name")
    model: Model = kind.create(component.config, knowledge, material.taught[Split.TRAIN], seed=own.loop.seed)
    save = partial(
        checkpoint.save,
        model=model,
        name=component.name,
        config=component.config,
        feature_schema=lesson.schemas.features,
        ocr_schema=lesson.schemas.ocr,
        examples_id=lesson.examples_id,
    )
    fitted = None
    if fitting.learns(model) and own.processes > 1:
        save(folder / fitting.FRESH)
        fitted = fitting.together(material, own, folder)
        card = checkpoint.read_card(folder / fitting.MODEL)
    else:
        if fitting.learns(model):
            fitted = fitting.alone(model, material, own, folder, job.say)
        card = save(folder / fitting.MODEL)
    return Learnt(folder / fitting.MODEL, card, fitted, time.monotonic() - began)


def register(models: registry.Registry, learnt: Learnt, conf: config.Conf, fingerprint: str) -> str:
    """Log the run, keep the model's files with it, make a version of them."""
    fitted = learnt.fitted
    metrics = {"seconds": learnt.seconds, "steps": float(fitted.steps if fitted else 0)}
    if fitted is not None and fitted.validation_loss is not None:
        metrics["validation_loss"] = fitted.validation_loss
    run_id = models.log(
        f"{conf.train.name} {fingerprint}",
        params=json.loads(config.as_json(conf)),
        history=[asdict(evaluation) for evaluation in fitted.history] if fitted else [],
        metrics=metrics,
        tags={"fingerprint": fingerprint, "examples_id": learnt.card.examples_id},
    )
    version = models.register(
        conf.train.name, learnt.folder, run_id=run_id, fingerprint=fingerprint, model_hash=learnt.card.model_hash
    )
    if conf.train.promote:
        models.promote(conf.train.name, version)
    return version


def score_rows(job: runs.Job, learnt: Learnt) -> list[dict[str, Any]]:  # as tables.rows
    """Rows of SCORES: what the training cost and how it ended."""
    fitted = learnt.fitted
    figures = {"seconds": (Split.TRAIN, learnt.seconds), "steps": (Split.TRAIN, fitted.steps if fitted else 0)}
    if fitted is not None and fitted.validation_loss is not None:
        figures["validation_loss"] = (Split.VALIDATION, fitted.validation_loss)
    return [
        {
            "run_id": job.id,
            "job": job.name,
            "metric": metric,
            "system": job.conf.train.name,
            "split": str(split),
            "product_type": "",
            "attribute": "",
            "slice": "",
            "value": float(value),
            "n": job.counts[f"{split}_pairs"],
            "model_version": job.model_version,
            "day": job.day,
        }
        for metric, (split, value) in figures.items()
    ]


if __name__ == "__main__":
    main()
