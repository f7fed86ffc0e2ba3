"""A span model of a few thousand weights, on the catalogue of tiny_pam."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from extractor.models import spans
from extractor.records import Example
from extractor.span_reading import Config as Reads
from tests.extractor import tiny_pam


def config(**changes: Any) -> spans.Config:  # any field of spans.Config or of its `reads`
    """The tiny sizes, with some fields changed."""
    reads = {"longest": 4} | {name: changes.pop(name) for name in list(changes) if name in Reads.__dataclass_fields__}
    tiny = spans.Config(
        text=tiny_pam.SPELLS, words=tiny_pam.SPELLS, tuned_rate=1.0, width=32, dropout=0.0, reads=Reads(**reads)
    )
    return replace(tiny, **changes)


def model(examples: Sequence[Example], seed: int = 0, **changes: Any) -> spans.Model:
    """A fresh tiny span model."""
    return spans.Model.create(config(**changes), tiny_pam.knowledge(examples), examples, seed=seed)
