"""What a model reads of a product: tables joined into rows of schemas.model_inputs, with an input hash a pair.

The small side (texts, words, questions) is joined freely. Features are blobs: they are scanned once, where they lie,
and the small side is broadcast to them, so no blob ever goes through a shuffle.

A row holds exactly what its questions may read: a product with several pictures, of which some attributes may read
the first alone, becomes two rows. So the hash of a row's content is the hash of what the model reads.
"""

from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.columns import spark_schema
from schemas.enums import Pictures, Status
from schemas.model_inputs import MODEL_INPUTS

ROUTE = "route"
"""What work is cut by: the image hash of the first readable picture, else a hash of the product's name."""
BLOBS = ("dim", "num_regions", "boxes", "regions", "num_tokens", "token_vectors")
"""The columns that come from image_features."""
SMALL = (*(name for name in MODEL_INPUTS.columns if name not in BLOBS), ROUTE)
"""The columns of the small side."""
TYPES = {field.name: field.dataType for field in spark_schema(MODEL_INPUTS.schema).fields}


class Schemas(NamedTuple):
    """Whose readings and whose features are meant; an empty name means none."""

    ocr: str
    features: str


class Range(NamedTuple):
    """Keys from `low` up to, but without, `high`; None is no bound."""

    low: str | None
    high: str | None

    def holds(self, key: Column) -> Column:
        """Whether a key lies within, as comparisons that file statistics can answer."""
        above = F.lit(True) if self.low is None else key >= self.low
        return above if self.high is None else above & (key < self.high)


WORD_BYTES = 64
"""Of a word that was read on a picture, with its box."""
WHOLE = Range(None, None)


def pages(
    products: DataFrame,
    product_pictures: DataFrame,
    image_texts: DataFrame,
    image_features: DataFrame,
    schemas: Schemas,
) -> DataFrame:
    """One row a product: what stands on its page, and which features belong to it, without the features themselves."""
    first = F.get("pictures", F.lit(0)).getField("image_hash")
    return (
        products.select("product_id", "product_type", "locale", "title", "bullets")
        .join(_pictures(product_pictures, image_texts, schemas.ocr), on="product_id", how="left")
        .withColumn("pictures", F.coalesce("pictures", F.array()))
        .withColumn(ROUTE, F.coalesce(first, F.sha2("product_id", 256)))
        .join(_features(image_features, schemas), on=ROUTE, how="left")
        .withColumn("features_of", F.when(F.col("features_hash").isNotNull(), F.col(ROUTE)))
    )


def ask(pages: DataFrame, definitions: DataFrame) -> DataFrame:
    """Ask of each product all that its type defines: the small side; a type that defines nothing has no rows."""
    asked = F.sort_array(F.collect_list(F.struct("attribute", "question", "options", "pictures")))
    by_type = definitions.groupBy("product_type").agg(asked.alias("definitions"))
    narrow = F.lit(str(Pictures.MAIN))
    several = F.size("pictures") > 1
    return (
        pages.join(F.broadcast(by_type), on="product_type", how="inner")
        .withColumn("narrow", F.explode(F.array(F.lit(False), F.lit(True))))
        .withColumn(
            "definitions", F.filter("definitions", lambda d: F.col("narrow") == ((d["pictures"] == narrow) & several))
        )
        .where(F.size("definitions") > 0)
        .withColumn("pictures", F.when(F.col("narrow"), F.slice("pictures", 1, 1)).otherwise(F.col("pictures")))
        .withColumn("page_hash", _page_hash())
        .withColumn("asked", F.transform("definitions", _question).cast(TYPES["asked"]))
        .withColumn("pictures", F.transform("pictures", lambda p: p.dropFields("text_hash")).cast(TYPES["pictures"]))
        .select(*SMALL)
    )


def unanswered(rows: DataFrame, predictions: DataFrame) -> DataFrame:
    """The rows with what no prediction answers for the same input; `predictions` are those of one model version."""
    known = predictions.groupBy("product_id").agg(
        F.collect_set(_pair(F.col("attribute"), F.col("input_hash"))).alias("known")
    )
    is_new = F.filter("asked", lambda q: ~F.array_contains("known", _pair(q["attribute"], q["input_hash"])))
    remaining = F.when(F.col("known").isNull(), F.col("asked")).otherwise(is_new)
    return _asking(rows.join(known, on="product_id", how="left").withColumn("asked", remaining))


def labelled(rows: DataFrame, examples: DataFrame) -> DataFrame:
    """The rows with the questions that examples answer, and the answers (null: unknown)."""
    labels = examples.groupBy("product_id").agg(
        F.map_from_entries(F.collect_list(F.struct("attribute", "value"))).alias("labels")
    )
    has_label = F.filter("asked", lambda q: F.map_contains_key("labels", q["attribute"]))
    answered = F.transform(has_label, lambda q: q.withField("answer", F.try_element_at("labels", q["attribute"])))
    return _asking(rows.join(labels, on="product_id", how="inner").withColumn("asked", answered.cast(TYPES["asked"])))


def with_features(
    rows: DataFrame, image_features: DataFrame, schemas: Schemas, within: Range = WHOLE, *, tasks: int = 1
) -> DataFrame:
    """Rows of schemas.model_inputs; features are read where they lie, `tasks` is for products that have none."""
    # Vectors that follow another engine's words would stand beside the wrong ones; the regions serve without them.
    aligned = F.col("ocr_schema") == schemas.ocr
    blobs = image_features.where(_usable(schemas) & within.holds(F.col("image_hash"))).select(
        F.col("image_hash").alias("features_of"),
        *("dim", "num_regions", "boxes", "regions"),
        F.when(aligned, F.col("num_tokens")).otherwise(0).alias("num_tokens"),
        F.when(aligned, F.col("token_vectors")).otherwise(F.lit(b"")).alias("token_vectors"),
    )
    mine = rows.where(within.holds(F.col(ROUTE)))
    seen = blobs.join(F.broadcast(mine.where(F.col("features_of").isNotNull())), on="features_of", how="inner")
    unseen = mine.where(F.col("features_of").isNull()).repartition(tasks, ROUTE)
    nothing = {name: F.lit(None).cast(TYPES[name]) for name in BLOBS}
    return seen.select(*MODEL_INPUTS.columns).unionByName(unseen.withColumns(nothing).select(*MODEL_INPUTS.columns))


def text_bytes() -> Column:
    """Bytes of text and words that a row holds, about."""
    bullets = F.aggregate("bullets", F.lit(0), lambda sum_, bullet: sum_ + F.octet_length(bullet))
    words = F.aggregate("pictures", F.lit(0), lambda sum_, picture: sum_ + F.size(picture["tokens"]))
    return F.coalesce(F.octet_length("title"), F.lit(0)) + bullets + words * WORD_BYTES


def content(rows: DataFrame) -> tuple[int, int]:
    """How many pairs rows ask, and a hash of these with their inputs and answers, whatever the order of rows."""
    num_pairs = F.coalesce(F.sum(F.size("asked")), F.lit(0))
    asked = F.coalesce(F.bit_xor(F.xxhash64("product_id", "asked")), F.lit(0))
    row = rows.agg(num_pairs, asked).collect()[0]
    return row[0], row[1]


def under_other_schemas(pages: DataFrame, image_features: DataFrame, schemas: Schemas) -> DataFrame:
    """The products whose first picture has features, but none of the schema that is read."""
    others = image_features.where(F.col("feature_schema") != schemas.features).select(F.col("image_hash").alias(ROUTE))
    return pages.where(F.col("features_of").isNull()).join(others, on=ROUTE, how="left_semi").select("product_id")


def _pictures(product_pictures: DataFrame, image_texts: DataFrame, ocr_schema: str) -> DataFrame:
    """The readable pictures of each product, in page order, with their words."""
    words = image_texts.where((F.col("ocr_schema") == ocr_schema) & (F.col("status") == Status.OK)).select(
        "image_hash", "tokens", F.when(F.size("tokens") > 0, F.col("content_hash")).alias("text_hash")
    )
    picture = F.struct("position", "image_hash", F.coalesce("tokens", F.array()).alias("tokens"), "text_hash")
    return (
        product_pictures.where((F.col("status") == Status.OK) & F.col("image_hash").isNotNull())
        .select("product_id", "position", "image_hash")
        .join(words, on="image_hash", how="left")
        .groupBy("product_id")
        .agg(F.sort_array(F.collect_list(picture)).alias("pictures"))
    )


def _features(image_features: DataFrame, schemas: Schemas) -> DataFrame:
    """The pictures that have features, with a hash of what is read of them; no blob is read for it."""
    without_words = F.concat("content_hash", F.lit(", regions alone"))
    read = F.when(F.col("ocr_schema") == schemas.ocr, F.col("content_hash")).otherwise(without_words)
    return image_features.where(_usable(schemas)).select(F.col("image_hash").alias(ROUTE), read.alias("features_hash"))


def _usable(schemas: Schemas) -> Column:
    return (F.col("feature_schema") == schemas.features) & (F.col("status") == Status.OK)


def _page_hash() -> Column:
    words = F.col("pictures.text_hash").alias("words")
    content = F.struct("product_type", "locale", "title", "bullets", words, "features_hash")
    return F.sha2(F.to_json(content, {"ignoreNullFields": "false"}), 256)


def _question(definition: Column) -> Column:
    content = F.struct(
        F.col("page_hash").alias("page"),
        definition["attribute"].alias("attribute"),
        definition["question"].alias("question"),
        definition["options"].alias("options"),
    )
    return F.struct(
        definition["attribute"].alias("attribute"),
        F.sha2(F.to_json(content, {"ignoreNullFields": "false"}), 256).alias("input_hash"),
        F.lit(None).cast("string").alias("answer"),
    )


def _pair(attribute: Column, input_hash: Column) -> Column:
    return F.concat(input_hash, F.lit(" "), attribute)


def _asking(rows: DataFrame) -> DataFrame:
    return rows.where(F.size("asked") > 0).select(*SMALL)
