"""Trees of settings, whatever they are for: read from YAML and from the command line, checked against dataclasses."""

import json
from collections.abc import Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError, create_model

from extractor.errors import ConfigError


def read(file: str) -> dict[str, Any]:
    """The settings of a YAML file."""
    path = Path(file)
    if not path.is_file():
        raise ConfigError("--conf", file, "an existing YAML file")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError("--conf", file, f"valid YAML ({error})") from error
    if not isinstance(content, dict):
        raise ConfigError("--conf", file, "a YAML mapping of settings")
    return content


def override(text: str) -> dict[str, Any]:
    """The tree of `a.b=c`."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ConfigError("--set", text, "key=value, for example enrich.device=cpu")
    tree: Any = _value(value)
    for part in reversed(key.split(".")):
        tree = {part: tree}
    return dict(tree)


def _value(text: str) -> object:
    """YAML where it is valid; else the text as it stands, which is what `'tea' = product_type` and other SQL mean."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def checked(kind: Any, tree: Mapping[str, Any], *, prefix: str) -> Any:  # a dataclass type and its instance
    """A tree as a dataclass, strictly; the first problem is a ConfigError whose key begins with `prefix`."""
    strict = create_model("Strict", __config__=ConfigDict(strict=True, extra="forbid"), tree=(kind, ...))
    try:
        # JSON, because strict JSON still reads a list as a tuple and a string as an enumeration.
        return TypeAdapter(strict).validate_json(json.dumps({"tree": tree}, default=str)).tree  # type: ignore[attr-defined]  # made above
    except ValidationError as error:
        first = error.errors()[0]
        key = prefix + ".".join(str(part) for part in first["loc"][1:])
        raise ConfigError(key, _found(first), _expected(first)) from None
    except ConfigError as error:
        raise _placed(error, kind, tree, prefix) from None


def _placed(error: ConfigError, kind: Any, tree: Mapping[str, Any], prefix: str) -> ConfigError:
    """The complaint of a section's own __post_init__, which names its field alone, under the whole key."""
    for name, section in get_type_hints(kind).items():
        if is_dataclass(section) and isinstance(tree.get(name), Mapping):
            checked(section, tree[name], prefix=f"{prefix}{name}.")
    key, found, expected = error.args
    return ConfigError(f"{prefix}{key}", found, expected)


def _found(error: Any) -> object:  # pydantic's ErrorDetails
    return "nothing" if error["type"] == "missing" else error["input"]


def _expected(error: Any) -> str:  # pydantic's ErrorDetails
    if error["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return "no such key"
    if error["type"] in ("missing", "missing_argument", "missing_keyword_only_argument"):
        return "a value"
    if error["type"] == "dataclass_type":
        return "a mapping of settings"
    return str(error["msg"])
