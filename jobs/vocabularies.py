"""Snapshots of vocabularies as rows: what evidence of vocabulary words points into."""

from collections.abc import Iterable

from extractor.vocabulary import Vocabulary
from jobs import runs
from schemas.vocabularies import VOCABULARIES


def store(job: runs.Job, snapshots: Iterable[Vocabulary], *, examples_id: str) -> None:
    """Add snapshots; one that is there already stays as it is."""
    rows = [
        {
            "vocab_id": known.vocab_id,
            "product_type": known.product_type,
            "attribute": known.attribute,
            "words": list(known.words),
            "examples_id": examples_id,
            "run_id": job.id,
        }
        for known in snapshots
    ]
    job.tables.upsert(job.tables.rows(rows, VOCABULARIES), VOCABULARIES, when="false")
