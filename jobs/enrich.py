"""Ask the model what it has not answered yet: of every current product, every attribute that its type defines.

Where `publish.models` names the model, it is asked only where it may publish.

    python -m jobs.enrich --conf conf/local.yaml --day 2026-01-15

Answers land raw in `predictions`, chunk by chunk, each chunk once: a killed run that is started again, and a second
run of the day, end with the same table and ask nothing twice.
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from extractor import vocabulary
from extractor.errors import ContractError
from extractor.records import DEFINITIONS, Definition
from jobs import answers, catalogue, choosing, chunks, inputs, pinned, progress, quarantine, runs, vocabularies
from jobs.catalogue import Catalogue
from jobs.choosing import Attribute
from jobs.chunks import Size
from jobs.inputs import ROUTE
from jobs.pinned import Pinned
from jobs.workers import asking
from schemas.attribute_definitions import ATTRIBUTE_DEFINITIONS
from schemas.enums import State
from schemas.predictions import PREDICTIONS
from schemas.products import PRODUCTS
from schemas.vocabularies import VOCABULARIES

SMALLEST_TASK = 1024 * 1024
"""Bytes; the setting that sizes our scan also cuts the reading of Delta's log, which must not fall to crumbs."""


class Work(NamedTuple):
    """What is left to ask."""

    rows: DataFrame
    size: Size
    after: int
    """The number of the model's last commit that is counted as answered."""


def main(argv: Sequence[str] | None = None) -> None:
    """The story of the job."""
    with runs.job("enrich", argv, doc=__doc__) as job:
        enrich(job, where=job.conf.enrich.where)


def enrich(job: runs.Job, *, where: str | Column, goes_on: Callable[[int], bool] = lambda _: True) -> int:
    """Ask what is due of the products where a condition holds; how many pairs are left.

    `goes_on` is asked before each chunk, with the pairs that this run has answered so far.
    """
    known = catalogue.read(job.tables, where=where)
    definitions = answers.records(known.definitions)
    mine = choosing.questions(job.conf.publish.models, job.conf.enrich.model, definitions)
    requested = count_requested(job, known.products, definitions, mine)
    model = pinned.pin(job.conf)
    job.model_version = model.version
    pinned.check(model, pinned.in_use(job.conf), texts=known.texts, features=known.features)
    work = remaining(job, known, mine, model)
    if work.size.num_pairs:
        store_options(job, definitions)
        answer(job, model, work, known.features, definitions, goes_on=goes_on)
    work.rows.unpersist()
    landed = count_answers(job)
    # From all answers that landed, so also those of a run that died before this line.
    quarantine.add(job, unreadable(job.tables.read_or_empty(PREDICTIONS)), part="answers")
    job.counts |= {"requested": requested, "already_answered": requested - work.size.num_pairs, **landed}
    return work.size.num_pairs - landed["predicted"]


def count_requested(
    job: runs.Job, products: DataFrame, definitions: Sequence[Definition], mine: Sequence[Attribute]
) -> int:
    """How many pairs this model is asked; says which products no definition knows, refuses a catalogue of only such."""
    types = products.groupBy("product_type").agg(F.count("*").alias("num_products"))
    rows = types.orderBy("product_type").collect()
    if not rows:
        raise ContractError(f"table {PRODUCTS.name}", "no current product that is asked", "one; run ingest first")
    defined = {definition.product_type for definition in definitions}
    bare = {row.product_type: row.num_products for row in rows if row.product_type not in defined}
    if bare:
        named = ", ".join(f"{name} ({count:,})" for name, count in bare.items())
        job.say(f"nothing is asked of {sum(bare.values()):,} products, their types have no definitions: {named}")
    if len(bare) == len(rows):
        raise ContractError(
            f"table {ATTRIBUTE_DEFINITIONS.name}", "no attribute of any product type in the catalogue", "at least one"
        )
    num_asked = Counter(product_type for product_type, _ in mine)
    requested: int = sum(row.num_products * num_asked[row.product_type] for row in rows)
    return requested


def remaining(job: runs.Job, known: Catalogue, mine: Sequence[Attribute], model: Pinned) -> Work:
    """The pairs without an answer of this model version to this input, kept at hand: every chunk reads them."""
    pages = inputs.pages(known.products, known.pictures, known.texts, known.features, model.reads)
    # Before the answers are read: a commit in between makes this run stop, not answer twice.
    after = job.tables.number(PREDICTIONS, stream(job, model))
    answered = answers_of(job.tables.read_or_empty(PREDICTIONS), model, decode_config(job))
    definitions = choosing.only(known.definitions, mine)
    rows = inputs.unanswered(inputs.ask(pages, definitions), answered).persist()
    size = chunks.size(rows)
    if size.num_pairs and model.reads.features:
        num_foreign = inputs.under_other_schemas(rows, known.features, model.reads).distinct().count()
        if num_foreign:
            job.say(f"{num_foreign:,} products have features, but none of {model.reads.features!r}: asked without them")
    return Work(rows, size, after)


def answers_of(predictions: DataFrame, model: Pinned, decode_config: str) -> DataFrame:
    """What a model version has answered already, errors too: the same input would break it again."""
    return predictions.where(
        (F.col("model_name") == model.name)
        & (F.col("model_version") == model.version)
        & (F.col("decode_config") == decode_config)
    ).select("product_id", "attribute", "input_hash")


def store_options(job: runs.Job, definitions: Sequence[Definition]) -> None:
    """Options that changed since the training are new snapshots: evidence points into them."""
    snapshots = [vocabulary.closed(definition) for definition in definitions if definition.options is not None]
    known = {row.vocab_id for row in job.tables.read_or_empty(VOCABULARIES).select("vocab_id").collect()}
    fresh = [one for one in snapshots if one.vocab_id not in known]
    if fresh:
        vocabularies.store(job, fresh, examples_id="")


def answer(
    job: runs.Job,
    model: Pinned,
    work: Work,
    features: DataFrame,
    definitions: Sequence[Definition],
    *,
    goes_on: Callable[[int], bool],
) -> None:
    """Ask chunk after chunk; a chunk is one commit, and nobody else can make it."""
    conf = job.conf.enrich
    planned = chunks.cut(work.rows, work.size, Size(conf.chunk_pairs, conf.chunk_bytes))
    chunks.plan(job, planned, model_version=model.version, after=work.after)
    tally = asking.Tally(job.spark.sparkContext.accumulator(0), job.spark.sparkContext.accumulator(0.0))
    with (
        pinned.on_executors(job.spark.sparkContext, model) as (folder, shipped),
        sized_tasks(job.spark, features, model, conf.task_products),
        progress.ticking(job.name, "pairs", work.size.num_pairs, lambda: tally.answered.value),
    ):
        told = DEFINITIONS.dump_json(tuple(definitions)).decode()
        ask = asking.Ask(folder=folder, shipped=shipped, device=conf.device, definitions=told, batches=conf.batches)
        for chunk_id, (within, _) in enumerate(planned):
            if not goes_on(tally.answered.value):
                job.say(f"stops before chunk {chunk_id + 1} of {len(planned)}")
                break
            num_bare = work.rows.where(within.holds(F.col(ROUTE)) & F.col("features_of").isNull()).count()
            tasks = max(1, math.ceil(num_bare / conf.task_products))
            rows = inputs.with_features(work.rows, features, model.reads, within, tasks=tasks)
            given = asked(rows, ask, tally, api=conf.api)
            job.tables.append_next(
                stamped(given, job, model, chunk_id),
                PREDICTIONS,
                stream=stream(job, model),
                after=work.after + chunk_id,
                note=chunks.note(job.id, chunk_id),
            )
            job.say(f"chunk {chunk_id + 1} of {len(planned)} has landed", chunk=chunk_id)
    job.model_calls, job.model_seconds = tally.answered.value, tally.seconds.value


def asked(rows: DataFrame, ask: asking.Ask, tally: asking.Tally, *, api: str) -> DataFrame:
    """The model's answers to rows of schemas.model_inputs, one row a question."""
    if api == "arrow":
        return rows.mapInArrow(partial(asking.answer_arrow, ask=ask, tally=tally), asking.ANSWER)
    return rows.mapInPandas(partial(asking.answer_pandas, ask=ask, tally=tally), asking.ANSWER)


def stamped(given: DataFrame, job: runs.Job, model: Pinned, chunk_id: int) -> DataFrame:
    """Answers with who gave them, to which run and when."""
    return given.select(
        "*",
        F.lit(model.name).alias("model_name"),
        F.lit(model.version).alias("model_version"),
        F.lit(decode_config(job)).alias("decode_config"),
        F.lit(job.id).alias("run_id"),
        F.lit(chunk_id).alias("chunk_id"),
        F.lit(job.day).alias("day"),
        F.greatest(F.current_timestamp(), F.lit(job.started_at)).alias("predicted_at"),
    )


def stream(job: runs.Job, model: Pinned) -> str:
    """The commits of one model's answers, of whichever run."""
    return f"enrich:{model.version}:{decode_config(job)}"


def decode_config(job: runs.Job) -> str:
    """A hash of the settings that may change an answer; the model's own are part of its version."""
    settings = json.dumps({"bf16": job.conf.enrich.batches.bf16})
    return hashlib.sha256(settings.encode()).hexdigest()[:16]


def count_answers(job: runs.Job) -> dict[str, int]:
    """What this run landed: products and their answers, how many of these are unknown and errors."""
    landed = job.tables.read_or_empty(PREDICTIONS).where(F.col("run_id") == job.id)
    counted = {
        "products": F.count_distinct("product_id"),
        "predicted": F.count("*"),
        "unknown": F.count_if(F.col("state") == State.UNKNOWN),
        "errors": F.count_if(F.col("state") == State.ERROR),
    }
    return dict(landed.agg(*(column.alias(name) for name, column in counted.items())).collect()[0].asDict())


def unreadable(predictions: DataFrame) -> DataFrame:
    """Rows for the quarantine: what the model could not read, as answers that landed say."""
    return predictions.where(F.col("state") == State.ERROR).select(
        F.lit(PRODUCTS.name).alias("source"),
        F.concat_ws(", ", "product_id", "attribute").alias("key"),
        "reason",
        F.lit(None).cast("string").alias("payload"),
    )


@contextmanager
def sized_tasks(spark: SparkSession, features: DataFrame, model: Pinned, task_products: int) -> Iterator[None]:
    """Let a task read the features of about `task_products` pictures: the scan is not repartitioned, so it decides."""
    size = F.avg(F.col("dim") * 2 * (F.col("num_regions") + F.col("num_tokens"))).cast("long")
    bytes_a_row = features.where(F.col("feature_schema") == model.reads.features).agg(size).collect()[0][0]
    settings = {
        "spark.sql.files.maxPartitionBytes": str(max(SMALLEST_TASK, bytes_a_row * task_products)),
        "spark.sql.files.openCostInBytes": str(bytes_a_row),
    } if bytes_a_row else {}  # fmt: skip
    before = {key: spark.conf.get(key) for key in settings}
    for key, value in settings.items():
        spark.conf.set(key, value)
    try:
        yield
    finally:
        for key, old in before.items():
            spark.conf.set(key, str(old))


if __name__ == "__main__":
    main()
