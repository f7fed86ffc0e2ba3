"""Put a reader of spans and a generator together as one model, and register it.

    python -m jobs.combine --conf conf/local.yaml --day 2026-01-15
    python -m jobs.enrich ... --set enrich.model=combined

Both are registered models; how their answers become one, with one confidence, is learnt from the validation examples,
which taught neither. The same two models and examples are combined once. A version of the combination holds the files
of both, so they may move on without it.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path

from extractor import batches, checkpoint
from extractor.errors import ContractError, ModelError
from extractor.models import combined
from extractor.predictor import Config as Batches
from extractor.records import Example
from jobs import learning, lessons, pinned, registry, runs
from jobs.learning import Learnt
from schemas.enums import Split

MODEL = "combined"
"""The component."""


def main(argv: Sequence[str] | None = None) -> None:
    """The story of the job."""
    with runs.job("combine", argv, doc=__doc__) as job:
        conf, own = job.conf, job.conf.combine
        models = registry.connect(
            conf.registry.tracking_uri, conf.registry.experiment, artifacts_root=conf.registry.artifacts
        )
        members = [models.resolve(name, str(own.version)) for name in (own.spans, own.generator)]
        lesson = lessons.read(job.tables, pinned.in_use(conf))
        hashes = [member.model_hash for member in members]
        fingerprint = hashlib.sha256(json.dumps([lesson.content, *hashes, own.strength]).encode()).hexdigest()[:16]
        known = models.trained(own.name, fingerprint)
        if known is None:
            path = lessons.export(lesson, Path(conf.train.folder))[Split.VALIDATION]
            learnt = combine(job, [member.folder for member in members], path, lesson, fingerprint)
            known = learning.register(models, learnt, conf, fingerprint, name=own.name, promote=own.promote)
            job.counts |= {"combined": 1}
        else:
            job.say(f"{pinned.named(own.name, known)} is exactly this: nothing to combine")
            job.counts |= {"combined": 0}
        if own.promote:
            models.promote(own.name, known)
        job.model_version = pinned.named(own.name, known)


def combine(job: runs.Job, folders: Sequence[Path], path: Path, lesson: lessons.Lesson, fingerprint: str) -> Learnt:
    """Load both members, ask them the validation examples, fit, save."""
    began = time.monotonic()
    taught = lessons.load(path)
    if not any(example.asked for example in taught.examples):
        thing = f"examples {lesson.examples_id}"
        raise ContractError(thing, f"none of the {Split.VALIDATION} split", "some, which taught neither model")
    loaded = [checkpoint.load(folder, device="cpu") for folder in folders]
    cards = [one.card for one in loaded]
    read = {schema: common(cards, schema) for schema in ("feature_schema", "ocr_schema")}
    for (schema, needed), held in zip(read.items(), (lesson.schemas.features, lesson.schemas.ocr), strict=True):
        if needed not in ("", held):
            raise ModelError(
                f"models to combine, {schema}", repr(needed), f"{held!r}, which conf (read_images, ingest) makes"
            )
    settings = combined.Config(
        spans=combined.Member(name=cards[0].model, config=cards[0].config),
        generator=combined.Member(name=cards[1].model, config=cards[1].config),
        strength=job.conf.combine.strength,
    )
    model = combined.Model(settings, lesson.definitions, spans=loaded[0].model, generator=loaded[1].model)
    model.define(lesson.definitions)
    model.fit(batched(taught.examples, job.conf.enrich.batches))
    job.counts |= {"validation_pairs": sum(len(example.asked) for example in taught.examples)}
    folder = Path(job.conf.train.folder) / "runs" / fingerprint / "model"
    folder.parent.mkdir(parents=True, exist_ok=True)
    card = checkpoint.save(
        folder,
        model,
        name=MODEL,
        config=settings,
        feature_schema=read["feature_schema"],
        ocr_schema=read["ocr_schema"],
        examples_id=lesson.examples_id,
    )
    return Learnt(folder, card, None, time.monotonic() - began)


def batched(examples: Sequence[Example], most: Batches) -> list[list[Example]]:
    """Examples of like length together, as enrich asks them."""
    asked = [example for example in examples if example.asked]
    lengths = [batches.length(example) for example in asked]
    cut = batches.by_length(lengths, max_products=most.max_batch_products, max_tokens=most.max_batch_tokens)
    return [[asked[place] for place in batch] for batch in cut]


def common(cards: Sequence[checkpoint.Card], schema: str) -> str:
    """What both read of a kind; one that reads none of it does not mind."""
    named = {getattr(card, schema) for card in cards} - {""}
    if len(named) > 1:
        raise ModelError(f"models to combine, {schema}", " and ".join(sorted(named)), "the same for both")
    return named.pop() if named else ""


if __name__ == "__main__":
    main()
