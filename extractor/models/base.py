"""What a model promises: the one door through which train, enrich, tests and notebooks use it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

import torch
from torch import Tensor

from extractor.records import DEFINITIONS, Definition, Example, Prediction
from extractor.vocabulary import Vocabulary


class Knowledge(NamedTuple):
    """What a model is told about the catalogue before it learns: made from training examples alone."""

    definitions: tuple[Definition, ...]
    vocabularies: Mapping[tuple[str, str], Vocabulary]
    """V[product type, attribute]; ('*', attribute) serves product types that training never saw."""
    feature_schema: str
    """What image features must be of; empty where the catalogue has none."""
    feature_dim: int
    """Floats a vector; 0 where the catalogue has no features."""
    ocr_schema: str
    """What read the packs; empty where the catalogue has no OCR."""


def write_knowledge(knowledge: Knowledge) -> dict[str, Any]:  # JSON
    """Knowledge as JSON, for a model's folder."""
    return knowledge._asdict() | {
        "definitions": DEFINITIONS.dump_python(knowledge.definitions, mode="json"),
        "vocabularies": [asdict(vocabulary) for vocabulary in knowledge.vocabularies.values()],
    }


def read_knowledge(content: Mapping[str, Any]) -> Knowledge:  # as above
    """What `write_knowledge` wrote."""
    given = [Vocabulary(**entry | {"words": tuple(entry["words"])}) for entry in content["vocabularies"]]
    definitions = DEFINITIONS.validate_python(content["definitions"])
    vocabularies = {(vocabulary.product_type, vocabulary.attribute): vocabulary for vocabulary in given}
    return Knowledge(**{**content, "definitions": definitions, "vocabularies": vocabularies})


class Model(Protocol):
    """Answers questions about products; `value` None means unknown."""

    @classmethod
    def create(cls, config: Any, knowledge: Knowledge, examples: Sequence[Example], *, seed: int) -> Self:
        """A fresh model; `examples` (training split, with answers) fit what is counted rather than learnt."""

    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        """One prediction a question, in the order of examples and their questions; batches are the caller's."""

    def define(self, definitions: Sequence[Definition]) -> None:
        """Answer by these definitions from now on: attributes may have joined, questions and options changed."""

    def save(self, folder: Path) -> None:
        """Write plain files (safetensors, JSON) that `load` reads."""

    @classmethod
    def load(cls, folder: Path, config: Any, *, device: torch.device) -> Self:
        """The model that `save` wrote, on a device; ModelError where files do not fit."""


class Trainable(Model, Protocol):
    """What the training loop knows of a model, and nothing more."""

    @property
    def module(self) -> torch.nn.Module:
        """The weights."""

    def encode(self, examples: Sequence[Example]) -> list[Any]:
        """Each product as ragged arrays on the CPU, in order: pure, so the loop may keep them for every epoch.

        `num_unreachable` of a product counts its labelled questions whose answer the model cannot give.
        """

    def collate(self, encoded: Sequence[Any]) -> Any:
        """Encoded products as one padded batch of tensors on the CPU: the model's own NamedTuple."""

    def loss(self, batch: Any) -> Tensor:
        """The mean training loss of a batch (moved to the module's device), in training mode."""

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Optimiser groups with `params` and `lr_scale`, the share of the base learning rate."""


class Settling(Trainable, Protocol):
    """A model that chooses something once its weights are fitted."""

    def settle(self, validation: Sequence[Example]) -> None:
        """Choose on examples that taught nothing; without any, what its settings say stays."""


class Pretrainable(Trainable, Protocol):
    """A model whose weights may first learn other tasks (extractor/pretraining.py)."""

    def inherit(self, other: Any) -> None:
        """Start from the weights of another of its kind; ModelError where sizes differ."""
