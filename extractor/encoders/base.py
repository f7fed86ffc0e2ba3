"""What an encoder of words promises: frozen vectors for isolated texts, whatever made them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt
import torch

Vectors = npt.NDArray[np.float32]


class Encoder(Protocol):
    """Gives words (of OCR, of vocabularies, of questions) their vectors; nothing in it is trained with a model."""

    @classmethod
    def create(cls, config: Any, texts: Sequence[str]) -> Self:  # each encoder has its own Config
        """A new encoder; `texts` are the training texts, for those that learn from them."""

    @property
    def dim(self) -> int:
        """Floats a vector."""

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """[len(texts), dim] float32: a text has the same vector whatever stands beside it; no letters, all zeros."""

    def to(self, device: torch.device) -> None:
        """Compute there from now on."""

    def save(self, folder: Path) -> None:
        """Write safetensors and JSON, all that `load` needs; `folder` is made."""

    @classmethod
    def load(cls, folder: Path, config: Any) -> Self:
        """The encoder that `save` wrote; ModelError where the files do not fit."""
