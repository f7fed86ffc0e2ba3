"""Published weights of a T5: config.json and tensors, of a folder or of a hub's name; nothing in them is run."""

import json
import pickle
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers.utils.hub import cached_file

from extractor.errors import ModelError
from extractor.nn.t5 import T5, Sizes

TIED = ("lm_head.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight")
"""Other names of `shared.weight`."""
UNUSED = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
"""Old checkpoints have it; no code reads it."""
NAMED = 3
"""Keys that a message shows."""


def load(folder: Path | str) -> tuple[T5, Sizes]:
    """The T5 of a local folder or, where there is none, of a hub's name such as t5-small; float32, ready to predict.

    ModelError where a file is missing or damaged, where settings are not supported, or where the weights are others.
    """
    sizes = Sizes.of(_read_json(_needed(folder, "config.json")))
    tensors = {name: tensor.float() for name, tensor in _tensors(folder)}
    for name in TIED:
        if name in tensors and "shared.weight" in tensors and not torch.equal(tensors[name], tensors["shared.weight"]):
            raise ModelError(f"{folder}", f"{name} unlike shared.weight", "a T5 whose output is tied to its embeddings")
    held = {name: tensor for name, tensor in tensors.items() if name not in (*TIED, UNUSED)}
    with torch.device("meta"):  # no weight is drawn only to be thrown away
        model = T5(sizes)
    wanted = model.state_dict().keys()
    _refuse(folder, "without", wanted - held.keys())
    _refuse(folder, "with unknown", held.keys() - wanted)
    try:
        model.load_state_dict(held, assign=True)
    except RuntimeError as error:  # a shape
        raise ModelError(f"{folder}", error, "weights of the sizes in its config.json") from error
    return model.requires_grad_(True).train(False), sizes


def _refuse(folder: Path | str, fault: str, names: set[str]) -> None:
    if names:
        shown = ", ".join(sorted(names)[:NAMED]) + (", ..." if len(names) > NAMED else "")
        raise ModelError(f"{folder}", f"{len(names)} weights {fault}: {shown}", "exactly the weights of a T5")


def _tensors(folder: Path | str) -> Iterator[tuple[str, Tensor]]:
    """Every tensor of the first format found, be it one file or several with an index."""
    for name, read in FORMATS.items():
        whole = _find(folder, name)
        if whole is not None:
            yield from _opened(whole, read).items()
            return
        index = _find(folder, f"{name}.index.json")
        if index is not None:
            for part in _parts(index):
                yield from _opened(_needed(folder, part), read).items()
            return
    raise ModelError(f"{folder}", "no weights", " or ".join(FORMATS))


def _parts(index: Path) -> list[str]:
    """The files that an index names, none of them outside its own folder."""
    placed = _read_json(index).get("weight_map")
    if not isinstance(placed, dict) or not all(
        isinstance(part, str) and Path(part).name == part for part in placed.values()
    ):
        raise ModelError(str(index), "no weight_map of plain file names", "a name of a file beside it for each weight")
    return sorted(set(placed.values()))


def _opened(path: Path, read: Callable[[Path], Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
    try:
        return read(path)
    except (SafetensorError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ModelError(str(path), error, "tensors and nothing else") from error


def _unpickled(path: Path) -> Mapping[str, Tensor]:
    found: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return found


FORMATS: Mapping[str, Callable[[Path], Mapping[str, Tensor]]] = {
    "model.safetensors": load_file,
    "pytorch_model.bin": _unpickled,
}
"""The safer one first."""


def _read_json(path: Path) -> dict[str, Any]:  # whoever reads a value of it checks its type
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(str(path), error, "JSON") from error
    if not isinstance(found, dict):
        raise ModelError(str(path), type(found).__name__, "a JSON object")
    return found


def _needed(folder: Path | str, name: str) -> Path:
    found = _find(folder, name)
    if found is None:
        raise ModelError(f"{folder}", f"no {name}", "the folder, or the name on a hub that can be reached, of a T5")
    return found


def _find(folder: Path | str, name: str) -> Path | None:
    """The file in the folder or, where no such folder is, of the hub."""
    if Path(folder).is_dir():
        path = Path(folder) / name
        return path if path.is_file() else None
    try:
        cached = cached_file(str(folder), name, _raise_exceptions_for_missing_entries=False)
    except OSError as error:  # offline, or no such name
        raise ModelError(f"{folder}", error, "a folder, or a name on a hub that can be reached") from error
    return None if cached is None else Path(cached)
