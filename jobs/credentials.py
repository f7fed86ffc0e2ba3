"""Secrets: none in conf, none in messages. They come from the environment or from the machine's role."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence

from extractor.errors import ConfigError

VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
)
"""Where the environment keeps them."""
SHORTEST = 4
"""Characters of a value that is blotted out; shorter ones would blot out half of every message."""
CONFS = "spark.confs."
"""The settings whose names are not ours."""
_NAMED = re.compile(r"secret|password|passwd|session\.token|access\.key|account\.key|encryption\.key", re.IGNORECASE)
_IN_ADDRESS = re.compile(r"(?<=://)([^/\s:@]*):([^/\s@]+)(?=@)")
"""user:password of an address."""


def refuse(tree: Mapping[str, object]) -> None:
    """Settings that hold a secret are a ConfigError, which does not repeat it: conf is logged, stored and committed."""
    for key, value in _settings(tree):
        named = key.startswith(CONFS) and _NAMED.search(key) and value not in ("", None)
        if named or (isinstance(value, str) and _IN_ADDRESS.search(value)):
            variables = ", ".join(VARIABLES)
            raise ConfigError(key, "a secret", f"none: the environment ({variables}, PGPASSWORD) or a role holds it")


def redacted(text: str) -> str:
    """A message without what the environment keeps secret and without passwords in addresses."""
    for name in VARIABLES:
        value = os.environ.get(name, "")
        if len(value) >= SHORTEST:
            text = text.replace(value, f"<{name}>")
    return _IN_ADDRESS.sub(r"\1:<password>", text)


def _settings(tree: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Every leaf by its dotted key."""
    if isinstance(tree, Mapping):
        for name, value in tree.items():
            yield from _settings(value, f"{key}.{name}" if key else str(name))
    elif isinstance(tree, Sequence) and not isinstance(tree, str):
        for value in tree:
            yield from _settings(value, key)
    else:
        yield key, tree
