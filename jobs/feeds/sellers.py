"""Product feeds as sellers write them (JSON Lines, CSV, Parquet) as one frame; a bad row says what is wrong."""

import re
from functools import partial

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DateType,
    IntegralType,
    MapType,
    StringType,
    StructField,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from extractor.errors import ConfigError, ContractError
from jobs.columns import spark_schema
from jobs.config import ProductFeed
from jobs.feeds.files import ORIGIN, existing, json_lines
from jobs.feeds.lines import COLUMNS, DELETED, LISTS, NUMBERED, PAYLOAD_CHARACTERS, TEXTS, ParseLine, product

ROW = pa.schema(
    [
        *ORIGIN,
        pa.field("product_id", pa.string()),
        pa.field("product_type", pa.string()),
        pa.field("locale", pa.string()),
        pa.field("family_id", pa.string()),
        pa.field("title", pa.string()),
        pa.field("updated_at", pa.string()),
        pa.field("bullets", pa.list_(pa.string())),
        pa.field("images", pa.list_(pa.string())),
        pa.field("attributes", pa.map_(pa.string(), pa.string())),
        pa.field(DELETED, pa.bool_()),
    ]
)
"""A row of any feed, before its values are judged."""
REQUIRED = ("product_id", "product_type", "updated_at")
CORRUPT = "_corrupt"
YES, NO = ("true", "1"), ("", "false", "0")
"""How a cell says that a product is deleted, or that it is not."""


def products(spark: SparkSession, feed: ProductFeed, *, max_characters: int) -> DataFrame:
    """The feed as rows of ROW; an unknown column or a missing file is one error, a bad row is a row with a problem."""
    unknown = [name for name in feed.columns if name not in COLUMNS]
    if unknown:
        raise ConfigError(f"ingest.products.columns.{unknown[0]}", feed.columns[unknown[0]], f"one of {COLUMNS}")
    with existing(feed.path, "ingest.products.path"):
        if feed.format == "jsonl":
            return json_lines(spark, feed.path, _line_parser(feed, max_characters), ROW)
        if feed.format == "csv":
            return _columnar(_csv(spark, feed), feed, max_characters)
        return _columnar(
            spark.read.parquet(feed.path).withColumn(CORRUPT, F.lit(None).cast("string")), feed, max_characters
        )


def _line_parser(feed: ProductFeed, max_characters: int) -> ParseLine:
    columns, attribute_columns = feed.columns, feed.attribute_columns
    return partial(product, columns=columns, attribute_columns=attribute_columns, max_characters=max_characters)


def _csv(spark: SparkSession, feed: ProductFeed) -> DataFrame:
    """All cells as text, lists split; a line with another number of cells than the header is kept whole in CORRUPT."""
    reader = spark.read.options(header=True, multiLine=True, escape='"', enforceSchema=False)
    header = reader.csv(feed.path).schema
    if "attributes" in header.names and not feed.attribute_columns:
        raise ConfigError("ingest.products.attribute_columns", {}, "attribute: column; csv has no map `attributes`")
    reader = reader.option("columnNameOfCorruptRecord", CORRUPT)
    frame = reader.schema(StructType([*header, StructField(CORRUPT, StringType())])).csv(feed.path)
    lists = [name for name in (feed.columns.get(ours, ours) for ours in LISTS) if name in header.names]
    return frame.withColumns({name: _items(_column(name), feed.list_separator) for name in lists})


def _items(cell: Column, separator: str) -> Column:
    """The items of a list within a cell."""
    trimmed = F.transform(F.split(cell, re.escape(separator)), lambda item: F.trim(item))  # noqa: PLW0108  # trim alone would be given the place as the characters
    return F.filter(trimmed, lambda item: item != "")


def _columnar(frame: DataFrame, feed: ProductFeed, max_characters: int) -> DataFrame:
    """Typed columns as rows of ROW."""
    kinds = {field.name: field.dataType for field in frame.schema}
    names = {ours: feed.columns.get(ours, ours) for ours in COLUMNS}
    needed = {ours: names[ours] for ours in COLUMNS if ours in REQUIRED or ours in feed.columns}
    for ours, name in {**needed, **feed.attribute_columns}.items():
        if name not in kinds:
            known = ", ".join(column for column in kinds if column != CORRUPT)
            raise ContractError(f"feed {feed.path}", f"no column '{name}'", f"one for {ours}; there are {known}")
    present = {ours: name for ours, name in names.items() if name in kinds}
    for ours, name in present.items():
        if not _readable(ours, kinds[name]) and not (ours == "attributes" and feed.attribute_columns):
            found = kinds[name].simpleString()
            raise ContractError(f"feed {feed.path}, column '{name}'", found, f"a type that can hold {ours}")
    given = {ours: _given(ours, _column(name), kinds[name]) for ours, name in present.items()}
    if feed.attribute_columns:
        given["attributes"] = _stated({name: _column(column) for name, column in feed.attribute_columns.items()})
    row = F.to_json(F.struct(*(_column(name) for name in kinds if name != CORRUPT)))
    types = {field.name: field.dataType for field in spark_schema(ROW)}
    given.setdefault(DELETED, F.lit(False))
    columns = [given.get(ours, F.lit(None)).cast(types[ours]).alias(ours) for ours in COLUMNS]
    payload = F.substring(F.make_valid_utf8(F.coalesce(CORRUPT, row)), 1, PAYLOAD_CHARACTERS)
    read = frame.select(F.col("_metadata.file_name").alias("source"), payload.alias("payload"), CORRUPT, *columns)
    return read.withColumn("problem", _problem(max_characters)).select(*ROW.names)


def _readable(ours: str, kind: DataType) -> bool:
    """Whether a column's type can be what it stands for."""
    if ours in LISTS:
        return isinstance(kind, ArrayType) and isinstance(kind.elementType, StringType)
    if ours == "attributes":
        return isinstance(kind, StructType) or (isinstance(kind, MapType) and isinstance(kind.keyType, StringType))
    if ours == DELETED:
        return isinstance(kind, StringType | BooleanType)
    if ours == "updated_at":
        return isinstance(kind, StringType | TimestampType | TimestampNTZType | DateType)
    return isinstance(kind, StringType) or (ours in NUMBERED and isinstance(kind, IntegralType))


def _given(ours: str, column: Column, kind: DataType) -> Column:
    if ours == "attributes" and isinstance(kind, StructType):
        return _stated({name: column.getField(name) for name in kind.names})
    if ours == DELETED:
        said = F.coalesce(F.lower(F.trim(column.cast("string"))), F.lit(""))
        return F.when(said.isin(*YES), True).when(said.isin(*NO), False)
    return column


def _stated(columns: dict[str, Column]) -> Column:
    """Columns as a map; an empty cell says nothing, for a table has a cell for every attribute."""
    entries = [
        F.struct(F.lit(name).alias("key"), column.cast("string").alias("value")) for name, column in columns.items()
    ]
    return F.map_from_entries(F.filter(F.array(*entries), lambda entry: entry["value"].isNotNull()))


def _problem(max_characters: int) -> Column:
    """The first problem of a row's texts; null where there is none."""
    torn = F.when(F.col(CORRUPT).isNotNull(), "row: found more or fewer cells than the header, expected as many")
    checks = [torn, *(_text_problem(name, F.col(name), max_characters) for name in TEXTS)]
    checks.append(F.when(F.col(DELETED).isNull(), f"{DELETED}: found another word, expected true or false"))
    items = {name: F.col(name) for name in LISTS}
    items["attributes"] = F.concat(F.map_keys("attributes"), F.map_values("attributes"))
    for name, column in items.items():
        wrong = F.filter(column, lambda item: _text_problem("", item, max_characters).isNotNull())
        checks.append(_text_problem(name, F.get(wrong, F.lit(0)), max_characters))
    return F.coalesce(*checks)


def _text_problem(name: str, value: Column, max_characters: int) -> Column:
    found = F.format_string(f"{name}: found %,d characters, expected at most {max_characters:,}", F.length(value))
    broken = f"{name}: found what is no UTF-8, expected valid Unicode"
    return F.when(~F.is_valid_utf8(value), broken).when(F.length(value) > max_characters, found)


def _column(name: str) -> Column:
    return F.col(f"`{name}`")
