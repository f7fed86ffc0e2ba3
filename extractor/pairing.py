"""Two checkpoints put together as one: a span model and a generator become `extractor/models/combined.py`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from extractor import batches, checkpoint
from extractor.checkpoint import Card
from extractor.errors import ModelError
from extractor.models import combined
from extractor.predictor import Config as Batches
from extractor.records import Definition, Example

SCHEMAS = ("feature_schema", "ocr_schema")


class Pair(NamedTuple):
    """Both models as one, and what they read."""

    model: combined.Model
    schemas: Mapping[str, str]
    """Of SCHEMAS, by name; empty where neither reads any."""


def pair(folders: Sequence[Path], definitions: Sequence[Definition], *, strength: float) -> Pair:
    """Load a span model and a generator from their folders; nothing is fitted yet."""
    spans, generator = (checkpoint.load(folder, device="cpu") for folder in folders)
    config = combined.Config(spans=_member(spans.card), generator=_member(generator.card), strength=strength)
    model = combined.Model(config, definitions, spans=spans.model, generator=generator.model)
    model.define(definitions)
    return Pair(model, {schema: common((spans.card, generator.card), schema) for schema in SCHEMAS})


def fit(model: combined.Model, examples: Sequence[Example], most: Batches) -> None:
    """Learn how to combine, asking in batches as enrich does."""
    asked = [example for example in examples if example.asked]
    lengths = [batches.length(example) for example in asked]
    cut = batches.by_length(lengths, max_products=most.max_batch_products, max_tokens=most.max_batch_tokens)
    model.fit([[asked[place] for place in batch] for batch in cut])


def save(folder: Path, pair: Pair, *, examples_id: str) -> Card:
    """Write the combination with both members as a checkpoint."""
    return checkpoint.save(
        folder, pair.model, name="combined", config=pair.model.config, examples_id=examples_id, **pair.schemas
    )


def common(cards: Sequence[Card], schema: str) -> str:
    """What both read of a kind; one that reads none of it does not mind."""
    named = {getattr(card, schema) for card in cards} - {""}
    if len(named) > 1:
        raise ModelError(f"models to combine, {schema}", " and ".join(sorted(named)), "the same for both")
    return named.pop() if named else ""


def _member(card: Card) -> combined.Member:
    return combined.Member(name=card.model, config=card.config)
