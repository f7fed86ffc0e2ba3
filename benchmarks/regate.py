"""What it costs to make gates and decisions anew when a target, a setting or the normaliser changes: no model call.

    python -m benchmarks.regate --products 100000 --out benchmarks/results/regate.json

A synthetic catalogue without pictures (every attribute of every product is answered once, sellers state a part) is
calibrated and published by the jobs' own commands in one process. Everything is new first; then nothing has changed;
then every definition has another target; then answers are queued for review less far below their threshold; then the
normaliser is of another version. The registered model cannot be loaded: whoever tried to ask it would fail.
"""

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from benchmarks.processes import Usage, machine, watched
from extractor import checkpoint, normalise
from extractor.errors import ModelError
from extractor.models import word_matching
from extractor.models.base import Knowledge
from jobs import answers, calibrate, choosing, config, deciding, publish, registry
from jobs.auditing import verdicts
from jobs.columns import spark_schema
from jobs.inputs import Schemas
from jobs.pinned import Pinned, named
from jobs.session import open_session
from jobs.tables import Tables, aligned
from schemas.attribute_definitions import ATTRIBUTE_DEFINITIONS
from schemas.catalog_attributes import CATALOG_ATTRIBUTES
from schemas.enums import Kind, Pictures, RunStatus, Source, Split, State
from schemas.examples import EXAMPLES
from schemas.predictions import PREDICTIONS
from schemas.products import PRODUCTS
from schemas.runs import RUNS
from schemas.table import Table

DAY = "2026-01-15"
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
TEXT, OPTIONS, QUANTITY = "text", "options", "quantity"
KINDS = (OPTIONS, TEXT, QUANTITY, TEXT, OPTIONS, TEXT, OPTIONS, TEXT, QUANTITY, TEXT)
"""What kind of values attributes have, in turns."""
WORDS = [
    f"{start}{end}"
    for start in ("al", "be", "cor", "dan", "el", "fin", "gol", "har", "is", "jun", "kel", "lu", "mar", "nor", "ol")
    for end in ("ba", "den", "fix", "ga", "hill", "ina", "kor", "lan", "mo", "nex", "or", "pur", "ran", "sol", "tis")
]
FIRST, NO_CHANGE = "everything is new", "nothing has changed"
TARGET, MARGIN = "target 0.95 in place of 0.9", "review margin 0.05 in place of 0.15"
NORMALISER = "another version of the normaliser"
CONF = ["conf/local.yaml", "benchmarks/conf/regate.yaml"]
MODEL = "facetmill"
UNLOADABLE = "none_of_ours"
"""Names no file of extractor/models: the card is whole, but nobody can load what lies beside it."""
TEXTS = ("step", "job")
NUMBERS = ("seconds", "cpu_seconds", "requested", "new_decisions", "withdrawn", "published", "confirmed", "review")
SHOWN = (*TEXTS, *NUMBERS, "abstained", "judged", "gates", "new", "model_calls")


def main() -> None:
    """Make the catalogue, run all steps, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--types", type=int, default=10, help="product types")
    parser.add_argument("--attributes", type=int, default=10, help="attributes of each product type")
    parser.add_argument("--stated", type=float, default=0.3, help="share of the pairs of which a seller says something")
    parser.add_argument("--conf", nargs="+", default=CONF, help="settings of the jobs")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as the jobs take it")
    parser.add_argument("--out", type=Path, default=None, help="JSON file of the figures")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, watched() as usage:
        own = [f"warehouse={folder}/warehouse", f"registry.artifacts={folder}/mlflow"]
        own.append(f"registry.tracking_uri=sqlite:///{folder}/mlflow.db")
        conf = config.load([config.BASE, *asked.conf], [*asked.set, *own])
        tables = Tables(open_session("benchmark", conf.spark), conf.warehouse)
        began = time.monotonic()
        stock(tables, register(conf, Path(folder) / "model"), asked)
        print(f"the catalogue was made in {time.monotonic() - began:.0f} s", flush=True)
        seconds = run(tables, usage, asked.conf, [*asked.set, *own])
        rows = booked(tables, seconds)
        found = {
            "machine": machine(),
            "versions": versions(tables),
            "data": f"synthetic, without pictures: {asked.products:,} products of {asked.types} types with "
            f"{asked.attributes} attributes each, {asked.stated:.0%} of the pairs stated by a seller",
            "conf": [*asked.conf, *asked.set],
            "peak_memory_gib": round(usage.peak_memory, 1),
            "steps": rows,
        }
    if asked.out is not None:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print("\n".join([f"{found['data']}; {found['machine']}", "", *markdown(rows)]))


def run(tables: Tables, usage: Usage, conf: Sequence[str], overrides: Sequence[str]) -> list[dict[str, Any]]:
    """The steps with the seconds that each job took, in order."""
    seconds: list[dict[str, Any]] = []

    def step(name: str, *jobs: ModuleType, changed: Sequence[str] = ()) -> None:
        argv = ["--day", DAY, *(part for file in conf for part in ("--conf", file))]
        argv += [part for pair in (*overrides, *changed) for part in ("--set", pair)]
        for job in jobs:
            wall, cpu = time.monotonic(), usage.look()
            job.main(argv)
            wall, cpu = time.monotonic() - wall, usage.look() - cpu
            job_name = job.__name__.rpartition(".")[2]
            seconds.append({"step": name, "job": job_name, "seconds": round(wall, 1), "cpu_seconds": round(cpu, 1)})
            print(json.dumps(seconds[-1]), flush=True)

    step(FIRST, calibrate, publish)
    step(NO_CHANGE, calibrate, publish)
    definitions = tables.read(ATTRIBUTE_DEFINITIONS)
    tables.upsert(definitions.withColumn("precision_target", F.lit(0.95)), ATTRIBUTE_DEFINITIONS)
    step(TARGET, calibrate, publish)
    narrow = ["publish.review_margin=0.05"]
    step(MARGIN, publish, changed=narrow)
    # A new version of the code brings its own constant.
    for module in (normalise, calibrate, deciding, choosing, verdicts):
        vars(module)["NORMALISER_VERSION"] = "changed"
    step(NORMALISER, calibrate, publish, changed=narrow)
    return seconds


def booked(tables: Tables, seconds: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The steps with what the run book says of them; what should not be in it ends the benchmark."""
    runs = tables.read(RUNS).orderBy("started_at").collect()
    rows = [step | dict(row.counts) | {"model_calls": row.model_calls} for step, row in zip(seconds, runs, strict=True)]
    for row, run in zip(rows, runs, strict=True):
        new = row["new" if row["job"] == "calibrate" else "new_decisions"]
        all_new = row["step"] in (FIRST, TARGET, NORMALISER) and row["job"] == "calibrate"
        wrong = {
            "another job": run.job != row["job"],
            "failed": run.status != RunStatus.SUCCEEDED,
            "called a model": run.model_calls != 0,
            "made something new of nothing": row["step"] == NO_CHANGE and new != 0,
            "kept gates that another target or normaliser made": all_new and new != row["gates"],
        }
        if any(wrong.values()):
            raise SystemExit(f"{run.run_id}: {', '.join(what for what, holds in wrong.items() if holds)}")
    return rows


def register(conf: config.Conf, folder: Path) -> Pinned:
    """Register a model that nobody can load."""
    settings = word_matching.Config()
    model = word_matching.Model.create(settings, Knowledge((), {}, "", 0, ""), [], seed=0)
    card = checkpoint.save(
        folder, model, name=UNLOADABLE, config=settings, feature_schema="", ocr_schema="", examples_id="benchmark"
    )
    where = registry.connect(
        conf.registry.tracking_uri, conf.registry.experiment, artifacts_root=conf.registry.artifacts
    )
    run_id = where.log("benchmark", params={}, history=[], metrics={}, tags={})
    number = where.register(MODEL, folder, run_id=run_id, fingerprint="benchmark", model_hash=card.model_hash)
    try:
        checkpoint.load(folder, device=torch.device("cpu"))
    except ModelError:
        return Pinned(MODEL, named(MODEL, number), folder, card.model_hash, Schemas(ocr="", features=""))
    raise SystemExit("the registered model can be loaded: that no worker loads one would go unnoticed")


def stock(tables: Tables, model: Pinned, asked: argparse.Namespace) -> None:
    """Write the tables that calibrate and publish read."""
    rows = [definition(kind, at) for kind in range(asked.types) for at in range(asked.attributes)]
    write(tables, tables.rows(rows, ATTRIBUTE_DEFINITIONS), ATTRIBUTE_DEFINITIONS)
    write(tables, products(tables, asked.products, asked.types), PRODUCTS)
    pairs = answers.asked(tables, model).pairs
    own = [(row["attribute"], row["kind"], values(at)) for at, row in enumerate(rows[: asked.attributes])]
    known_values = tables.spark.createDataFrame(own, "attribute string, kind string, values array<string>")
    known = pairs.join(F.broadcast(known_values), on="attribute", how="inner")
    write(tables, predictions(known, model), PREDICTIONS)
    said = stated(known.where(draw("stated") < asked.stated))
    write(tables, said, CATALOG_ATTRIBUTES)
    write(tables, examples(said), EXAMPLES)
    pairs.unpersist()


def write(tables: Tables, frame: DataFrame, table: Table) -> None:
    """Append the contract's columns; those that the frame lacks are null."""
    kinds = {field.name: field.dataType for field in spark_schema(table.schema).fields}
    lacking = {name: F.lit(None).cast(kind) for name, kind in kinds.items() if name not in frame.columns}
    tables.append(aligned(frame.withColumns(lacking), table), table, txn="benchmark")


def definition(product_type: int, at: int) -> dict[str, Any]:
    """One attribute; closed ones have options with an alias each."""
    kind, attribute = KINDS[at % len(KINDS)], f"attribute_{at}"
    options = [{"value": value, "aliases": [f"{value} kind"]} for value in values(at)]
    return {
        "product_type": f"type_{product_type}", "attribute": attribute, "question": f"Which {attribute} is it?",
        "kind": str(Kind.QUANTITY if kind == QUANTITY else Kind.TEXT), "options": options if kind == OPTIONS else None,
        "inferable": kind == OPTIONS, "pictures": str(Pictures.ALL), "precision_target": 0.9,
    }  # fmt: skip


def values(at: int) -> list[str]:
    """What an attribute may say: a dozen options, two hundred sizes or a thousand texts."""
    kind = KINDS[at % len(KINDS)]
    if kind == OPTIONS:
        return [f"{word} option" for word in WORDS[:12]]
    if kind == QUANTITY:
        return [f"{5 * number} g" for number in range(1, 201)]
    return [f"{first} {second}" for first in WORDS[:40] for second in WORDS[-25:]]


def products(tables: Tables, number: int, num_types: int) -> DataFrame:
    """Pages of a dozen words and two bullets."""
    named = tables.spark.range(number).select(
        F.format_string("product-%08d", "id").alias("product_id"),
        F.concat(F.lit("type_"), (F.col("id") % num_types).cast("string")).alias("product_type"),
    )
    bullets = F.array(*(F.concat_ws(" ", *(word(f"{bullet} {at}") for at in range(10))) for bullet in ("a", "b")))
    return named.select(
        "product_id", "product_type", F.col("product_id").alias("family_id"), F.lit("en-US").alias("locale"),
        F.concat_ws(" ", *(word(f"title {at}") for at in range(12))).alias("title"), bullets.alias("bullets"),
        F.sha2("product_id", 256).alias("content_hash"), F.lit(True).alias("is_current"),
        F.lit("benchmark").alias("source"), F.lit(NOON).alias("updated_at"), F.lit("ingest").alias("run_id"),
    )  # fmt: skip


def predictions(pairs: DataFrame, model: Pinned) -> DataFrame:
    """An answer a pair: nine in ten are values, the surer the more often right, one in seven is inferred."""
    drawn = draw("score")
    state = (
        F.when(draw("state") < 0.005, str(State.ERROR))
        .when(draw("state") < 0.015, str(State.TRUNCATED))
        .when(draw("state") < 0.1, str(State.UNKNOWN))
        .otherwise(str(State.VALUE))
    )
    score = 0.2 + 0.8 * F.sqrt(drawn)
    # Groups differ: four answers in a hundred are wrong, or twenty.
    errs = (1 - score) * (0.15 + 0.15 * F.pmod(F.xxhash64("product_type", "attribute"), F.lit(5)))
    right = draw("right") > errs
    value = F.when(right, spelt(truth("truth"), "model")).otherwise(spelt(truth("wrong"), "model"))
    word = F.struct(
        F.col("value").alias("word"), F.lit(str(Source.TITLE)).alias("source"), F.lit(None).alias("field_index"),
        F.lit(None).alias("image_hash"), F.lit(None).alias("token_index"), F.lit(0).alias("start"),
        F.length("value").alias("end"), F.lit(None).alias("box"),
    )  # fmt: skip
    answered = F.col("value").isNotNull()
    return (
        pairs.withColumn("state", state)
        .withColumn("value", F.when(F.col("state").isin(State.VALUE, State.TRUNCATED), value))
        .withColumn("score", F.when(F.col("state") != State.ERROR, score))
        .withColumn("reason", F.when(F.col("state") == State.ERROR, F.lit("drawn")))
        .withColumn("support", F.when(answered, F.when(draw("support") < 0.85, "printed").otherwise("inferred")))
        .withColumn("evidence", F.when(answered, F.array(word)).otherwise(F.array()))
        .withColumns({"model_name": F.lit(model.name), "model_version": F.lit(model.version)})
        .withColumns({"decode_config": F.lit("benchmark"), "run_id": F.lit("enrich"), "chunk_id": F.lit(0)})
        .withColumns({"day": F.lit(DAY).cast("date"), "predicted_at": F.lit(NOON)})
        .drop("kind", "values")
    )


def stated(pairs: DataFrame) -> DataFrame:
    """What sellers say: one in fifty is wrong, and one in two hundred says that there is none."""
    said = F.when(draw("seller") < 0.98, truth("truth")).otherwise(truth("seller's"))
    return pairs.select(
        "product_id", "attribute", "product_type", F.lit("seller").alias("origin"), F.lit(NOON).alias("observed_at"),
        F.when(draw("none") > 0.005, spelt(said, "seller")).alias("value"), F.lit("ingest").alias("run_id"),
    )  # fmt: skip


def examples(said: DataFrame) -> DataFrame:
    """What sellers say as labels, a fifth of the products for calibration."""
    share = F.pmod(F.xxhash64("product_id", F.lit("split")), F.lit(5))
    split = F.when(share == 0, str(Split.CALIBRATION)).otherwise(str(Split.TRAIN))
    return said.select(
        "product_id", "attribute", "product_type", "value", F.col("value").alias("raw_value"), split.alias("split"),
        F.col("product_id").alias("family_id"), F.sha2("product_id", 256).alias("content_hash"),
        F.lit(True).alias("kept"), F.array(F.lit("title")).alias("reach"), F.lit("benchmark").alias("examples_id"),
        F.lit("label").alias("run_id"),
    )  # fmt: skip


def draw(what: str) -> Column:
    """A number in [0, 1) that depends on the pair and on what it is drawn for."""
    return F.pmod(F.xxhash64("product_id", "attribute", F.lit(what)), F.lit(1_000_000)) / 1e6


def truth(what: str) -> Column:
    """One of the attribute's values."""
    return F.get("values", F.pmod(F.xxhash64("product_id", "attribute", F.lit(what)), F.size("values")).cast("int"))


def spelt(value: Column, who: str) -> Column:
    """The value as a pack, a page or a seller writes it."""
    by = draw(f"spelling of {who}")
    sized = F.when(by < 0.5, F.regexp_replace(value, " g$", " grams")).otherwise(F.regexp_replace(value, " g$", "g"))
    text = F.when(by < 0.3, F.upper(value)).when(by < 0.6, F.initcap(value)).otherwise(value)
    return F.when(F.col("kind") == Kind.QUANTITY, sized).otherwise(text)


def word(what: str) -> Column:
    """A word of a page."""
    at = F.pmod(F.xxhash64("product_id", F.lit(what)), F.lit(len(WORDS))).cast("int")
    return F.get(F.lit(WORDS), at)


def versions(tables: Tables) -> dict[str, str]:
    """Of what the seconds depend on."""
    jvm: Any = tables.spark._jvm  # py4j publishes no types
    own = {name: metadata.version(name) for name in ("pyspark", "delta-spark", "pyarrow")}
    return {"python": platform.python_version(), "java": str(jvm.java.lang.System.getProperty("java.version"))} | own


def markdown(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The steps as a table; what a job does not count is empty."""
    cells = [
        [f"{row[name]:,}" if name in row and name not in TEXTS else row.get(name, "") for name in SHOWN] for row in rows
    ]
    return ["| " + " | ".join(line) + " |" for line in (SHOWN, ["---"] * len(SHOWN), *cells)]


if __name__ == "__main__":
    main()
