"""Snapshots of vocabularies as rows: what evidence of vocabulary words points into."""

from collections.abc import Iterable
from typing import Any

from extractor.vocabulary import Vocabulary
from jobs import runs


def rows(
    job: runs.Job, snapshots: Iterable[Vocabulary], *, examples_id: str
) -> list[dict[str, Any]]:  # as tables.rows takes them
    """Rows of VOCABULARIES."""
    return [
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
