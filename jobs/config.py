"""The one typed tree of settings: conf files merged in order, checked before Spark starts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

from extractor import augment, certificates, components, pretraining, training
from extractor.certificates import Promise
from extractor.errors import ConfigError
from extractor.images import Config as Images
from extractor.labels import Config as Labels
from extractor.predictor import Config as Batches
from jobs import credentials, trees
from jobs import s3 as s3_


@dataclass(frozen=True, kw_only=True)
class Spark:
    """How the session is made; under spark-submit master, memory and jars come from its command line."""

    master: str | None
    """Spark master, e.g. local[2,4]; null leaves it to spark-submit."""
    driver_memory: str | None
    """JVM heap of the driver, e.g. 2g; null leaves it to spark-submit."""
    jars: tuple[str, ...]
    """Delta's two jars; empty where the cluster has them."""
    log_level: str
    """Log level of Spark's own messages."""
    confs: dict[str, str]
    """Any further Spark setting; wins over ours."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The catalogue that we draw ourselves."""

    out: str
    """Folder of the input files: products, definitions, pictures."""
    truth: str
    """Folder of the truth, which only evaluate may read."""
    products: int
    """How many products."""
    seed: int
    """The same seed draws the same bytes."""
    features_only: bool
    """Write noisy OCR and features directly, draw no pictures."""
    odd: bool
    """Add the twenty odd products."""


@dataclass(frozen=True, kw_only=True)
class ProductFeed:
    """Where products come from and what their columns are called there."""

    path: str
    """File, folder or glob."""
    format: Literal["jsonl", "csv", "parquet"]
    """How the files are written."""
    columns: dict[str, str]
    """Our column to theirs; what is not named here is called as ours."""
    attribute_columns: dict[str, str]
    """Attribute to the column that holds its value; empty where one map column `attributes` holds all."""
    list_separator: str
    """CSV: what separates bullets and pictures within a cell."""


@dataclass(frozen=True, kw_only=True)
class DefinitionFeed:
    """Where attribute definitions come from."""

    path: str
    """One file."""
    format: Literal["yaml", "csv", "parquet"]
    """How it is written."""


@dataclass(frozen=True, kw_only=True)
class ImageTextFeed:
    """OCR made elsewhere: our contract, or Amazon Rekognition's answers."""

    path: str
    """File, folder or glob; empty imports none."""
    format: Literal["parquet", "jsonl", "rekognition"]
    """parquet and jsonl hold our columns; rekognition one JSON answer a line, with `uri` or `image_hash`."""
    ocr_schema: str
    """The schema that imported rows must name (jsonl, parquet) or are given (rekognition)."""


@dataclass(frozen=True, kw_only=True)
class ImageFeatureFeed:
    """Image features made elsewhere, in our contract."""

    path: str
    """File, folder or glob; empty imports none."""
    format: Literal["parquet"]
    """How the files are written."""
    feature_schema: str
    """The schema that imported rows must name; others are quarantined."""


@dataclass(frozen=True, kw_only=True)
class Ingest:
    """What comes in."""

    source: str
    """Name of the feed, stored with each product."""
    locale: str
    """Locale of products that name none, BCP 47."""
    precision_target: float
    """Promise of definitions that name none, 0..1."""
    max_text_characters: int
    """A title or bullet longer than this is no text but an accident: the row is quarantined."""
    products: ProductFeed
    definitions: DefinitionFeed
    image_texts: ImageTextFeed
    image_features: ImageFeatureFeed


@dataclass(frozen=True, kw_only=True)
class Component:
    """A component by name (its file in its folder) with its own settings."""

    name: str
    config: Any  # the Config of the component's own module


@dataclass(frozen=True, kw_only=True)
class ReadImages:
    """What is read off pictures, by which components."""

    root: str
    """Folder or s3:// prefix that relative picture paths start from and that none may leave."""
    enabled: bool
    """False where OCR and features are imported: nothing is read, no engine is loaded."""
    partition_pictures: int
    """Pictures a Spark task: small tasks show progress and lose little."""
    limits: Images
    ocr: Component
    regions: Component


@dataclass(frozen=True, kw_only=True)
class Train:
    """Learning and registering a model."""

    name: str
    """Name of the model in the registry."""
    folder: str
    """Local folder of resumable state and exported inputs."""
    promote: bool
    """Make the new version champion at once; the first version of a name always is."""
    start_from: str
    """Registered name of a pretrained model (python -m jobs.pretrain) whose weights are the start; empty: none."""
    processes: int
    """Processes that learn together by torchrun, one a GPU; 1 learns within the job."""
    augment: augment.Config
    loop: training.Config


@dataclass(frozen=True, kw_only=True)
class Combine:
    """Two registered models as one."""

    name: str
    """Name of the combination in the registry."""
    spans: str
    """Registered name of the model that reads printed values."""
    generator: str
    """Registered name of the model that may also answer with what is printed nowhere."""
    version: str | int
    """Of both: a version, or an alias such as champion."""
    strength: float
    """Inverse of the ridge penalty on the weights of the combination."""
    promote: bool
    """Make the new version champion at once; the first version of a name always is."""

    def __post_init__(self) -> None:
        if not self.strength > 0:
            raise ConfigError("strength", self.strength, "a number above 0")


@dataclass(frozen=True, kw_only=True)
class Registry:
    """Where models live."""

    tracking_uri: str
    """MLflow tracking and registry, e.g. sqlite:///demo/mlflow.db or https://..."""
    artifacts: str
    """Where MLflow keeps files; used when the experiment is made."""
    experiment: str
    """MLflow experiment of the runs."""


@dataclass(frozen=True, kw_only=True)
class Enrich:
    """Asking the model."""

    model: str
    """Registered name."""
    version: str | int
    """A version, or an alias such as champion; resolved once a run."""
    where: str
    """SQL over the columns of products: whom to ask; empty asks all."""
    chunk_pairs: int
    """(product, attribute) pairs a chunk: a chunk is one commit."""
    chunk_bytes: int
    """Bytes of text and words a chunk: they are broadcast."""
    task_products: int
    """Products a Spark task."""
    api: Literal["pandas", "arrow"]
    """Which iterator UDF carries the batches; benchmarks/enrich_api.py compares them."""
    device: str
    """cpu, cuda, or auto: the task's GPU where Spark gave it one."""
    batches: Batches


@dataclass(frozen=True, kw_only=True)
class Backfill:
    """A part of the catalogue that a model answers beside the nightly runs."""

    model: str
    """Its name in the registry; empty means enrich.model."""
    version: str | int
    """A version, or an alias such as challenger."""
    product_types: tuple[str, ...]
    """Of these product types; empty means of all."""
    since: date | None
    """Products that changed on this day or later; null means ever."""
    until: date | None
    """Products that changed on this day or before; null means ever."""
    products: int
    """Stop after about as many products; 0 is no limit."""
    hours: float
    """Stop after so many hours; 0 is no limit."""
    promote: bool
    """Make the version champion once it has answered all and its gates let something out."""

    def __post_init__(self) -> None:
        for name in ("products", "hours"):
            if getattr(self, name) < 0:
                raise ConfigError(name, getattr(self, name), "0 or more")


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What people are asked to judge."""

    budget: int
    """Answers a sample asks a person to judge."""
    out: str
    """Folder of the work sheets, one folder a sample."""
    slack: float
    """Answers are audited down to where the confidences promise this much less than the target, 0..1."""
    second: float
    """Share that a second auditor judges as well, 0..1."""
    watch: float
    """Share of what certified gates publish that is checked afterwards, 0..1."""
    salt: str
    """Makes the order of draws, which nobody outside should foresee; with another one, old verdicts help little."""

    verdicts: str
    """The file that record reads."""
    auditor: str
    """Who judged, where the file does not say so."""
    keep_good: bool
    """Record the good lines of a file that has wrong ones."""

    def __post_init__(self) -> None:
        if self.budget < 1:
            raise ConfigError("budget", self.budget, "at least 1")
        for name, share in (("slack", self.slack), ("second", self.second), ("watch", self.watch)):
            if not 0 <= share < 1:
                raise ConfigError(name, share, "a number from 0, below 1")


@dataclass(frozen=True, kw_only=True)
class Certify:
    """What the audits must prove."""

    delta: float
    """Chance of a broken promise that is allowed, 0..1."""
    promise: Promise
    """What delta bounds."""
    starts: int
    """Sequences of thresholds that are tested, each at its part of delta."""
    cannot_tell_is_wrong: bool
    """Whether an answer that an auditor could not judge counts as an error; else it counts as not drawn."""
    collusion: float
    """Chance that an honest catalogue is found to repeat our errors, 0..1."""

    def __post_init__(self) -> None:
        certificates.check(0.5, self.delta)
        if not 0 <= self.collusion < 1:
            raise ConfigError("collusion", self.collusion, "a number from 0, below 1")
        if self.starts < 1:
            raise ConfigError("starts", self.starts, "at least 1")


@dataclass(frozen=True, kw_only=True)
class Calibrate:
    """From raw scores to confidences and thresholds."""

    split: Literal["validation", "calibration", "test"]
    """Whose catalogue values judge the answers."""
    min_judged: int
    """A group with fewer judged answers stays closed."""
    prior_strength: float
    """How many judged answers the pooled calibration weighs against a group's own."""
    certify: Certify
    dry_run: bool
    """Say what new gates would change, and append none."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What an entry of a list speaks of; the base conf cannot hold defaults of entries, so they are here."""

    product_types: tuple[str, ...] = ()
    """These product types alone; empty means all."""
    attributes: tuple[str, ...] = ()
    """These attributes alone; empty means all."""

    def covers(self, product_type: str, attribute: str) -> bool:
        """Whether it speaks of an attribute of a product type."""
        of_type = not self.product_types or product_type in self.product_types
        return of_type and (not self.attributes or attribute in self.attributes)


@dataclass(frozen=True, kw_only=True)
class Choice(Scope):
    """A model whose answers may go out, and for what."""

    model: str
    """Registered name."""
    version: str | int = "champion"
    """A version, or an alias; resolved once a run."""


@dataclass(frozen=True, kw_only=True)
class StatesOf(Scope):
    """Gate states that publish, for some attributes."""

    states: tuple[Literal["certified", "provisional"], ...]
    """Gate states that publish."""


@dataclass(frozen=True, kw_only=True)
class Known(Scope):
    """A day's answers that are unlike earlier ones and may go out."""

    day: date
    """The day that was processed when they were given."""


@dataclass(frozen=True, kw_only=True)
class Drift:
    """When answers are unlike those that their gate was earned on."""

    smallest: int
    """Answers of a batch that is judged alone; smaller ones of a day are judged together."""
    distance: float
    """Share of answers that may stand elsewhere than before, 0..1; 1 compares nothing."""
    false_alarm: float
    """Chance that a batch of a day waits though nothing has changed."""
    known: tuple[Known, ...]
    """Batches that an operator has looked at: they wait no more."""

    def __post_init__(self) -> None:
        if self.smallest < 1:
            raise ConfigError("smallest", self.smallest, "at least 1")
        if not 0 < self.distance <= 1:
            raise ConfigError("distance", self.distance, "a number above 0, at most 1")
        if not 0 < self.false_alarm < 1:
            raise ConfigError("false_alarm", self.false_alarm, "a number between 0 and 1, both excluded")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How far a night may be from the medians of the last nights before publish stops."""

    nights: int
    """Nights that are looked at; 0 compares nothing."""
    least: int
    """With fewer nights before it a night is compared with nothing."""
    volume: float
    """Share by which more or fewer pairs may be asked."""
    quarantined: float
    """How much more of all pairs the model may fail to read, 0..1."""
    unknown: float
    """How much more of all pairs the model may fail to find, 0..1."""

    def __post_init__(self) -> None:
        if self.nights < 0:
            raise ConfigError("nights", self.nights, "0 or more")
        if self.least < 1:
            raise ConfigError("least", self.least, "at least 1")
        for name in ("volume", "quarantined", "unknown"):
            if not getattr(self, name) > 0:
                raise ConfigError(name, getattr(self, name), "a number above 0")


@dataclass(frozen=True, kw_only=True)
class Publish:
    """What may go out."""

    models: tuple[Choice, ...]
    """Whose answers, the preferred first; empty means those of enrich.model, for everything."""
    states: tuple[Literal["certified", "provisional"], ...]
    """Gate states that publish; what passes any other gate is queued for review."""
    states_of: tuple[StatesOf, ...]
    """Exceptions from that, the first that fits wins."""
    review_margin: float
    """Answers this little below their threshold are queued for review, 0..1."""
    drift: Drift
    """When answers wait."""
    limits: Limits
    """When nothing goes out."""
    dry_run: bool
    """Say which values would appear and disappear, and write none."""


@dataclass(frozen=True, kw_only=True)
class Kill:
    """Which answers may not be published; empty names nothing."""

    product_type: str
    """About this product type."""
    attribute: str
    """About this attribute."""
    model_version: str
    """Of this model version."""
    answered_by: str
    """Computed by this run of enrich."""
    reason: str
    """Why; the history of every value says it."""
    undo: bool
    """Let them out again."""


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Measuring against the truth."""

    truth: str
    """Folder of truth.parquet."""
    split: Literal["validation", "calibration", "test"]
    """The split that figures are measured on."""
    threshold_split: Literal["validation", "calibration", "test"]
    """The split that chooses the threshold of Recall@90P."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The page for people."""

    out: str
    """The HTML file."""
    gallery: int
    """Products in the gallery."""
    pictures: str
    """Root of the pictures, for crops."""


@dataclass(frozen=True, kw_only=True)
class Maintain:
    """How tables are kept small."""

    tables: tuple[str, ...]
    """Which; empty means all."""
    compact: bool
    """Write many small files anew as few."""
    sort: bool
    """Write whole tables anew in the order of their keys: days of I/O for large ones, faster look-ups after."""
    retain_hours: int
    """Files that no version younger than this needs are deleted: longer than any run reads a version."""
    transaction_days: int
    """How long a table remembers that a transaction was committed: longer than any run is repeated."""

    def __post_init__(self) -> None:
        if self.retain_hours < LEAST_RETENTION:
            raise ConfigError("retain_hours", self.retain_hours, f"at least {LEAST_RETENTION}: runs read old versions")
        if self.transaction_days * 24 < self.retain_hours:
            raise ConfigError("transaction_days", self.transaction_days, "at least as long as retain_hours")


@dataclass(frozen=True, kw_only=True)
class Views:
    """The views for analysts."""

    out: str
    """The DuckDB script."""
    name: str
    """A view whose first rows are printed; empty prints none."""


@dataclass(frozen=True, kw_only=True)
class Conf:
    """Everything that an operator can set."""

    warehouse: str
    """Folder of the Delta tables, one folder a table; a path or s3a://."""
    log_format: Literal["text", "json"]
    """How jobs tell what they do, on standard error: lines to read, or JSON objects to search."""
    spark: Spark
    s3: s3_.Config
    sample: Sample
    ingest: Ingest
    read_images: ReadImages
    label: Labels
    model: Component
    pretrain: pretraining.Config
    train: Train
    combine: Combine
    registry: Registry
    enrich: Enrich
    backfill: Backfill
    audit: Audit
    calibrate: Calibrate
    publish: Publish
    kill: Kill
    evaluate: Evaluate
    report: Report
    views: Views
    maintain: Maintain


LEAST_RETENTION = 168
"""Hours; Delta's own limit."""
BASE = str(Path(__file__).resolve().parent.parent / "conf" / "base.yaml")
"""Every key with its meaning; read before all other files."""

COMPONENTS = {("read_images", "ocr"): "ocr", ("read_images", "regions"): "regions", ("model",): "models"}
"""Where the tree holds components, and in which folder each is looked up."""


def load(files: Sequence[str], overrides: Sequence[str] = ()) -> Conf:
    """Merge files in order, then `a.b=c` overrides, and check; the first problem is a ConfigError naming its key."""
    tree: dict[str, Any] = {}
    for file in files:
        tree = merge(tree, trees.read(file))
    for override in overrides:
        tree = merge(tree, trees.override(override))
    credentials.refuse(tree)
    chosen = {keys: _choose(tree, keys, folder) for keys, folder in COMPONENTS.items()}
    return _with_s3(_with_components(trees.checked(Conf, tree, prefix=""), chosen))


def merge(base: Mapping[str, Any], over: Mapping[str, Any], at: tuple[str, ...] = ()) -> dict[str, Any]:
    """`over` wins key by key; a component under another name starts anew, without its predecessor's settings.

    A component may be given by its name alone: `--set model=mxt`.
    """
    merged = dict(base)
    for key, given in over.items():
        value = {"name": given} if (*at, key) in COMPONENTS and isinstance(given, str) else given
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping) and not _renamed(old, value, (*at, key)):
            merged[key] = merge(old, value, (*at, key))
        else:
            merged[key] = value
    return merged


def _renamed(old: Mapping[str, Any], new: Mapping[str, Any], at: tuple[str, ...]) -> bool:
    return at in COMPONENTS and new.get("name", old.get("name")) != old.get("name")


def as_json(conf: object) -> str:
    """The tree as stable JSON: for the run book, MLflow and hashes."""
    return json.dumps(_plain(conf), sort_keys=True, default=str)


def _plain(conf: object) -> object:
    return asdict(conf) if is_dataclass(conf) and not isinstance(conf, type) else conf


def _choose(tree: dict[str, Any], keys: tuple[str, ...], folder: str) -> Component:
    """Check a component's settings by its own module and leave its name alone in the tree."""
    key = ".".join(keys)
    parent = tree
    for depth, part in enumerate(keys[:-1], start=1):
        parent = parent.get(part, {})
        if not isinstance(parent, dict):
            raise ConfigError(".".join(keys[:depth]), parent, "a mapping of settings")
    settings = parent.get(keys[-1])
    if not isinstance(settings, Mapping) or "name" not in settings:
        raise ConfigError(key, settings, "a mapping with `name` and the component's settings")
    name = settings["name"]
    module = components.module(folder, name, key=f"{key}.name")
    options = {option: value for option, value in settings.items() if option != "name"}
    parent[keys[-1]] = {"name": name, "config": None}
    return Component(name=name, config=trees.checked(module.Config, options, prefix=f"{key}."))


def _with_s3(conf: Conf) -> Conf:
    """Spark is told how to reach S3 where an address lies there, pictures are read from the same store."""
    limits, store = conf.read_images.limits, conf.s3
    endpoint, region = limits.s3_endpoint or store.endpoint, limits.s3_region or store.region
    pictures = replace(conf.read_images, limits=replace(limits, s3_endpoint=endpoint, s3_region=region))
    if '"s3a://' not in as_json(conf):
        return replace(conf, read_images=pictures)
    confs = {**s3_.hadoop(store), **conf.spark.confs}
    s3_.check(confs)
    # Where Delta's jars are the cluster's, so are these.
    spark = replace(conf.spark, confs=confs, jars=(*conf.spark.jars, *(store.jars if conf.spark.jars else ())))
    return replace(conf, read_images=pictures, spark=spark)


def _with_components(conf: Conf, chosen: Mapping[tuple[str, ...], Component]) -> Conf:
    return replace(
        conf,
        read_images=replace(
            conf.read_images, ocr=chosen["read_images", "ocr"], regions=chosen["read_images", "regions"]
        ),
        model=chosen["model",],
    )
