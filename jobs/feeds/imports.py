"""OCR and image features made elsewhere, in our contracts: checked row by row, stored once.

A row names its picture by `image_hash` (SHA-256 of the bytes) or, where the bytes are not at hand, by the `uri` that
products list; the picture then goes under a hash of that uri, marked so that it is not mistaken for one of bytes.
"""

import re
from functools import partial, reduce

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType, DataType, IntegralType, StringType

from extractor.errors import ConfigError, ContractError
from jobs import quarantine
from jobs.columns import spark_schema
from jobs.config import ImageFeatureFeed, ImageTextFeed
from jobs.feeds import blobs
from jobs.feeds.files import ORIGIN, existing, json_lines
from jobs.feeds.lines import image_text, rekognition
from jobs.runs import Job
from schemas.enums import Status
from schemas.image_features import IMAGE_FEATURES
from schemas.image_texts import IMAGE_TEXTS
from schemas.table import Table

BY_URI = "uri:"
"""Before the hash of a uri, which stands where the hash of bytes would."""
MADE = ("content_hash", "run_id")
"""Columns that ingest fills."""
PLACE = ("file", "row_index")
"""Where a row of a file lies: its blobs are found again by it and never shuffled."""
EDGES = ("x1", "y1", "x2", "y2")


def _row(table: Table) -> pa.Schema:
    """A row of a table as others write it."""
    given = [pa.field(field.name, field.type) for field in table.schema if field.name not in MADE]
    return pa.schema([*ORIGIN, pa.field("uri", pa.string()), *given])


TEXT = _row(IMAGE_TEXTS)
FEATURE = pa.schema([*_row(IMAGE_FEATURES), pa.field("file", pa.string()), pa.field("row_index", pa.int64())])
SEEN = pa.schema(
    [
        *(field for field in FEATURE if field.name not in IMAGE_FEATURES.blobs),
        pa.field("content_hash", pa.string()),
    ]
)
"""A row of features without its blobs."""


def image_texts(spark: SparkSession, feed: ImageTextFeed) -> DataFrame:
    """Rows of TEXT with content_hash and problem; none where nothing is imported."""
    if not feed.path:
        return _judged(
            spark.createDataFrame([], spark_schema(TEXT)).withColumn("content_hash", F.lit("")), "ocr_schema"
        )
    if not feed.ocr_schema:
        raise ConfigError("ingest.image_texts.ocr_schema", feed.ocr_schema, "the schema that imported OCR is of")
    with existing(feed.path, "ingest.image_texts.path"):
        if feed.format == "parquet":
            rows = _named(spark.read.parquet(feed.path), TEXT, feed.path, needed=("ocr_schema", "tokens"))
        else:
            imported = partial(rekognition, ocr_schema=feed.ocr_schema)
            parse_line = imported if feed.format == "rekognition" else image_text
            rows = json_lines(spark, feed.path, parse_line, TEXT)
    tokens = F.coalesce("tokens", F.when(F.col("status") == str(Status.FAILED), F.array()))
    checked = (
        rows.withColumn("status", F.coalesce("status", F.lit(str(Status.OK))))
        .withColumn("reason", _reason())
        .withColumn("tokens", tokens.cast(spark_schema(TEXT)["tokens"].dataType))
        .withColumn("problem", F.coalesce("problem", *_picture_problems(), *_text_problems(feed.ocr_schema)))
        .withColumn("content_hash", F.sha2(F.to_json("tokens"), 256))
    )
    return _judged(checked, "ocr_schema")


def image_features(spark: SparkSession, feed: ImageFeatureFeed, *, ocr_schema: str) -> DataFrame:
    """Rows of SEEN with content_hash and problem: the blobs are read to be examined and stay where they lie."""
    if not feed.path:
        return _judged(spark.createDataFrame([], spark_schema(SEEN)), "feature_schema")
    if not feed.feature_schema:
        raise ConfigError(
            "ingest.image_features.feature_schema", feed.feature_schema, "the schema that features are of"
        )
    with existing(feed.path, "ingest.image_features.path"):
        rows = _features(spark, feed)
    problems = _feature_problems(feed.feature_schema, ocr_schema)
    checked = rows.withColumn("problem", F.coalesce("problem", *_picture_problems(), *problems))
    seen = checked.mapInArrow(lambda batches: blobs.examine(batches, SEEN), schema=spark_schema(SEEN))
    return _judged(seen, "feature_schema")


def write(job: Job, texts: DataFrame, features: DataFrame) -> None:
    """Store what is new, quarantine what is bad, and count both."""
    tables, feeds = job.tables, job.conf.ingest
    if feeds.image_texts.path:
        key = ["image_hash", "ocr_schema", "content_hash"]
        stored = tables.read_or_empty(IMAGE_TEXTS).select(*key)
        fresh = texts.where("chosen").join(stored, on=key, how="left_anti").withColumn("run_id", F.lit(job.id))
        tables.create(IMAGE_TEXTS)
        if not fresh.isEmpty():
            tables.upsert(fresh.select(*IMAGE_TEXTS.columns), IMAGE_TEXTS)
        _count(job, texts, "image_texts")
    if feeds.image_features.path:
        key = ["image_hash", "feature_schema"]
        seen = unlike_stored(features, tables.read_or_empty(IMAGE_FEATURES).select(*key, "content_hash"))
        after = tables.number_read(IMAGE_FEATURES, job.name)
        fresh = seen.where("fresh").select(*PLACE, "image_hash", "content_hash")
        tables.create(IMAGE_FEATURES)
        if not fresh.isEmpty():
            # The places of new rows are small; broadcast, so that blobs go from file to table without a shuffle.
            bytes_of = _features(job.spark, feeds.image_features).drop("image_hash")
            rows = bytes_of.join(F.broadcast(fresh), on=list(PLACE), how="inner").withColumn("run_id", F.lit(job.id))
            rows = rows.select(*IMAGE_FEATURES.columns)
            tables.append_next(rows, IMAGE_FEATURES, stream=job.name, after=after, note=job.id)
        _count(job, seen, "image_features")


def known(job: Job, uris: DataFrame, *imported: DataFrame) -> DataFrame:
    """Which of the uris have a reading that came along, now or earlier: (uri, image_hash, status, reason)."""
    if not (job.conf.ingest.image_texts.path or job.conf.ingest.image_features.path):
        return uris.select("uri", *(F.lit("").alias(name) for name in ("image_hash", "status", "reason"))).where(
            "false"
        )
    tables = (table for table in (IMAGE_TEXTS, IMAGE_FEATURES) if job.tables.exists(table))
    stored = [job.tables.read(table).select("image_hash", "status", "reason") for table in tables]
    by_uri = uris.withColumn("image_hash", _by_uri(F.col("uri")))
    found = [
        by_uri.join(readings.select("image_hash").distinct(), on="image_hash", how="left_semi") for readings in stored
    ]
    named = [frame.where("chosen AND uri IS NOT NULL").select("uri", "image_hash") for frame in imported]
    pairs = reduce(DataFrame.unionByName, (frame.select("uri", "image_hash") for frame in [*named, *found]))
    named_once = pairs.groupBy("uri").agg(F.min("image_hash").alias("image_hash"))
    return named_once.join(verdicts(reduce(DataFrame.unionByName, stored)), on="image_hash", how="inner")


def verdicts(readings: DataFrame) -> DataFrame:
    """What became of each picture: ok where any reading of it is, else failed with a reason."""
    any_ok = F.bool_or(F.col("status") == Status.OK)
    return readings.groupBy("image_hash").agg(
        F.when(any_ok, str(Status.OK)).otherwise(str(Status.FAILED)).alias("status"),
        F.when(~any_ok, F.min("reason")).alias("reason"),
    )


def unlike_stored(features: DataFrame, stored: DataFrame) -> DataFrame:
    """Mark what is `fresh`; other features under a stored picture and schema are a problem."""
    compared = features.join(
        stored.withColumnRenamed("content_hash", "stored_hash"), on=["image_hash", "feature_schema"], how="left"
    )
    other = F.col("chosen") & (F.col("stored_hash") != F.col("content_hash"))
    message = "picture %s: found other features than are stored under feature_schema '%s', expected the same"
    problem = F.coalesce("problem", F.when(other, F.format_string(message, "image_hash", "feature_schema")))
    return compared.withColumn("problem", problem).withColumn("fresh", F.col("chosen") & F.col("stored_hash").isNull())


def _count(job: Job, rows: DataFrame, name: str) -> None:
    """Count a feed's rows and quarantine the bad ones."""
    bad = F.col("problem").isNotNull()
    total, refused = rows.agg(F.count("*"), F.count_if(bad)).first() or (0, 0)
    job.counts |= {name: total, f"{name}_quarantined": refused}
    key = F.coalesce("image_hash", F.concat(F.lit("row "), F.substring(F.sha2("payload", 256), 1, 12)))
    reason = F.concat(
        F.lit(f"{name} of "), F.coalesce("uri", "image_hash", F.lit("no picture")), F.lit(", "), "problem"
    )
    quarantine.add(
        job, rows.where(bad).select("source", key.alias("key"), reason.alias("reason"), "payload"), part=name
    )


def _judged(rows: DataFrame, schema_column: str) -> DataFrame:
    """Choose one row a picture and schema; two that say different things refuse each other."""
    picture = F.coalesce("image_hash", _by_uri(F.col("uri")))
    usable = F.col("problem").isNull()
    same = Window.partitionBy("image_hash", schema_column, usable)
    first = same.orderBy("source", *(name for name in ("row_index",) if name in rows.columns))
    twice = usable & (F.min("content_hash").over(same) != F.max("content_hash").over(same))
    message = "picture %s: found two contents under one " + schema_column + ", expected one"
    return (
        rows.withColumn("image_hash", picture)
        .withColumn("twice", twice)
        .withColumn("chosen", usable & ~F.col("twice") & (F.row_number().over(first) == 1))
        .withColumn("problem", F.coalesce("problem", F.when(F.col("twice"), F.format_string(message, "image_hash"))))
        .drop("twice")
    )


def _reason() -> Column:
    """Why a reading failed; nothing that failed is without a reason."""
    failed = F.col("status") == Status.FAILED
    return F.coalesce("reason", F.when(failed, "it failed where it was read, and no reason came along"))


def _by_uri(uri: Column) -> Column:
    return F.concat(F.lit(BY_URI), F.sha2(uri, 256))


def _features(spark: SparkSession, feed: ImageFeatureFeed) -> DataFrame:
    needed = ("feature_schema", "num_regions", "dim", "boxes", "regions")
    rows = _named(spark.read.parquet(feed.path), FEATURE, feed.path, needed=needed)
    return rows.withColumns(
        {
            "num_tokens": F.coalesce("num_tokens", F.lit(0)),
            "token_vectors": F.coalesce("token_vectors", F.lit(b"")),
            "status": F.coalesce("status", F.lit(str(Status.OK))),
            "reason": _reason(),
        }
    )


def _named(frame: DataFrame, schema: pa.Schema, path: str, *, needed: tuple[str, ...]) -> DataFrame:
    """The columns of a Parquet file by name, in our types; a missing or foreign one is an error of the whole file."""
    kinds = {field.name: field.dataType for field in frame.schema}
    missing = [name for name in needed if name not in kinds]
    if not {"image_hash", "uri"} & set(kinds):
        missing.append("image_hash or uri")
    if missing:
        raise ContractError(f"file {path}", f"no column {missing[0]}", f"one; there are {', '.join(kinds)}")
    types = {field.name: field.dataType for field in spark_schema(schema)}
    for name in set(kinds) & set(types):
        if not _readable(kinds[name], types[name]):
            raise ContractError(f"file {path}, {name}", kinds[name].simpleString(), types[name].simpleString())
    small = [F.col(name) for name in kinds if name in types and not isinstance(types[name], BinaryType)]
    made = {
        "source": F.col("_metadata.file_name"),
        "payload": F.to_json(F.struct(*small)),
        "file": F.col("_metadata.file_path"),
        "row_index": F.col("_metadata.row_index"),
    }
    given = {name: F.transform(name, _token) if name == "tokens" else F.col(name) for name in kinds if name in types}
    columns = given | made
    return frame.select(*(columns.get(name, F.lit(None)).cast(kind).alias(name) for name, kind in types.items()))


def _readable(found: DataType, expected: DataType) -> bool:
    if isinstance(expected, BinaryType | StringType):
        return isinstance(found, type(expected))
    if isinstance(expected, IntegralType):
        return isinstance(found, IntegralType)
    shape = re.sub(r"\bdouble\b", "float", found.simpleString())
    return sorted(re.findall(r"\w+:\w+", shape)) == sorted(re.findall(r"\w+:\w+", expected.simpleString()))


def _token(token: Column) -> Column:
    """A token's fields by name: a cast goes by position."""
    box = F.struct(*(token["box"][edge].cast("float").alias(edge) for edge in EDGES))
    whole = F.when(token["box"].isNotNull(), box)
    return F.struct(
        token["text"].alias("text"), token["confidence"].cast("float").alias("confidence"), whole.alias("box")
    )


def _picture_problems() -> tuple[Column, ...]:
    known_status = F.col("status").isin(str(Status.OK), str(Status.FAILED))
    return (
        F.when(F.col("image_hash").isNull() & F.col("uri").isNull(), "image_hash: found none, nor a uri, expected one"),
        F.when(~known_status, F.format_string("status: found '%s', expected ok or failed", "status")),
    )


def _text_problems(ocr_schema: str) -> tuple[Column, ...]:
    bad = F.get(F.filter("tokens", lambda token: ~_is_sound(token)), F.lit(0))
    found = "token '%s': found confidence %s, box (%s, %s, %s, %s), expected finite shares from 0 to 1"
    numbers = (bad["confidence"], *(bad["box"][edge] for edge in EDGES))
    return (
        _foreign("ocr_schema", ocr_schema),
        F.when(F.col("tokens").isNull(), "tokens: found none, expected a list"),
        F.when(bad.isNotNull(), F.format_string(found, bad["text"], *(number.cast("string") for number in numbers))),
    )


def _is_sound(token: Column) -> Column:
    edges = [token["box"][edge] for edge in EDGES]
    # NaN is above everything in Spark, so the upper bound refuses it.
    within = [(edge >= -blobs.SLACK) & (edge <= 1 + blobs.SLACK) for edge in edges]
    sure = (token["confidence"] >= 0) & (token["confidence"] <= 1)
    ordered = (edges[0] <= edges[2]) & (edges[1] <= edges[3])
    return F.coalesce(token["text"].isNotNull() & sure & ordered & reduce(Column.__and__, within), F.lit(False))


def _feature_problems(feature_schema: str, ocr_schema: str) -> tuple[Column, ...]:
    counts = F.least("num_regions", "dim", "num_tokens")
    return (
        _foreign("feature_schema", feature_schema),
        F.when(F.col("ocr_schema").isNotNull(), _foreign("ocr_schema", ocr_schema)) if ocr_schema else F.lit(None),
        *(F.when(F.col(name).isNull(), f"{name}: found none") for name in ("num_regions", "dim", "boxes", "regions")),
        F.when(counts < 0, F.format_string("num_regions, dim, num_tokens: found %d, expected no less than 0", counts)),
    )


def _foreign(name: str, expected: str) -> Column:
    found = F.format_string(f"{name}: found '%s', expected '%s'", F.coalesce(name, F.lit("null")), F.lit(expected))
    return F.when(~F.col(name).eqNullSafe(F.lit(expected)), found)
