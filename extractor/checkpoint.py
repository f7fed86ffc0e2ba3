"""Models on disk: plain files beside a card that names the component, its settings and every file's hash.

The card's own hash is the model's identity: two folders with one `model_hash` answer alike.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pydantic import ConfigDict, TypeAdapter, ValidationError, create_model

from extractor import components
from extractor.errors import ModelError
from extractor.models.base import Model

CARD = "card.json"
FORMAT = 1
"""Raised when an older reader would misread a newer folder."""
AS_SAVED = "a card as `save` writes it"


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a checkpoint says of itself."""

    format: int
    model: str
    """The component: extractor/models/<model>.py."""
    config: dict[str, Any]  # the component's own Config, as JSON
    """The component's settings."""
    feature_schema: str
    """What image features it reads; empty for none."""
    ocr_schema: str
    """What read the packs it learnt from; empty for none."""
    examples_id: str
    """The snapshot of examples that taught it."""
    files: dict[str, str]
    """Path below the folder to SHA-256 of the content."""

    @property
    def model_hash(self) -> str:
        """SHA-256 of settings, schemas and files: what this model is."""
        return hashlib.sha256(_as_json(asdict(self)).encode()).hexdigest()


class Loaded(NamedTuple):
    """A model with what its checkpoint says of it."""

    model: Model
    card: Card


def save(
    folder: Path, model: Model, *, name: str, config: Any, feature_schema: str, ocr_schema: str, examples_id: str
) -> Card:  # `config` is the component's own Config
    """Write a model beside its card; a killed save leaves what stood there before."""
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    model.save(unfinished)
    card = Card(
        format=FORMAT,
        model=name,
        config=TypeAdapter(type(config)).dump_python(config, mode="json"),
        feature_schema=feature_schema,
        ocr_schema=ocr_schema,
        examples_id=examples_id,
        files={path.relative_to(unfinished).as_posix(): _sha256(path) for path in _files(unfinished)},
    )
    content = {**asdict(card), "model_hash": card.model_hash}
    (unfinished / CARD).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    if folder.exists():
        read_card(folder)  # only a checkpoint is ever replaced
        shutil.rmtree(folder)
    unfinished.rename(folder)
    return card


def load(
    folder: Path, *, device: torch.device | str, feature_schema: str | None = None, ocr_schema: str | None = None
) -> Loaded:
    """Read what `save` wrote, after checking every file; a schema that is given must be the model's own."""
    card = check(folder)
    _check_schema(folder, "feature_schema", card.feature_schema, feature_schema)
    _check_schema(folder, "ocr_schema", card.ocr_schema, ocr_schema)
    if card.model not in components.names("models"):
        raise ModelError(f"{folder}, model", repr(card.model), f"one of {', '.join(components.names('models'))}")
    module = components.module("models", card.model, key="model.name")
    config = _read(module.Config, card.config, f"{folder / CARD}, config", f"settings of {module.__name__}")
    return Loaded(module.Model.load(folder, config, device=torch.device(device)), card)


def check(folder: Path) -> Card:
    """The card of a checkpoint after a look at every file: one that is damaged, missing or added is a ModelError."""
    card = read_card(folder)
    _check_files(folder, card)
    return card


def read_card(folder: Path) -> Card:
    """The card of a checkpoint, whole and untouched; its files are not read."""
    path = folder / CARD
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(str(folder), f"no {CARD}", "a folder that a checkpoint was saved to") from None
    except ValueError as error:
        raise ModelError(str(path), f"no JSON ({error})", AS_SAVED) from None
    if not isinstance(content, dict):
        raise ModelError(str(path), f"a {type(content).__name__}", AS_SAVED)
    claimed = content.pop("model_hash", None)
    card: Card = _read(Card, content, str(path), AS_SAVED)
    if card.format != FORMAT:
        raise ModelError(str(path), f"format {card.format}", f"format {FORMAT}")
    if claimed != card.model_hash:
        raise ModelError(str(path), f"content of hash {card.model_hash}", f"{claimed}, as it was saved")
    return card


def _read(kind: type, content: object, thing: str, expected: str) -> Any:  # an instance of `kind`
    """Fill a dataclass from JSON; an unknown key or a wrong type at any depth is a ModelError that names it."""
    strict: Any = create_model("Strict", __config__=ConfigDict(strict=True, extra="forbid"), content=(kind, ...))
    try:
        # JSON, because strict JSON still reads a list as a tuple.
        return strict.model_validate_json(json.dumps({"content": content})).content
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"][1:])
        raise ModelError(thing, f"{key}: {first['msg']}", expected) from None


def _check_schema(folder: Path, kind: str, own: str, given: str | None) -> None:
    if given is not None and given != own:
        raise ModelError(f"{folder}, {kind}", f"a catalogue of {given!r}", f"{own!r}, which it learnt from")


def _check_files(folder: Path, card: Card) -> None:
    for name in card.files:
        if not (folder / name).resolve().is_relative_to(folder.resolve()):  # .., an absolute path, a link
            raise ModelError(f"{folder / CARD}, files", repr(name), "a path inside the folder")
    found = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
    for name in sorted(found.keys() ^ card.files.keys()):
        state = ("a file that the card does not name", "no such file") if name in found else ("no file", "one")
        raise ModelError(str(folder / name), *state)
    for name, expected in card.files.items():
        sha256 = _sha256(found[name])
        if sha256 != expected:
            raise ModelError(str(found[name]), f"content of SHA-256 {sha256}", f"{expected}, as the card says")


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if not path.is_dir() and path != folder / CARD)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _as_json(content: object) -> str:
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
