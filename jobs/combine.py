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
from collections.abc import Mapping, Sequence
from pathlib import Path

from extractor import pairing
from extractor.errors import ContractError, ModelError
from jobs import fitting, learning, lessons, pinned, registry, runs
from jobs.inputs import Schemas
from jobs.learning import Learnt
from schemas.enums import Split


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
            if own.promote:
                models.promote(own.name, known)
            job.counts |= {"combined": 0}
        job.model_version = pinned.named(own.name, known)


def combine(job: runs.Job, folders: Sequence[Path], path: Path, lesson: lessons.Lesson, fingerprint: str) -> Learnt:
    """Load both members, ask them the validation examples, fit, save."""
    began = time.monotonic()
    taught = lessons.load(path)
    if not any(example.asked for example in taught.examples):
        thing = f"examples {lesson.examples_id}"
        raise ContractError(thing, f"none of the {Split.VALIDATION} split", "some, which taught neither model")
    pair = pairing.pair(folders, lesson.definitions, strength=job.conf.combine.strength)
    check(pair.schemas, lesson.schemas)
    pairing.fit(pair.model, taught.examples, job.conf.enrich.batches)
    job.counts |= {"validation_pairs": sum(len(example.asked) for example in taught.examples)}
    folder = Path(job.conf.train.folder) / "runs" / fingerprint / fitting.MODEL
    card = pairing.save(folder, pair, examples_id=lesson.examples_id)
    return Learnt(folder, card, None, time.monotonic() - began)


def check(needed: Mapping[str, str], held: Schemas) -> None:
    """Refuse members that read what the catalogue does not have."""
    for schema, own in (("feature_schema", held.features), ("ocr_schema", held.ocr)):
        if needed[schema] not in ("", own):
            made = f"{own!r}, which conf (read_images, ingest) makes"
            raise ModelError(f"models to combine, {schema}", repr(needed[schema]), made)


if __name__ == "__main__":
    main()
