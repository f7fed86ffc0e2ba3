"""Which models may publish for which attribute, and whose answers go out where several may.

Chosen is once for each attribute of a product type, never answer by answer: a gate promises the precision of all that
a model says above its threshold, not of what is left when another model had the first word.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from extractor.errors import ConfigError, ModelError
from extractor.normalise import NORMALISER_VERSION
from extractor.records import Definition
from jobs import answers, config, pinned, registry
from jobs.answers import PAIR, Asked
from jobs.config import Choice, Publish, Scope
from jobs.pinned import Pinned
from jobs.tables import Tables
from schemas.predictions import PREDICTIONS

Attribute = tuple[str, str]
"""Product type and attribute."""
KEY = "publish.models"


class Candidate(NamedTuple):
    """A model that may publish, and for what."""

    choice: Choice
    model: Pinned


def candidates(conf: config.Conf) -> list[Candidate]:
    """The models that conf lets publish, the preferred first; that of enrich alone where it names none."""
    choices = conf.publish.models or (Choice(model=conf.enrich.model, version=conf.enrich.version),)
    versions = {choice.model: choice.version for choice in choices}
    for choice in choices:
        if choice.version != versions[choice.model]:
            raise ConfigError(KEY, f"versions of {choice.model!r} that differ", "one version of each model")
    models = {name: pin(conf, name, version) for name, version in versions.items()}
    return [Candidate(choice, models[choice.model]) for choice in choices]


def pin(conf: config.Conf, name: str, version: str | int) -> Pinned:
    """A model that conf does not ask, by name and version or alias."""
    return pinned.pin(replace(conf, enrich=replace(conf.enrich, model=name, version=version)))


def models(candidates: Sequence[Candidate]) -> list[Pinned]:
    """The models of candidates, each once, the preferred first."""
    return list({candidate.model.version: candidate.model for candidate in candidates}.values())


def versions(models: Sequence[Pinned]) -> str:
    """How the run book names the models of a run, e.g. `facetmill/3, mxt/1`."""
    return ", ".join(model.version for model in models)


def beside(tables: Tables, conf: config.Conf, models: Sequence[Pinned]) -> tuple[list[Pinned], list[str]]:
    """The champion of every other name that has predictions (shadows, baselines); and why others are left out."""
    names = tables.read_or_empty(PREDICTIONS).select("model_name").distinct().orderBy("model_name").collect()
    found, problems = [], []
    for name in sorted({row.model_name for row in names} - {model.name for model in models}):
        try:
            found.append(pin(conf, name, registry.CHAMPION))
        except ModelError as error:
            problems.append(f"{name} has predictions, but is left out: {error}")
    return found, problems


def questions(choices: Sequence[Choice], model: str, known: Sequence[Definition]) -> list[Attribute]:
    """What a model is asked: where it may publish, or everything if no entry names it (a shadow, a baseline)."""
    check(choices, known)
    mine = [choice for choice in choices if choice.model == model]
    asked = [(one.product_type, one.attribute) for one in known]
    return [one for one in asked if any(choice.covers(*one) for choice in mine)] if mine else asked


def check(choices: Sequence[Choice], known: Sequence[Definition]) -> None:
    """Refuse an entry that speaks of what no definition has, and definitions for which no model is named."""
    for choice in choices:
        check_names(KEY, choice, known)
        if not any(choice.covers(one.product_type, one.attribute) for one in known):
            raise ConfigError(KEY, f"an entry of {choice.model} for nothing", "attributes that its product types have")
    for one in known:
        if choices and not any(choice.covers(one.product_type, one.attribute) for choice in choices):
            raise ConfigError(KEY, f"no model for {one.attribute} of {one.product_type}", "at least one for each")


def check_names(key: str, entry: Scope, known: Sequence[Definition]) -> None:
    """Refuse an entry that names a product type or an attribute without definition."""
    for what, named, defined in (
        ("product type", entry.product_types, {one.product_type for one in known}),
        ("attribute", entry.attributes, {one.attribute for one in known}),
    ):
        if odd := sorted(set(named) - defined):
            raise ConfigError(key, f"{what} {odd[0]!r}", f"one of {', '.join(sorted(defined))}")


def choose(
    candidates: Sequence[Candidate], known: Sequence[Definition], recalls: Mapping[tuple[str, Attribute], float]
) -> dict[Attribute, Pinned]:
    """Of each attribute the model of highest recall through open gates; of equals, and without any, the first named.

    `recalls` has an entry for each (model version, attribute) with an open gate.
    """
    check([candidate.choice for candidate in candidates], known)
    chosen = {}
    for one in known:
        attribute = one.product_type, one.attribute
        able = [candidate.model for candidate in candidates if candidate.choice.covers(*attribute)]
        # max keeps the first of equals.
        chosen[attribute] = max(able, key=lambda model: recalls.get((model.version, attribute), -1.0))
    return chosen


def recalls(gates: DataFrame, publish: Publish) -> dict[tuple[str, Attribute], float]:
    """What the gates in force that may publish let through right, by model version and attribute.

    Recalls of printed and of inferred values are shares of the same pairs, so they add up.
    """
    stated = gates.withColumnRenamed("state", "gate_state")
    usable = answers.publishing(publish) & (F.col("normaliser_version") == NORMALISER_VERSION)
    found: defaultdict[tuple[str, Attribute], float] = defaultdict(float)
    shown = stated.where(usable).select("model_version", "product_type", "attribute", "support", "recall")
    for row in shown.orderBy(*shown.columns).collect():
        found[row.model_version, (row.product_type, row.attribute)] += row.recall or 0.0
    return dict(found)


def of_models(rows: DataFrame, models: Sequence[Pinned]) -> DataFrame:
    """The rows (model_version, ...) of some models."""
    return rows.where(F.col("model_version").isin([model.version for model in models]))


def in_force(gates: DataFrame, models: Sequence[Pinned]) -> DataFrame:
    """The gates in force of several models."""
    return answers.newest(of_models(gates, models))


def only(rows: DataFrame, attributes: Sequence[Attribute]) -> DataFrame:
    """The rows (product_type, attribute, ...) of some attributes of product types."""
    wanted = rows.sparkSession.createDataFrame(list(attributes), "product_type string, attribute string")
    return rows.join(F.broadcast(wanted), on=["product_type", "attribute"], how="left_semi")


def asked(tables: Tables, models: Sequence[Pinned]) -> dict[str, Asked]:
    """What is asked now, by model version; models that read the same share one reading of the catalogue."""
    by_reads = {model.reads: model for model in models}
    read = {reads: answers.asked(tables, model) for reads, model in by_reads.items()}
    return {model.version: read[model.reads] for model in models}


def inputs(asked: Mapping[str, Asked], models: Sequence[Pinned]) -> DataFrame:
    """What each of several models reads of each pair now: product_id, attribute, input_hash, model_version."""
    parts = [
        asked[model.version].pairs.select(*PAIR, "input_hash", F.lit(model.version).alias("model_version"))
        for model in models
    ]
    return reduce(DataFrame.unionByName, parts)
