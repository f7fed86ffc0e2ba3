"""fastText word vectors, from the catalogue's own text or a published .bin: a word is the mean of its letter groups."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
import torch
from gensim.models import FastText
from gensim.models.fasttext import FastTextKeyedVectors, ft_ngram_hashes, load_facebook_vectors
from safetensors.numpy import load_file, save_file

from extractor import text
from extractor.encoders.base import Vectors
from extractor.errors import ModelError


@dataclass(frozen=True, kw_only=True)
class Config:
    """How the vectors are made."""

    kind: Literal["fasttext"] = "fasttext"
    """Which encoder these settings are for."""
    path: str = ""
    """A .bin of fastText; empty: learn from the training texts. A published one takes about 8 GB of memory."""
    dim: int = 100
    """Floats a vector of learnt ones (S0: 300, from a published .bin)."""
    buckets: int = 50_000
    """Rows for hashed letter groups of learnt ones; the saved table has buckets x dim floats."""
    min_letters: int = 3
    """Letters of the shortest group."""
    max_letters: int = 6
    """Letters of the longest group."""
    epochs: int = 20
    """Passes over the training texts."""
    seed: int = 0
    """Of the start and the sampling."""


class Encoder:
    """Vectors of known words, and of any other by its letter groups; a text of several words is their mean."""

    def __init__(
        self, config: Config, words: Sequence[str], known: Vectors, groups: Vectors, spans: Sequence[int]
    ) -> None:
        self.config = config
        self.words = list(words)
        self.known = known
        self.groups = groups
        self.spans = list(spans)
        """Letters of the shortest and the longest group, as the table was made."""
        self._row = {word: row for row, word in enumerate(self.words)}

    @classmethod
    def create(cls, config: Config, texts: Sequence[str]) -> Self:
        """Learn from texts (one thread, so that the same texts give the same vectors) or read the .bin."""
        if config.path:
            if not Path(config.path).is_file():
                raise ModelError("fastText vectors", config.path, "a .bin file")
            return cls._of(config, load_facebook_vectors(config.path))
        sentences = [list(text.keys(sentence)) for sentence in texts]
        if not any(sentences):
            raise ModelError("fastText vectors", "no word in the training texts", "texts to learn from")
        learnt = FastText(
            sentences,
            vector_size=config.dim,
            bucket=config.buckets,
            min_n=config.min_letters,
            max_n=config.max_letters,
            min_count=1,
            sg=1,
            epochs=config.epochs,
            seed=config.seed,
            workers=1,
        )
        return cls._of(config, learnt.wv)

    @classmethod
    def _of(cls, config: Config, vectors: FastTextKeyedVectors) -> Self:
        spans = (int(vectors.min_n), int(vectors.max_n))
        return cls(config, vectors.index_to_key, vectors.vectors, vectors.vectors_ngrams, spans)

    @property
    def dim(self) -> int:
        """Floats a vector."""
        return int(self.known.shape[1])

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """[len(texts), dim] mean over each text's words; zeros for a text without a word."""
        found = np.zeros((len(texts), self.dim), np.float32)
        for row, sentence in enumerate(texts):
            keys = text.keys(sentence)
            if keys:
                found[row] = np.mean([self._vector(key) for key in keys], axis=0)
        return found

    def to(self, device: torch.device) -> None:
        """Stay on the CPU: this is a look-up."""

    def save(self, folder: Path) -> None:
        """Both tables and the words."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file({"known": self.known, "groups": self.groups}, folder / "vectors.safetensors")
        content = {"config": asdict(self.config), "words": self.words, "spans": self.spans}
        (folder / "encoder.json").write_text(json.dumps(content))

    @classmethod
    def load(cls, folder: Path, config: Config) -> Self:
        """Read what `save` wrote."""
        saved = json.loads((folder / "encoder.json").read_text())
        if saved["config"] != asdict(config):
            raise ModelError("word vectors' settings", saved["config"], str(asdict(config)))
        tables = load_file(folder / "vectors.safetensors")
        return cls(config, saved["words"], tables["known"], tables["groups"], saved["spans"])

    def _vector(self, word: str) -> Vectors:
        row = self._row.get(word)
        if row is not None:
            vector: Vectors = self.known[row]
            return vector
        hashes = ft_ngram_hashes(word, *self.spans, len(self.groups))
        return self.groups[hashes].mean(axis=0) if len(hashes) else np.zeros(self.dim, np.float32)
