"""Take in what sellers and others send: products, definitions, and OCR or image features made elsewhere.

    python -m jobs.ingest --conf conf/local.yaml --day 2026-01-15

A row that cannot be used goes to the quarantine with a reason; its neighbours are untouched. The newest `updated_at`
of a product wins, whatever the order in which feeds arrive, and the same feed twice changes nothing. A row that says
`deleted` takes its product away: it is asked nothing and nothing of it is published, until a later row brings it back.
"""

import hashlib
from collections.abc import Sequence
from functools import reduce
from operator import itemgetter
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from extractor.errors import ContractError
from jobs import quarantine, runs
from jobs.feeds import definitions, imports, sellers
from jobs.tables import Tables
from schemas.attribute_definitions import ATTRIBUTE_DEFINITIONS
from schemas.catalog_attributes import CATALOG_ATTRIBUTES
from schemas.enums import Status
from schemas.product_pictures import PRODUCT_PICTURES
from schemas.products import PRODUCTS

FATES = ("new", "changed", "unchanged", "older", "quarantined")
"""What becomes of a row of the feed: rows = the sum of these."""
CONTENT = ("product_type", "locale", "family_id", "title", "bullets", "images", "attributes")
"""What a seller can change; another content is another revision."""
DELETED = hashlib.sha256(b"deleted").hexdigest()
"""The content of a product that was taken away: its newest revision, but never a current one."""
READ = ("image_hash", "status", "reason")
"""What is known of a picture once it was read, here or elsewhere."""


def main(argv: Sequence[str] | None = None) -> None:
    """Check all that can be checked, then write; every write can be done again, and products come last.

    A product whose revision is stored is therefore known to have its pictures and values stored too.
    """
    with runs.job("ingest", argv, doc=__doc__) as job:
        conf, tables = job.conf.ingest, job.tables
        defined = definitions.read(job.spark, conf.definitions, precision_target=conf.precision_target)
        feed = sellers.products(job.spark, conf.products, max_characters=conf.max_text_characters)
        texts = imports.image_texts(job.spark, conf.image_texts).persist()
        ocr_schema = conf.image_texts.ocr_schema
        features = imports.image_features(job.spark, conf.image_features, ocr_schema=ocr_schema).persist()

        types = sorted({definition["product_type"] for definition in defined})
        judged = judge(checked(feed, types, locale=conf.locale), tables.read_or_empty(PRODUCTS)).persist()
        num_later = count(job, judged)
        refuse_if_all(job, judged)

        define(tables, defined)
        imports.write(job, texts, features)
        write(job, judged, texts, features, num_later=num_later)
        if job.counts["quarantined"]:
            quarantine.add(job, refused(judged), part="products")
        for frame in (judged, texts, features):
            frame.unpersist()


def write(job: runs.Job, judged: DataFrame, texts: DataFrame, features: DataFrame, *, num_later: int) -> None:
    """Write values and pictures, then products; what cannot have changed is not even compared."""
    tables, feeds_in, counts = job.tables, job.conf.ingest, job.counts
    for table in (CATALOG_ATTRIBUTES, PRODUCT_PICTURES, PRODUCTS):
        tables.create(table)
    newest = judged.where("newest")
    num_moved = counts["new"] + counts["changed"]
    if num_moved:
        moved = newest.where(F.col("fate").isin("new", "changed"))
        stated = attribute_changes(moved, tables.read(CATALOG_ATTRIBUTES), run_id=job.id)
        after = tables.number_read(CATALOG_ATTRIBUTES, job.name)
        tables.append_next(stated, CATALOG_ATTRIBUTES, stream=job.name, after=after, note=job.id)
    if num_moved or feeds_in.image_texts.path or feeds_in.image_features.path:
        place_pictures(job, newest.where("fate <> 'older'"), texts, features)
    if num_moved or num_later or counts["older"]:
        usable = judged.where("fate <> 'quarantined'")
        changed = revisions(usable, tables.read(PRODUCTS), source=feeds_in.source, run_id=job.id)
        tables.upsert(changed, PRODUCTS)


def count(job: runs.Job, judged: DataFrame) -> int:
    """Tell the run book what came in; an empty feed is an error. Returns how many contents are sent again, later."""
    later = F.col("newest") & (F.col("fate") == "unchanged") & (F.col("updated_at") > F.col("stored_at"))
    gone = F.col("newest") & (F.col("content_hash") == DELETED) & F.col("fate").isin("new", "changed")
    sums = F.count("*").alias("rows"), F.count_if(later).alias("later"), F.count_if(gone).alias("deleted")
    found = judged.groupBy("fate").agg(*sums).collect()
    by_fate = {row.fate: row.rows for row in found}
    job.counts["rows"] = sum(by_fate.values())
    if job.counts["rows"] == 0:
        raise ContractError(f"product feed {job.conf.ingest.products.path}", "no row", "at least one product")
    job.counts |= {fate: by_fate.get(fate, 0) for fate in FATES} | {"deleted": sum(row.deleted for row in found)}
    return sum(row.later for row in found)


def refuse_if_all(job: runs.Job, judged: DataFrame) -> None:
    """A feed of which no row can be used is one mistake, not many: it is told of one row, all are in quarantine."""
    if job.counts["quarantined"] == job.counts["rows"]:
        quarantine.add(job, refused(judged), part="products")
        reason = judged.select("problem").orderBy("problem").first()
        found = f"all {job.counts['rows']:,} rows quarantined, one of them for: {reason and reason.problem}"
        raise ContractError(f"product feed {job.conf.ingest.products.path}", found, "rows that can be used")


def define(tables: Tables, defined: list[dict[str, Any]]) -> None:
    """Make the definitions those of the file, unless they are."""
    stored = [row.asDict(recursive=True) for row in tables.read_or_empty(ATTRIBUTE_DEFINITIONS).collect()]
    by_key = itemgetter(*ATTRIBUTE_DEFINITIONS.key)
    if sorted(stored, key=by_key) != sorted(defined, key=by_key):
        tables.synchronise(tables.rows(defined, ATTRIBUTE_DEFINITIONS), ATTRIBUTE_DEFINITIONS)


def place_pictures(job: runs.Job, current: DataFrame, texts: DataFrame, features: DataFrame) -> None:
    """Write which pictures products have; the whole table is compared only where some are gone."""
    tables = job.tables
    stored = tables.read(PRODUCT_PICTURES)
    uris = current.select(F.explode("images").alias("uri")).distinct()
    changes = picture_changes(current, stored, imports.known(job, uris, texts, features)).persist()
    num_placed, num_removed = changes.agg(F.count_if(~F.col("removed")), F.count_if(F.col("removed"))).collect()[0]
    placed = changes.where("NOT removed").drop("removed")
    if num_removed == 0 and num_placed > 0:
        tables.upsert(placed, PRODUCT_PICTURES)
    elif num_removed > 0:
        others = stored.join(changes, on=list(PRODUCT_PICTURES.key), how="left_anti")
        tables.synchronise(others.unionByName(placed), PRODUCT_PICTURES)
    changes.unpersist()


def checked(feed: DataFrame, types: Sequence[str], *, locale: str) -> DataFrame:
    """Judge each row by itself: who, what type, when; blank attribute values say nothing and leave."""
    moment = F.when(F.col("updated_at").rlike(r"^\d{4}-\d\d-\d\d"), F.try_to_timestamp("updated_at"))
    undefined = F.format_string(
        "product_type: found '%s', a type without definitions, expected one of ", "product_type"
    )
    gone = F.col("deleted")
    problems = (
        F.col("problem"),
        F.when(_blank("product_id"), "product_id: found none, expected the seller's identifier"),
        F.when(~gone & _blank("product_type"), "product_type: found none, expected the product's type"),
        F.when(F.col("updated_at").isNull(), "updated_at: found none, expected when the seller changed the product"),
        F.when(moment.isNull(), F.format_string("updated_at: found '%s', expected an ISO 8601 time", "updated_at")),
        F.when(~gone & ~F.col("product_type").isin(list(types)), F.concat(undefined, F.lit(_some(types)))),
    )
    stated = F.map_filter("attributes", lambda _, value: value.isNull() | (F.trim(value) != ""))
    judged = feed.withColumn("problem", F.coalesce(*problems))
    return judged.select(
        "source",
        "payload",
        "problem",
        "product_id",
        *(
            F.when(F.col("problem").isNull(), column).alias(name)
            for name, column in {
                "product_type": F.coalesce("product_type", F.when(gone, F.lit(""))),
                "locale": F.coalesce("locale", F.lit(locale)),
                "family_id": F.coalesce("family_id", "product_id"),
                "title": F.when(~gone, F.col("title")),
                "bullets": _unless(gone, "bullets", "array<string>"),
                "images": _unless(gone, "images", "array<string>"),
                "attributes": F.when(gone | stated.isNull(), F.create_map().cast("map<string,string>")).otherwise(
                    stated
                ),
                "deleted": gone,
                "updated_at": moment,
            }.items()
        ),
    )


def judge(rows: DataFrame, stored: DataFrame) -> DataFrame:
    """Give each row its content hash and its fate; two contents of one product and moment refuse each other."""
    # A refused row must not meet the products; rows without a name must not all meet in one task.
    who = F.when(F.col("problem").isNull(), F.col("product_id")).otherwise(_unnamed())
    revision = F.struct("updated_at", "content_hash", "is_current")
    history = stored.groupBy(F.col("product_id").alias("who")).agg(F.collect_list(revision).alias("history"))
    moment = Window.partitionBy("who", "updated_at")
    best = Window.partitionBy("who", "problem").orderBy(F.desc("updated_at"), "content_hash", "payload")
    now = F.array_max("history")  # its newest revision, which is the current one unless it was deleted
    return (
        rows.withColumn("who", who)
        .withColumn("content_hash", _content_hash())
        .join(history, on="who", how="left")
        .withColumn("twice", F.min("content_hash").over(moment) != F.max("content_hash").over(moment))
        .withColumn("problem", F.coalesce("problem", *_same_time_problems()))
        .withColumn("newest", (F.row_number().over(best) == 1) & F.col("problem").isNull())
        .withColumn("newest_hash", F.first("content_hash").over(best))
        .withColumns({"stored_hash": now["content_hash"], "stored_at": now["updated_at"]})
        .withColumn("fate", F.when(F.col("problem").isNotNull(), "quarantined").otherwise(_fate()))
        .drop("history", "twice", "newest_hash")
    )


def revisions(usable: DataFrame, stored: DataFrame, *, source: str, run_id: str) -> DataFrame:
    """The rows of products that are new or no longer what is stored: moments move forward, one revision is current."""
    incoming = usable.select(
        *(name for name in PRODUCTS.columns if name not in ("is_current", "source", "run_id")),
        F.lit(source).alias("source"),
        F.lit(run_id).alias("run_id"),
        F.lit(None).cast("boolean").alias("was_current"),
        F.lit(None).cast("timestamp").alias("was_at"),
    )
    touched = stored.join(usable.select("product_id").distinct(), on="product_id", how="left_semi")
    standing = touched.withColumnRenamed("is_current", "was_current").withColumn("was_at", F.col("updated_at"))
    revision = Window.partitionBy("product_id", "content_hash")
    first = revision.orderBy(F.desc_nulls_last("was_at"), F.desc("updated_at"))
    newest = Window.partitionBy("product_id").orderBy(F.desc("updated_at"), "content_hash")
    return (
        standing.unionByName(incoming)
        .withColumn("rank", F.row_number().over(first))
        .withColumn("updated_at", F.max("updated_at").over(revision))
        .where("rank = 1")
        .withColumn("is_current", (F.row_number().over(newest) == 1) & (F.col("content_hash") != DELETED))
        .where("was_at IS NULL OR was_at <> updated_at OR was_current <> is_current")
        .select(*PRODUCTS.columns)
    )


def attribute_changes(current: DataFrame, stored: DataFrame, *, run_id: str) -> DataFrame:
    """What sellers state now and did not state last; a value that is no longer stated is taken back by a null."""
    last = (
        stored.where(F.col("origin") == "seller")
        .join(current.select("product_id"), on="product_id", how="left_semi")
        .groupBy("product_id", "attribute")
        .agg(F.max_by("value", "observed_at").alias("last"), F.lit(True).alias("known"))
    )
    shown = current.select("product_id", F.col("updated_at").alias("observed_at"))
    stated = current.select(
        "product_id", F.explode("attributes").alias("attribute", "value"), F.lit(True).alias("said")
    )
    both = stated.join(last, on=["product_id", "attribute"], how="full").join(shown, on="product_id", how="inner")
    differs = F.col("known").isNull() | ~F.col("value").eqNullSafe(F.col("last"))
    return both.where(differs).select(
        "product_id",
        "attribute",
        F.lit("seller").alias("origin"),
        "observed_at",
        "value",
        F.lit(run_id).alias("run_id"),
    )


def picture_changes(current: DataFrame, stored: DataFrame, known: DataFrame) -> DataFrame:
    """Rows of product_pictures that are not what is stored, with `removed`; `known` is what came along, by uri.

    A picture keeps what was read of it as long as its uri stands at its position.
    """
    listed = current.select("product_id", F.posexplode("images").alias("position", "uri"))
    before = stored.join(current, on="product_id", how="left_semi").select(
        "product_id",
        "position",
        *(F.col(name).alias(f"old_{name}") for name in ("uri", *READ)),
    )
    both = (
        listed.join(before, on=["product_id", "position"], how="full")
        .join(known.select("uri", *(F.col(name).alias(f"known_{name}") for name in READ)), on="uri", how="left")
        .withColumn("kept", F.col("uri").eqNullSafe(F.col("old_uri")))
    )
    imported = F.col("known_image_hash").isNotNull()
    state = both.select(
        "product_id",
        "position",
        F.coalesce("uri", "old_uri").alias("uri"),
        F.coalesce("known_image_hash", F.when(F.col("kept"), F.col("old_image_hash"))).alias("image_hash"),
        F.coalesce("known_status", F.when(F.col("kept"), F.col("old_status")), F.lit(str(Status.UNREAD))).alias(
            "status"
        ),
        F.when(imported, F.col("known_reason")).when(F.col("kept"), F.col("old_reason")).alias("reason"),
        F.col("uri").isNull().alias("removed"),
        *(f"old_{name}" for name in ("uri", "image_hash", "status")),
    )
    same = reduce(
        lambda a, b: a & b, (F.col(name).eqNullSafe(F.col(f"old_{name}")) for name in ("uri", "image_hash", "status"))
    )
    return state.where(~same | F.col("removed")).select(*PRODUCT_PICTURES.columns, "removed")


def refused(judged: DataFrame) -> DataFrame:
    """The rows for the quarantine."""
    key = F.when(_blank("product_id"), _unnamed()).otherwise(F.col("product_id"))
    bad = judged.where("fate = 'quarantined'")
    return bad.select("source", key.alias("key"), F.col("problem").alias("reason"), "payload")


def _fate() -> Column:
    """What becomes of a usable row, beside its product's newest row of the feed and current one of the catalogue."""
    same = F.col("stored_hash") == F.col("content_hash")
    return (
        F.when(~F.col("newest"), F.when(F.col("content_hash") == F.col("newest_hash"), "unchanged").otherwise("older"))
        .when(F.col("stored_hash").isNull(), "new")
        .when(same, "unchanged")
        .when(F.col("stored_at") > F.col("updated_at"), "older")
        .otherwise("changed")
    )


def _content_hash() -> Column:
    """SHA-256 of everything that a seller can change; the order of attributes says nothing."""
    columns = [F.col(name) for name in CONTENT if name != "attributes"]
    attributes = F.array_sort(F.map_entries("attributes")).alias("attributes")
    return F.when(F.col("deleted"), DELETED).otherwise(F.sha2(F.to_json(F.struct(*columns, attributes)), 256))


def _unless(gone: Column, name: str, kind: str) -> Column:
    """A list of a product that is there; empty where there is none."""
    return F.when(gone | F.col(name).isNull(), F.array().cast(kind)).otherwise(F.col(name))


def _same_time_problems() -> tuple[Column, Column]:
    """Two contents of one product at one time: neither is the newer one."""
    found = "product_id '%s': found other content of the same time (%s) in {}, expected one content a time"
    moment = F.date_format("updated_at", "yyyy-MM-dd HH:mm:ss")
    other = F.exists(
        "history",
        lambda h: (h["updated_at"] == F.col("updated_at")) & (h["content_hash"] != F.col("content_hash")),
    )
    return (
        F.when(F.col("twice"), F.format_string(found.format("another row of this feed"), "product_id", moment)),
        F.when(other, F.format_string(found.format("the catalogue"), "product_id", moment)),
    )


def _unnamed() -> Column:
    """How a row without a readable key is called: by a hash of its beginning."""
    return F.concat(F.lit("row "), F.substring(F.sha2("payload", 256), 1, 12))


def _blank(name: str) -> Column:
    return F.coalesce(F.trim(name), F.lit("")) == ""


def _some(types: Sequence[str]) -> str:
    """The first few types, for a message."""
    return ", ".join(types[:5]) + (", ..." if len(types) > 5 else "")


if __name__ == "__main__":
    main()
