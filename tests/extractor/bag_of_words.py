"""The smallest real model that can be trained: it classifies means of word vectors; some rows break it on purpose."""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from extractor.models.base import Knowledge
from extractor.records import Definition, Example, Prediction
from schemas.enums import State

BUCKETS = 64
OPTIONS = (None, "tea", "soap", "dog food")


class Encoded(NamedTuple):
    """One product: hashed words and the number of the answer to each question."""

    words: list[int]
    answers: list[int]
    num_unreachable: int = 0


class Batch(NamedTuple):
    """B products, W words."""

    words: Tensor
    """[B, W], padded with zeros."""
    present: Tensor
    """[B, W], False in padding."""
    answers: Tensor
    """[B]."""


class BagOfWords:
    """Answers one question a product; `dropout` makes a training step random."""

    def __init__(self, seed: int = 0, dropout: float = 0.0) -> None:
        torch.manual_seed(seed)
        self.module = nn.ModuleDict({"word": nn.Embedding(BUCKETS, 8), "option": nn.Linear(8, len(OPTIONS))})
        self.module["frozen"] = nn.Linear(2, 2).requires_grad_(False)
        self.dropout = dropout

    @classmethod
    def create(cls, config: None, knowledge: Knowledge, examples: Sequence[Example], *, seed: int) -> Self:
        return cls(seed)

    def define(self, definitions: Sequence[Definition]) -> None:
        """Its question is fixed."""

    def encode(self, examples: Sequence[Example]) -> list[Encoded]:
        return [
            Encoded(
                [zlib.crc32(word.encode()) % BUCKETS for word in (example.title or "").split()],
                [OPTIONS.index(question.answer) for question in example.asked],
            )
            for example in examples
        ]

    def collate(self, encoded: Sequence[Encoded]) -> Batch:
        width = max(len(product.words) for product in encoded) + 1
        rows = [product.words + [0] * (width - len(product.words)) for product in encoded]
        present = [[place < len(product.words) for place in range(width)] for product in encoded]
        return Batch(torch.tensor(rows), torch.tensor(present), torch.tensor([p.answers[0] for p in encoded]))

    def score(self, batch: Batch) -> Tensor:
        vector_BWD = self.module["word"](batch.words) * batch.present[..., None]
        mean_BD = vector_BWD.sum(1) / batch.present.sum(1, keepdim=True).clamp(min=1)
        dropped_BD = nn.functional.dropout(mean_BD, self.dropout, training=self.module.training)
        return torch.as_tensor(self.module["option"](dropped_BD))

    def loss(self, batch: Batch) -> Tensor:
        return nn.functional.cross_entropy(self.score(batch), batch.answers)

    def parameter_groups(self) -> list[dict[str, object]]:
        return [
            {"params": list(self.module["word"].parameters()), "lr_scale": 1.0},
            {"params": list(self.module["option"].parameters()), "lr_scale": 0.5, "weight_decay": 0.0},
        ]

    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        if any("POISON" in (example.title or "") for example in examples):
            raise ValueError("a word that breaks the whole batch")
        if len(examples) > 1 and any("HUGE" in (example.title or "") for example in examples):
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.module.eval()
        with torch.no_grad():
            share_BO = self.score(self.collate(self.encode(examples))).softmax(-1)
        return [
            Prediction(
                product_id=example.product_id,
                product_type=example.product_type,
                attribute=question.attribute,
                input_hash=question.input_hash,
                state=State.UNKNOWN if (best := int(share_O.argmax())) == 0 else State.VALUE,
                value=OPTIONS[best],
                score=float("nan") if "NAN" in (example.title or "") else float(share_O[best]),
            )
            for example, share_O in zip(examples, share_BO, strict=True)
            for question in example.asked
        ]

    def save(self, folder: Path) -> None:
        save_file(self.module.state_dict(), folder / "weights.safetensors")

    @classmethod
    def load(cls, folder: Path, config: None, *, device: torch.device) -> Self:
        model = cls()
        model.module.load_state_dict(load_file(folder / "weights.safetensors"))
        model.module.to(device)
        return model
