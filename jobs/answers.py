"""What calibrate and publish share: answers to the pages as they are now, what people say, how values are written."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from extractor import text
from extractor.records import Definition
from jobs import inputs
from jobs.config import Publish
from jobs.pinned import Pinned
from jobs.tables import Tables
from jobs.workers import reading
from schemas.attribute_definitions import ATTRIBUTE_DEFINITIONS
from schemas.enums import Kind, Pictures
from schemas.gates import GATES
from schemas.image_features import IMAGE_FEATURES
from schemas.image_texts import IMAGE_TEXTS
from schemas.predictions import PREDICTIONS
from schemas.product_pictures import PRODUCT_PICTURES
from schemas.products import PRODUCTS

PAIR = ("product_id", "attribute")
GROUP = ("product_type", "attribute", "support")
"""What has a gate of its own: a printed value and an inferred one earn different trust."""


class Asked(NamedTuple):
    """The catalogue as it is now, read at one version a table."""

    pairs: DataFrame
    """product_id, product_type, attribute, input_hash: one row a question."""
    products: DataFrame
    definitions: DataFrame
    known: list[Definition]
    """The definitions as records: there are few."""


def asked(tables: Tables, model: Pinned) -> Asked:
    """What is asked of every current product, with the hash of what the model reads of it."""
    products = tables.read(PRODUCTS).where("is_current")
    definitions = tables.read(ATTRIBUTE_DEFINITIONS)
    pages = inputs.pages(
        products,
        tables.read_or_empty(PRODUCT_PICTURES),
        tables.read_or_empty(IMAGE_TEXTS),
        tables.read_or_empty(IMAGE_FEATURES),
        model.reads,
    )
    questions = inputs.ask(pages, definitions).select(
        "product_id", "product_type", F.explode("asked").alias("question")
    )
    pairs = questions.select("product_id", "product_type", "question.attribute", "question.input_hash")
    # Four short columns made of all the catalogue's words: kept, because they are counted and joined.
    return Asked(pairs.persist(), products.select("product_id", "product_type"), definitions, records(definitions))


def records(definitions: DataFrame) -> list[Definition]:
    """Rows of attribute_definitions as the extractor knows them."""
    return [
        Definition(
            product_type=row.product_type,
            attribute=row.attribute,
            question=row.question,
            kind=Kind(row.kind),
            options=None if row.options is None else {option.value: tuple(option.aliases) for option in row.options},
            inferable=row.inferable,
            pictures=Pictures(row.pictures),
            precision_target=row.precision_target,
        )
        for row in definitions.select(*ATTRIBUTE_DEFINITIONS.columns).orderBy("product_type", "attribute").collect()
    ]


def current(predictions: DataFrame, pairs: DataFrame, model: Pinned) -> DataFrame:
    """The model version's answers to the pages as they are now, one a pair: the newest where settings differed.

    An answer to a page that changed since is none: its evidence points into what is no longer there.
    """
    order = Window.partitionBy(*PAIR).orderBy(F.col("predicted_at").desc(), F.col("decode_config"))
    return (
        of_model(predictions, model)
        .drop("product_type")
        .join(pairs, on=[*PAIR, "input_hash"], how="inner")
        .withColumn("age", F.row_number().over(order))
        .where("age = 1")
        .drop("age")
    )


def of_model(predictions: DataFrame, model: Pinned) -> DataFrame:
    """The answers of one version of one model."""
    mine = (F.col("model_name") == model.name) & (F.col("model_version") == model.version)
    return without_evidence(predictions.where(mine))


def without_evidence(predictions: DataFrame) -> DataFrame:
    """Answers without their evidence, which is long, but for the sources that it names."""
    columns = (*PREDICTIONS.key, "product_type", "state", "value", "score", "support", "reason", "predicted_at")
    sources = F.array_join(F.array_sort(F.array_distinct("evidence.source")), " + ")
    made = {"answered_by": F.col("run_id"), "answered_on": F.col("day"), "sources": sources}
    return predictions.select(*columns, *(found.alias(name) for name, found in made.items()))


def in_force(gates: DataFrame, model: Pinned) -> DataFrame:
    """The newest gate of each group of a model version."""
    return newest(gates.where(F.col("model_version") == model.version))


def newest(gates: DataFrame) -> DataFrame:
    """The newest gate of each group of every model version."""
    order = Window.partitionBy(*GROUP, "model_version").orderBy(F.col("valid_from").desc(), "gate_id")
    return gates.withColumn("age", F.row_number().over(order)).where("age = 1").select(*GATES.columns)


def with_gates(current: DataFrame, gates: DataFrame) -> DataFrame:
    """Answers with the gate of their model and their confidence; null where nobody calibrated the group.

    `reached` says whether the raw score is one that a certificate speaks of; it holds where there is none.
    """
    columns = ("gate_id", "calibrator", "threshold", "least_score", "normaliser_version")
    group = (*GROUP, "model_version")
    shown = gates.select(*group, *columns, F.col("state").alias("gate_state"), F.col("reason").alias("gate_reason"))
    joined = current.join(F.broadcast(shown), on=list(group), how="left")
    reached = F.col("least_score").isNull() | (F.col("score") >= F.col("least_score"))
    confidence = reading.confidence(F.col("calibrator"), F.col("score"))
    return joined.withColumns({"confidence": confidence, "reached": reached}).drop("least_score")


def publishing(publish: Publish) -> Column:
    """Whether a gate (product_type, attribute, gate_state) is in a state that publishes."""
    found = F.when(F.lit(False), F.lit(False))
    for one in publish.states_of:
        fits = F.lit(True)
        for name, values in (("product_type", one.product_types), ("attribute", one.attributes)):
            fits = fits & F.col(name).isin(*values) if values else fits
        found = found.when(fits, F.col("gate_state").isin(*one.states))
    return found.otherwise(F.col("gate_state").isin(*publish.states))


def stated(catalog_attributes: DataFrame, *origins: str) -> DataFrame:
    """What people said last of each pair: PAIR, origin, stated, observed_at, run_id; null is stated that there is none.

    A null by which a seller takes a value back says nothing, as in label: that pair is open again.
    """
    said = F.struct(F.col("origin"), F.col("value").alias("stated"), "observed_at", "run_id")
    # `audit` sorts before `seller`, and an auditor who spoke at the same moment is right.
    when = F.struct(F.col("observed_at"), (F.col("origin") == "audit").alias("audited"))
    sold = (F.col("origin") == "seller") & F.col("value").isNotNull()
    return (
        catalog_attributes.where(F.col("origin").isin(*origins))
        .groupBy(*PAIR)
        .agg(F.max_by(said, when).alias("said"), F.count_if(sold).alias("num_sold"))
        .where("said.stated IS NOT NULL OR said.origin = 'audit' OR num_sold = 0")
        .select(*PAIR, "said.origin", "said.stated", "said.observed_at", "said.run_id")
    )


def states_none(stated: Column, unknown_words: Sequence[str]) -> Column:
    """Whether people stated that there is no value: by null, or by words such as n/a."""
    return stated.isNull() | F.lower(F.trim(stated)).isin([text.key(word) for word in unknown_words])


def spellings(stated: DataFrame, asked: Asked, read: Callable[..., Column], unknown_words: Sequence[str]) -> DataFrame:
    """How the catalogue writes each open text value: product_type, attribute, key, spelling; most sellers decide."""
    open_texts = asked.definitions.where((F.col("kind") == Kind.TEXT) & F.col("options").isNull())
    written = (
        stated.where(~states_none(F.col("stated"), unknown_words))
        .join(asked.products, on="product_id", how="inner")
        .join(
            F.broadcast(open_texts.select("product_type", "attribute")),
            on=["product_type", "attribute"],
            how="left_semi",
        )
        .withColumn("key", read("product_type", "attribute", "stated", F.lit(None).cast("string"))["key"])
        .withColumn("spelling", F.regexp_replace(F.trim("stated"), r"\s+", " "))
    )
    counted = written.groupBy("product_type", "attribute", "key", "spelling").agg(F.count("*").alias("num_products"))
    # Where as many write it so as so, capitals look best, but not all of them.
    is_lower, is_upper = F.col("spelling") == F.lower("spelling"), F.col("spelling") == F.upper("spelling")
    best = F.max_by("spelling", F.struct("num_products", ~is_lower & ~is_upper, ~is_upper, "spelling"))
    return counted.groupBy("product_type", "attribute", "key").agg(best.alias("spelling"))
