"""Make training examples of what sellers say of their products: distant supervision, no person labels anything.

    python -m jobs.label --conf conf/local.yaml --day 2026-01-15

Only values of origin `seller` teach; what a model or an auditor said never does, nor what repeats a value that we had
published before the seller said it. The same catalogue, readings and
settings make the same snapshot, which is written once. What is not worth learning is marked with a reason, not lost.
"""

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from extractor.errors import ContractError
from jobs import answers, config, firewall, lessons, pinned, runs
from jobs.answers import PAIR
from jobs.columns import spark_schema
from jobs.inputs import Schemas, pages
from jobs.tables import Tables
from jobs.workers import labelling
from jobs.workers.labelling import GROUP, LABEL, Teacher
from schemas.attribute_definitions import ATTRIBUTE_DEFINITIONS
from schemas.catalog_attributes import CATALOG_ATTRIBUTES
from schemas.enums import Reach, Split
from schemas.examples import EXAMPLES
from schemas.image_features import IMAGE_FEATURES
from schemas.image_texts import IMAGE_TEXTS
from schemas.product_pictures import PRODUCT_PICTURES
from schemas.products import PRODUCTS
from schemas.scores import SCORES


def main(argv: Sequence[str] | None = None) -> None:
    """Name the snapshot, label it unless it is there, and say how much of it a model can reach."""
    with runs.job("label", argv, doc=__doc__) as job:
        defined = job.tables.read(ATTRIBUTE_DEFINITIONS)
        known = {(given.product_type, given.attribute): given for given in answers.records(defined)}
        teacher = Teacher(known, job.conf.label)
        products = job.tables.read(PRODUCTS).where("is_current")
        said = answers.stated(job.tables.read(CATALOG_ATTRIBUTES), "seller")
        stated = statements(firewall.own_words(job.tables, said, list(known.values())), products, defined)
        shown = shown_on(job.tables, products, pinned.in_use(job.conf).ocr)
        examples_id = snapshot(stated, shown, config.as_json(job.conf.label), defined)
        if not job.tables.appended(EXAMPLES, txn=f"label:{examples_id}"):
            examples = label(stated, shown, teacher).withColumn("examples_id", F.lit(examples_id))
            job.tables.append(examples.withColumn("run_id", F.lit(job.id)), EXAMPLES, txn=f"label:{examples_id}")
        else:
            job.say(f"snapshot {examples_id} is there already: nothing is labelled anew")
            make_newest(job, examples_id)
        written = job.tables.read(EXAMPLES).where(F.col("examples_id") == examples_id)
        groups = [row.asDict() for row in statistics(written).collect()]
        job.counts |= {name: sum(group[name] for group in groups) for name in ("examples", "kept", "unknown")}
        job.tables.append(job.tables.rows(scores(groups, job), SCORES), SCORES, txn=f"label-scores:{examples_id}")


def make_newest(job: runs.Job, examples_id: str) -> None:
    """A catalogue that is again as it was has its old snapshot for the newest: the greatest run_id names it."""
    examples = job.tables.read(EXAMPLES)
    if lessons.newest(examples)[0] != examples_id:
        again = examples.where(F.col("examples_id") == examples_id).withColumn("run_id", F.lit(job.id))
        job.tables.upsert(again, EXAMPLES, when="true")


def statements(said: DataFrame, products: DataFrame, defined: DataFrame) -> DataFrame:
    """What sellers say of each attribute that is asked, with the product; `said` is from `answers.stated`."""
    raw = said.select(*PAIR, F.col("stated").alias("raw_value"), F.coalesce("stated", F.lit("")).alias("stated"))
    who = products.select("product_id", "product_type", "content_hash", "family_id")
    asked = defined.select("product_type", "attribute")
    return raw.join(who, on="product_id", how="inner").join(
        F.broadcast(asked), on=["product_type", "attribute"], how="left_semi"
    )


def shown_on(tables: Tables, products: DataFrame, ocr_schema: str) -> DataFrame:
    """The text of each product's page: title, bullets, and the words of each readable picture in page order."""
    no_features = tables.read_or_empty(IMAGE_FEATURES).where("false")
    pictures, texts = tables.read_or_empty(PRODUCT_PICTURES), tables.read_or_empty(IMAGE_TEXTS)
    rows = pages(products, pictures, texts, no_features, Schemas(ocr=ocr_schema, features=""))
    words = F.transform("pictures", lambda picture: F.transform(picture["tokens"], lambda token: token["text"]))
    hashes = F.transform("pictures", lambda picture: picture["text_hash"])
    return rows.select("product_id", "title", "bullets", words.alias("words"), hashes.alias("word_hashes"))


def snapshot(stated: DataFrame, shown: DataFrame, settings: str, defined: DataFrame) -> str:
    """A hash of all that labels follow from, whatever the order of rows."""
    pairs = stated.join(shown.select("product_id", "word_hashes"), on="product_id", how="left")
    values = F.to_json(F.struct("product_id", "attribute", "raw_value", "content_hash", "family_id", "word_hashes"))
    asked = F.to_json(F.struct(*sorted(defined.columns)))
    num_pairs, *content = _content(pairs, values)
    if num_pairs == 0:
        thing = f"table {CATALOG_ATTRIBUTES.name}"
        raise ContractError(
            thing, "no seller's value of a defined attribute", "some: they are what a model learns from"
        )
    made_of = repr((num_pairs, *content, *_content(defined, asked), settings))
    return hashlib.sha256(made_of.encode()).hexdigest()[:16]


def _content(rows: DataFrame, value: Column) -> tuple[int, ...]:
    """The number of rows and two sums of hashes of a value."""
    hashes = [F.coalesce(F.sum(F.xxhash64(F.lit(salt), value).cast("decimal(38,0)")), F.lit(0)) for salt in (1, 2)]
    return tuple(int(number) for number in rows.agg(F.count("*"), *hashes).collect()[0])


def label(stated: DataFrame, shown: DataFrame, teacher: Teacher) -> DataFrame:
    """Rows of LABEL: spellings are merged group by group, then each value is looked for on its page."""
    split_of = F.udf(lambda family_id: labelling.split(family_id, teacher), "string")
    pairs = stated.withColumn("split", split_of("family_id"))
    learnt_from = (F.col("split") == str(Split.TRAIN)).cast("long")
    counted = pairs.groupBy("product_type", "attribute", "stated").agg(F.sum(learnt_from).alias("num_products"))
    merged = counted.groupBy("product_type", "attribute").applyInPandas(
        # Spark reads the hints of functions, and a partial is none.
        lambda group: labelling.merge(group, teacher),
        schema=spark_schema(GROUP),
    )
    pair = F.struct(
        "attribute", "raw_value", *(name for name in GROUP.names if name not in ("product_type", "attribute"))
    )
    of_product = (
        pairs.join(merged, on=["product_type", "attribute", "stated"], how="inner")
        .groupBy("product_id", "product_type", "content_hash", "family_id", "split")
        .agg(F.sort_array(F.collect_list(pair)).alias("pairs"))
    )
    read = of_product.join(shown.drop("word_hashes"), on="product_id", how="inner")
    return read.mapInArrow(partial(labelling.label, teacher=teacher), schema=spark_schema(LABEL))


def statistics(examples: DataFrame) -> DataFrame:
    """For each (product type, attribute): examples, unknowns, kept ones, and how many values each place holds."""
    valued = F.col("value").isNotNull()
    reached = {str(reach): valued & F.array_contains("reach", str(reach)) for reach in Reach}
    return examples.groupBy("product_type", "attribute").agg(
        F.count("*").alias("examples"),
        F.count_if(F.col("kept")).alias("kept"),
        F.count_if(~valued).alias("unknown"),
        F.count_if(valued & (F.col("split") == str(Split.TRAIN))).alias("train"),
        *(F.count_if(condition).alias(place) for place, condition in reached.items()),
    )


def scores(groups: Sequence[Mapping[str, Any]], job: runs.Job) -> list[dict[str, Any]]:
    """Rows of scores: counts and shares of each group, then of all groups together."""
    total = {"product_type": "", "attribute": ""} | {
        name: sum(group[name] for group in groups) for name in groups[0] if name not in ("product_type", "attribute")
    }
    return [row for group in [*groups, total] for row in _figures(group, job)]


def _figures(group: Mapping[str, Any], job: runs.Job) -> list[dict[str, Any]]:
    valued = group["examples"] - group["unknown"]
    figures = [("examples", "", float(group["examples"]), group["examples"])]
    figures += [(name, "", group[name] / group["examples"], group["examples"]) for name in ("kept", "unknown")]
    places = [(str(reach), group[str(reach)]) for reach in Reach]
    places.append(("", valued - group[str(Reach.NOWHERE)]))
    figures += [("reachable", place, count / valued, valued) for place, count in places if valued]
    names = {name: group[name] for name in ("product_type", "attribute")}
    fixed = {"run_id": job.id, "job": job.name, "system": "", "split": "", "model_version": None, "day": job.day}
    return [
        fixed | names | {"metric": metric, "slice": place, "value": value, "n": n}
        for metric, place, value, n in figures
    ]


if __name__ == "__main__":
    main()
