"""Attribute definitions as an operator writes them: YAML, CSV or Parquet, checked as a whole before anything else."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pyspark.sql import SparkSession

from extractor import text
from extractor.errors import ContractError
from jobs.config import DefinitionFeed
from jobs.feeds.files import existing
from schemas.enums import Kind, Pictures

SEPARATOR = "|"
"""CSV: between the options of a cell; a cell that starts with [ is JSON."""


class Option(BaseModel):
    """A closed value with the other names that it goes by."""

    model_config = ConfigDict(extra="forbid")

    value: str = Field(min_length=1)
    aliases: list[str] = []


class Entry(BaseModel):
    """One definition of the file; what has no default must be there."""

    model_config = ConfigDict(extra="forbid")

    product_type: str = Field(min_length=1)
    attribute: str = Field(min_length=1)
    question: str = Field(min_length=1)
    kind: Kind = Kind.TEXT
    options: list[Option] | None = None
    inferable: bool = False
    pictures: Pictures = Pictures.ALL
    precision_target: float | None = Field(default=None, gt=0, lt=1)
    multiple: bool = False

    @field_validator("options", mode="before")
    @classmethod
    def _plain_options(cls, options: object) -> object:
        """A plain string is an option without aliases."""
        if not isinstance(options, list):
            return options
        return [{"value": option} if isinstance(option, str) else option for option in options]


def read(spark: SparkSession, feed: DefinitionFeed, *, precision_target: float) -> list[dict[str, Any]]:
    """Rows of attribute_definitions; the first problem is a ContractError that names the definition and its field."""
    entries = [_entry(row, number, feed.path) for number, row in enumerate(_rows(spark, feed), start=1)]
    if not entries:
        raise ContractError(f"definitions {feed.path}", "no definition", "at least one")
    named = Counter((entry.product_type, entry.attribute) for entry in entries)
    twice = [f"{product_type}.{attribute}" for (product_type, attribute), count in named.items() if count > 1]
    if twice:
        raise ContractError(f"definitions {feed.path}", f"{twice[0]} more than once", "each attribute of a type once")
    return [_row(entry, precision_target) for entry in entries]


def _rows(spark: SparkSession, feed: DefinitionFeed) -> list[Mapping[str, Any]]:
    """The file's entries as it writes them."""
    with existing(feed.path, "ingest.definitions.path"):
        if feed.format == "yaml":
            return _yaml(spark, feed.path)
        if feed.format == "csv":
            table = spark.read.csv(feed.path, header=True, multiLine=True, escape='"')
            return [_csv(row.asDict()) for row in table.collect()]
        return [_present(row.asDict(recursive=True)) for row in spark.read.parquet(feed.path).collect()]


def _yaml(spark: SparkSession, path: str) -> list[Mapping[str, Any]]:
    content = spark.read.text(path, wholetext=True).collect()
    try:
        entries = yaml.safe_load("\n".join(row.value for row in content))
    except yaml.YAMLError as error:
        raise ContractError(f"definitions {path}", f"no YAML ({error})", "a YAML list of definitions") from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ContractError(f"definitions {path}", type(entries).__name__, "a YAML list of mappings, one a definition")
    return entries


def _csv(row: Mapping[str, Any]) -> Mapping[str, Any]:
    present = _present(row)
    options = present.get("options")
    if options is None:
        return present
    if options.startswith("["):
        try:
            return present | {"options": json.loads(options)}
        except ValueError:
            return present  # the text itself is the wrong type, which the entry's check says
    return present | {"options": [option.strip() for option in options.split(SEPARATOR)]}


def _present(row: Mapping[str, Any]) -> dict[str, Any]:
    """A table has a cell for everything: an empty one is what was left out."""
    return {name: value for name, value in row.items() if value is not None}


def _entry(row: Mapping[str, Any], number: int, path: str) -> Entry:
    thing = f"definitions {path}, entry {number} ({row.get('product_type')}.{row.get('attribute')})"
    try:
        entry = Entry.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        found = "nothing" if first["type"] == "missing" else repr(first["input"])
        raise ContractError(f"{thing}, {field}", found, first["msg"]) from None
    if entry.multiple:
        raise ContractError(f"{thing}, multiple", "true", "one value an attribute; several are not supported yet")
    names = Counter(
        name for option in entry.options or () for name in {text.keys(name) for name in (option.value, *option.aliases)}
    )
    twice = [" ".join(name) for name, count in names.items() if count > 1]
    if twice:
        raise ContractError(f"{thing}, options", f"'{twice[0]}' under two options", "each name under one option")
    return entry


def _row(entry: Entry, precision_target: float) -> dict[str, Any]:
    row = entry.model_dump(mode="json", exclude={"multiple"})
    return row | {"precision_target": precision_target if entry.precision_target is None else entry.precision_target}
