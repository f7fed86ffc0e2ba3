"""The folder is the registry: `name: tesseract` in conf is extractor/ocr/tesseract.py, imported only when chosen.

Every component module offers `Config`, a frozen keyword-only dataclass, and the class that its folder's base.py
describes (`Reader`, `Detector`, `Encoder`, `Model`).
"""

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from extractor.errors import ConfigError

OFFERS = {"ocr": "Reader", "regions": "Detector", "encoders": "Encoder", "models": "Model"}


def names(folder: str) -> list[str]:
    """The components that stand in a folder."""
    files = (Path(__file__).parent / folder).glob("*.py")
    return sorted(file.stem for file in files if file.stem not in ("__init__", "base"))


def module(folder: str, name: str, *, key: str) -> ModuleType:
    """Import one component; an unknown name is a ConfigError under `key` that lists the known ones."""
    if name not in names(folder):
        raise ConfigError(key, name, f"one of {', '.join(names(folder))}")
    return import_module(f"extractor.{folder}.{name}")


def offered(folder: str, name: str, *, key: str) -> Any:  # the class differs from folder to folder
    """The class that a component offers."""
    return getattr(module(folder, name, key=key), OFFERS[folder])
