"""Read the words and the regions of pictures: once a picture, whatever the number of its products.

    python -m jobs.read_images --conf conf/local.yaml --day 2026-01-15

Pictures are named by a hash of their bytes; only what the warehouse lacks under the chosen OCR and regions is read, so
a second run under other regions adds their features and reads nothing else. A picture that cannot be read is a row with
a reason; one that a service did not answer for stays unread until the next run. A service that refuses for good, as
without credentials, stops the job.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from extractor.errors import ConfigError, ContractError
from extractor.images import S3
from extractor.picture_reader import Source
from jobs import progress, runs
from jobs.columns import spark_schema
from jobs.config import Component
from jobs.feeds.imports import BY_URI
from jobs.inputs import Schemas
from jobs.pinned import in_use
from jobs.tables import Tables
from jobs.workers import pictures
from jobs.workers.pictures import Engine
from schemas.enums import Status
from schemas.image_features import IMAGE_FEATURES
from schemas.image_texts import IMAGE_TEXTS
from schemas.product_pictures import PRODUCT_PICTURES
from schemas.products import PRODUCTS

POSTPONED = "a service failed while it was read; the next run tries again"
NOT_IMPORTED = "no words or features of it were imported, and conf has neither read here"


class Ours(NamedTuple):
    """What our own engines read; the rest is imported, where it came along."""

    words: bool
    features: bool


@dataclass(frozen=True, kw_only=True)
class Work:
    """Pictures to go through, one row each."""

    rows: DataFrame
    key: str
    """Column that tasks are cut by: each task writes a range, which file statistics then tell apart."""
    things: str
    """What the operator is told about."""


def main(argv: Sequence[str] | None = None) -> None:
    """Hash, read words, see regions, settle what became of each picture."""
    with runs.job("read_images", argv, doc=__doc__) as job:
        conf = job.conf.read_images
        if not conf.enabled:
            job.say("read_images.enabled is false: nothing is read")
            return
        require_pictures(job.tables)
        ocr, regions = engine("ocr", conf.ocr), engine("regions", conf.regions)
        source = Source(root=absolute(conf.root), limits=conf.limits)
        used = in_use(job.conf)
        ours = Ours(words=used.ocr == ocr.schema, features=used.features == regions.schema)
        hash_new(job, source)
        if ours.words:
            read_texts(job, source, ocr)
        if ours.features:
            follows_words = conf.regions.config.follows_words
            words_of = used.ocr if follows_words else ""
            read_features(job, source, regions, ocr_schema=words_of, wait_for_words=ours.words and follows_words)
        settle(job, used, ours)
        count(job)


def require_pictures(tables: Tables) -> None:
    """Refuse a catalogue that names no picture: most likely its pictures are named in a column that conf does not."""
    listed, products = tables.read(PRODUCT_PICTURES), tables.read_or_empty(PRODUCTS).where("is_current")
    if listed.isEmpty() and not products.isEmpty():
        expected = (
            "at least one (ingest.products.columns says which column names them); where there is none, "
            "read_images.enabled: false answers from text alone"
        )
        raise ContractError(f"table {PRODUCT_PICTURES.name}", f"no picture of {products.count():,} products", expected)


def engine(folder: str, chosen: Component) -> Engine:
    """A component with the schema that its settings give it; nothing heavy is loaded on the driver."""
    return Engine(folder=folder, name=chosen.name, config=chosen.config, schema=chosen.config.schema)


def absolute(root: str) -> str:
    """A local root as workers find it, whatever folder they run in."""
    return root if root.startswith(S3) else str(Path(root).resolve())


def hash_new(job: runs.Job, source: Source) -> None:
    """Name the pictures that nobody opened yet; those that cannot be opened fail here."""
    listed = job.tables.read(PRODUCT_PICTURES)
    uris = listed.where(is_new()).select("uri").distinct()
    if uris.isEmpty():
        return
    if not source.root.startswith(S3) and not Path(source.root).is_dir():
        raise ConfigError("read_images.root", source.root, "an existing folder, or an s3:// prefix")

    def write(hashed: DataFrame) -> None:
        hashed.persist()  # a merge reads its source twice
        job.tables.upsert(named(listed, hashed), PRODUCT_PICTURES)
        hashed.unpersist()

    work = Work(rows=uris, key="uri", things="pictures hashed")
    each(job, work, partial(pictures.hash_pictures, source=source), pictures.HASHED, write)


def read_texts(job: runs.Job, source: Source, ocr: Engine) -> None:
    """Append what the OCR engine reads off each picture that it has not read yet."""
    readings = job.tables.read_or_empty(IMAGE_TEXTS).where(F.col("ocr_schema") == ocr.schema)
    after = job.tables.number_read(IMAGE_TEXTS, job.name)
    unread = without(images(job.tables.read(PRODUCT_PICTURES)), readings)

    def write(read: DataFrame) -> None:
        # The words are hashed as ingest hashes those that it imports.
        rows = read.withColumn("content_hash", F.sha2(F.to_json("tokens"), 256)).withColumn("run_id", F.lit(job.id))
        job.tables.append_next(rows, IMAGE_TEXTS, stream=job.name, after=after, note=job.id)

    work = Work(rows=unread, key="image_hash", things="pictures read")
    each(job, work, partial(pictures.read_texts, source=source, engine=ocr), pictures.TEXT, write)


def read_features(job: runs.Job, source: Source, regions: Engine, *, ocr_schema: str, wait_for_words: bool) -> None:
    """Append what the network sees in each picture, with a vector a word; replace vectors that follow other words.

    An empty `ocr_schema` means that the network follows no words.
    """
    texts = job.tables.read_or_empty(IMAGE_TEXTS).where(F.col("ocr_schema") == ocr_schema)
    features = job.tables.read_or_empty(IMAGE_FEATURES).where(F.col("feature_schema") == regions.schema)
    after = job.tables.number_read(IMAGE_FEATURES, job.name)
    listed = with_words(images(job.tables.read(PRODUCT_PICTURES)), texts, wait=wait_for_words)
    see = partial(pictures.read_features, source=source, engine=regions)

    def append(seen: DataFrame) -> None:
        rows = seen.withColumn("run_id", F.lit(job.id))
        job.tables.append_next(rows, IMAGE_FEATURES, stream=job.name, after=after, note=job.id)

    def replace(seen: DataFrame) -> None:
        rows = seen.where(F.col("status") == Status.OK).withColumn("run_id", F.lit(job.id))
        job.tables.upsert(rows, IMAGE_FEATURES)

    unseen = Work(rows=without(listed, features), key="image_hash", things="pictures seen")
    stale = Work(rows=following_others(listed, features), key="image_hash", things="pictures seen again")
    each(job, unseen, see, pictures.FEATURE, append)
    each(job, stale, see, pictures.FEATURE, replace)


def settle(job: runs.Job, used: Schemas, ours: Ours) -> None:
    """Write what became of each picture, where that is news."""
    readings = (
        job.tables.read_or_empty(IMAGE_TEXTS).where(F.col("ocr_schema") == used.ocr),
        job.tables.read_or_empty(IMAGE_FEATURES).where(F.col("feature_schema") == used.features),
    )
    changed = settled(job.tables.read(PRODUCT_PICTURES), *readings, ours=ours).persist()
    if not changed.isEmpty():
        job.tables.upsert(changed, PRODUCT_PICTURES)
    changed.unpersist()


def count(job: runs.Job) -> None:
    """Pictures of products = read now (each hash once) + read before or for another product + failed + postponed."""
    mine = (F.col("run_id") == job.id) & (F.col("status") == Status.OK)
    texts, features = (job.tables.read_or_empty(table).where(mine) for table in (IMAGE_TEXTS, IMAGE_FEATURES))
    num_read = texts.select("image_hash").unionByName(features.select("image_hash")).distinct().count()
    states = Counter[str](dict(job.tables.read(PRODUCT_PICTURES).groupBy("status").count().collect()))
    job.counts |= {
        "pictures": states.total(),
        "read": num_read,
        "reused": states[Status.OK] - num_read,
        "failed": states[Status.FAILED],
        "postponed": states[Status.UNREAD],
        "feature_bytes_a_picture": feature_bytes(features),
    }


def feature_bytes(features: DataFrame) -> int:
    """Mean bytes of a picture's blobs, from their shapes, which the table's checks hold them to; 0 without pictures."""
    boxes, vectors = 16 * F.col("num_regions"), 2 * F.col("dim") * (F.col("num_regions") + F.col("num_tokens"))
    mean = features.agg(F.round(F.avg(boxes + vectors)).cast("long")).collect()[0][0]
    return mean or 0


def each(
    job: runs.Job, work: Work, read: partial[pictures.Batches], schema: pa.Schema, write: Callable[[DataFrame], None]
) -> None:
    """Go through pictures in small tasks, with progress; tell why pictures were postponed."""
    rows = work.rows.persist()
    total = rows.count()
    if total:
        tally = job.spark.sparkContext.accumulator(Counter[str](), pictures.Tally())
        tasks = math.ceil(total / job.conf.read_images.partition_pictures)
        cut = rows.repartitionByRange(tasks, work.key)
        with progress.ticking(job.name, work.things, total, lambda: tally.value[pictures.DONE]):
            write(cut.mapInArrow(partial(read, tally=tally), spark_schema(schema)))
        for reason, number in tally.value.items():
            if reason != pictures.DONE:
                job.say(f"{number:,} postponed: {reason}")
    rows.unpersist()


def is_new() -> Column:
    """Whether nobody opened a picture yet."""
    return (F.col("status") == Status.UNREAD) & F.col("image_hash").isNull()


def named(listed: DataFrame, hashed: DataFrame) -> DataFrame:
    """Rows of product_pictures for what was hashed now."""
    return listed.where(is_new()).select("product_id", "position", "uri").join(hashed, on="uri", how="inner")


def images(listed: DataFrame) -> DataFrame:
    """Each picture that has a name, once: image_hash, hash_is_of_bytes, and one of the uris that it lies at."""
    once = listed.where(F.col("image_hash").isNotNull()).groupBy("image_hash").agg(F.min("uri").alias("uri"))
    return once.withColumn("hash_is_of_bytes", ~F.startswith("image_hash", F.lit(BY_URI)))


def without(rows: DataFrame, readings: DataFrame) -> DataFrame:
    """The pictures that no reading is of."""
    return rows.join(readings.select("image_hash"), on="image_hash", how="left_anti")


def with_words(rows: DataFrame, texts: DataFrame, *, wait: bool) -> DataFrame:
    """Pictures with the boxes of their words, and whose words those are.

    With `wait`, a picture without a reading waits for our own OCR; else its words were not imported and it has none.
    """
    is_read = F.col("status") == Status.OK
    words = texts.select(
        "image_hash",
        F.when(is_read, F.col("ocr_schema")).alias("ocr_schema"),
        F.when(is_read, F.col("tokens.box")).otherwise(F.array()).alias("token_boxes"),
    )
    both = rows.join(words, on="image_hash", how="inner" if wait else "left")
    return both.withColumn("token_boxes", F.coalesce("token_boxes", F.array()))


def following_others(rows: DataFrame, features: DataFrame) -> DataFrame:
    """The pictures whose words are of another engine than those that their features follow; imported ones stay."""
    seen = features.where(F.col("status") == Status.OK).select("image_hash", F.col("ocr_schema").alias("followed"))
    is_other = F.col("ocr_schema").isNotNull() & ~F.col("ocr_schema").eqNullSafe(F.col("followed"))
    both = rows.where("hash_is_of_bytes").join(seen, on="image_hash", how="inner")
    return both.where(is_other).drop("followed")


def settled(listed: DataFrame, texts: DataFrame, features: DataFrame, *, ours: Ours) -> DataFrame:
    """Rows of product_pictures whose status or reason is news: ok is what was read in any way, and stays ok.

    Unread is only what the next run will read; a reading that should have come along and did not is not waited for.
    """
    named = [
        readings.select("image_hash", F.col("status").alias(f"{name}_status"), F.col("reason").alias(f"{name}_reason"))
        for name, readings in (("text", texts), ("feature", features))
    ]
    pending = listed.where((F.col("status") != Status.OK) & F.col("image_hash").isNotNull())
    both = pending.join(named[0], on="image_hash", how="left").join(named[1], on="image_hash", how="left")
    any_ok = F.coalesce(F.array_contains(F.array("text_status", "feature_status"), str(Status.OK)), F.lit(False))
    is_due = (F.lit(ours.words) & F.col("text_status").isNull()) | (
        F.lit(ours.features) & F.col("feature_status").isNull()
    )
    status = F.when(any_ok, str(Status.OK)).when(is_due, str(Status.UNREAD)).otherwise(str(Status.FAILED))
    failure = F.coalesce("text_reason", "feature_reason", F.lit(NOT_IMPORTED))
    reason = F.when(status == Status.FAILED, failure).when(status == Status.UNREAD, POSTPONED)
    news = both.withColumn("new_status", status).withColumn("new_reason", reason)
    changed = news.where(
        ~F.col("status").eqNullSafe(F.col("new_status")) | ~F.col("reason").eqNullSafe(F.col("new_reason"))
    )
    return (
        changed.drop("status", "reason")
        .withColumnsRenamed({"new_status": "status", "new_reason": "reason"})
        .select(*PRODUCT_PICTURES.columns)
    )


if __name__ == "__main__":
    main()
