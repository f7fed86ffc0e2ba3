"""Weights by path: a state dict is read without trusting its file, goes in by key name, and is named by its hash."""

import hashlib
from functools import cache
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from extractor.errors import ConfigError

FILE = "an existing .safetensors or .pth file"
STATE_DICT = "a state dict (names and tensors alone)"


def named(path: str, seed: int, *, key: str) -> str:
    """Twelve digits of the SHA-256 of a file of weights, or which random ones stand in where there is none."""
    return _hash_file(path, key) if path else f"random{seed}"


def read(path: str, *, key: str) -> dict[str, Any]:  # tensors; torch is imported late
    """A state dict without running anything that the file may hold; `key` is where conf names the path."""
    import torch  # noqa: PLC0415  # seconds, for those who read pictures
    from safetensors import SafetensorError  # noqa: PLC0415  # as above
    from safetensors.torch import load_file  # noqa: PLC0415  # brings torch

    if not Path(path).is_file():
        raise ConfigError(key, path, FILE)
    try:
        if path.endswith(".safetensors"):
            return load_file(path)
        state: object = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, UnpicklingError, RuntimeError, EOFError) as error:
        raise ConfigError(key, path, f"{STATE_DICT}; it cannot be read as one") from error
    if not isinstance(state, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
        raise ConfigError(key, path, STATE_DICT)
    return dict(state)


def load(network: Any, state: dict[str, Any], path: str, *, key: str, expected: str) -> None:  # as above
    """Put every tensor where its name says; the first name that is missing, surplus or of another shape is told."""
    own = network.state_dict()
    shapes = ((name, tensor.shape, own[name].shape) for name, tensor in state.items() if name in own)
    for name, found, wanted in shapes:
        if found != wanted:
            raise ConfigError(key, path, f"{expected} (size mismatch for {name}: {list(found)}, not {list(wanted)})")
    # torch itself forgives old files that never counted the batches of their norms.
    missing, surplus = network.load_state_dict(state, strict=False)
    for names, what in ((missing, "missing"), (surplus, "unexpected")):
        if names:
            raise ConfigError(key, path, f"{expected} ({what} key: {names[0]})")


@cache
def _hash_file(path: str, key: str) -> str:
    if not Path(path).is_file():
        raise ConfigError(key, path, FILE)
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:12]
