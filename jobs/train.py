"""Teach a model from the newest examples and register it; the same examples, pages and settings are learnt once.

    python -m jobs.train --conf conf/local.yaml --day 2026-01-15

The first version of a name becomes champion, later ones challenger (train.promote: true makes them champion at once).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from extractor import training, vocabulary
from extractor.errors import ContractError
from extractor.models.base import Knowledge
from extractor.records import Example
from jobs import config, fitting, learning, lessons, pinned, registry, runs, vocabularies
from jobs.lessons import Lesson
from schemas.enums import Split
from schemas.scores import SCORES


def main(argv: Sequence[str] | None = None) -> None:
    """The story of the job."""
    with runs.job("train", argv, doc=__doc__) as job:
        conf = job.conf
        lesson = lessons.read(job.tables, pinned.in_use(conf))
        models = registry.connect(
            conf.registry.tracking_uri, conf.registry.experiment, artifacts_root=conf.registry.artifacts
        )
        start = None if not conf.train.start_from else models.resolve(conf.train.start_from, registry.CHAMPION)
        fingerprint = identity(lesson, conf, "" if start is None else start.model_hash)
        known = models.trained(conf.train.name, fingerprint)
        if known is not None:
            job.model_version = pinned.named(conf.train.name, known)
            job.say(f"{job.model_version} has learnt exactly this: nothing to train")
            if conf.train.promote:
                models.promote(conf.train.name, known)
            book(job, models.logged(conf.train.name, known), fingerprint)  # a run that was killed here has not
            job.counts |= {"trained": 0}
            return
        paths = lessons.export(lesson, Path(conf.train.folder))
        taught = {split: taught_of(job, split, path) for split, path in paths.items()}
        material = fitting.Material(paths, taught, tuple(lesson.definitions))
        knowledge = know(lesson, taught[Split.TRAIN], min_count=conf.label.min_count)
        vocabularies.store(job, knowledge.vocabularies.values(), examples_id=lesson.examples_id)
        learnt = learning.learn(
            conf,
            knowledge,
            material,
            Path(conf.train.folder) / "runs" / fingerprint,
            examples_id=lesson.examples_id,
            start=None if start is None else start.folder,
            say=job.say,
        )
        version = learning.register(
            models,
            learnt,
            conf,
            fingerprint,
            name=conf.train.name,
            promote=conf.train.promote,
            num_pairs={split: job.counts[f"{split}_pairs"] for split in taught},
        )
        job.model_version = pinned.named(conf.train.name, version)
        book(job, models.logged(conf.train.name, version), fingerprint)
        job.counts |= {"trained": 1, "steps": learnt.fitted.steps if learnt.fitted else 0}
        if learnt.fitted is not None and learnt.fitted.num_unreachable:
            job.counts |= {"train_unreachable": learnt.fitted.num_unreachable}
            job.say(f"{learnt.fitted.num_unreachable:,} taught answers are out of the model's reach")


def identity(lesson: Lesson, conf: config.Conf, start_hash: str = "") -> str:
    """Names what would be learnt: the same identity needs no second training."""
    loop = {key: value for key, value in asdict(conf.train.loop).items() if key not in training.HOW}
    settings = [conf.model.config, conf.train.augment]
    parts = [lesson.content, conf.model.name, *map(asdict, settings), loop, conf.label.min_count, start_hash]
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


def book(job: runs.Job, logged: Mapping[str, float], fingerprint: str) -> None:
    """Append what a training cost and how it ended, once; `logged` is what MLflow holds of it."""
    rows = job.tables.rows(score_rows(job, logged), SCORES)
    job.tables.append(rows, SCORES, txn=f"train:{job.conf.train.name}:{fingerprint}")


def score_rows(job: runs.Job, logged: Mapping[str, float]) -> list[dict[str, Any]]:  # as tables.rows
    """Rows of SCORES."""
    figures = {
        "seconds": ("seconds", Split.TRAIN),
        "steps": ("steps", Split.TRAIN),
        "validation_loss": ("kept_validation_loss", Split.VALIDATION),
    }
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
            "value": logged[name],
            "n": int(logged.get(f"{split}_pairs", 0)),
            "model_version": job.model_version,
            "day": job.day,
        }
        for metric, (name, split) in figures.items()
        if name in logged
    ]


if __name__ == "__main__":
    main()
