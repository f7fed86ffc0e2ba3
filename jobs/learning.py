"""Learn a model and register it: what the jobs that teach have in common."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import NamedTuple

from extractor import checkpoint, components, training
from extractor.errors import ModelError
from extractor.models.base import Knowledge, Model
from jobs import config, fitting, registry
from schemas.enums import Split


class Learnt(NamedTuple):
    """A model on disk, and how it came about."""

    folder: Path
    card: checkpoint.Card
    fitted: training.Fitted | None
    """None for a model that only counts."""
    seconds: float


def learn(
    conf: config.Conf,
    knowledge: Knowledge,
    material: fitting.Material,
    folder: Path,
    *,
    examples_id: str,
    start: Path | None,
    say: Callable[[str], None],
) -> Learnt:
    """Create, fit (where there is something to fit) and save a model; a killed run goes on where it was.

    `start` is the folder of a pretrained model whose weights it starts from.
    """
    component, own = conf.model, conf.train
    began = time.monotonic()
    kind = components.offered("models", component.name, key="model.name")
    model: Model = kind.create(component.config, knowledge, material.taught[Split.TRAIN], seed=own.loop.seed)
    if start is not None:
        inherit(model, start, component.name)
    save = partial(
        checkpoint.save,
        model=model,
        name=component.name,
        config=component.config,
        feature_schema=knowledge.feature_schema,
        ocr_schema=knowledge.ocr_schema,
        examples_id=examples_id,
    )
    fitted = None
    if fitting.learns(model) and own.processes > 1:
        save(folder / fitting.FRESH)
        fitted = fitting.together(material, own, folder)
        card = checkpoint.read_card(folder / fitting.MODEL)
    else:
        if fitting.learns(model):
            fitted = fitting.alone(model, material, own, folder, say)
        card = save(folder / fitting.MODEL)
    return Learnt(folder / fitting.MODEL, card, fitted, time.monotonic() - began)


def inherit(model: Model, start: Path, name: str) -> None:
    """Take over the weights of a pretrained model; one of another component is refused."""
    if not fitting.pretrains(model):
        raise ModelError(f"model {name!r}", "no way to start from a pretrained one", f"one of {fitting.pretrainable()}")
    loaded = checkpoint.load(start, device="cpu")
    if loaded.card.model != name:
        raise ModelError(f"pretrained model at {start}", f"a {loaded.card.model}", f"a {name}, as model.name says")
    model.inherit(loaded.model)


def register(
    models: registry.Registry,
    learnt: Learnt,
    conf: config.Conf,
    fingerprint: str,
    *,
    name: str,
    promote: bool,
    num_pairs: Mapping[str, int] | None = None,
) -> str:
    """Log the run, keep the model's files with it, make a version of them; `num_pairs` by split is logged as well."""
    fitted = learnt.fitted
    metrics = {"seconds": learnt.seconds, "steps": float(fitted.steps if fitted else 0)}
    metrics |= {f"{split}_pairs": float(num) for split, num in (num_pairs or {}).items()}
    if fitted is not None and fitted.validation_loss is not None:
        metrics["kept_validation_loss"] = fitted.validation_loss  # the history holds one a look
    run_id = models.log(
        f"{name} {fingerprint}",
        params=json.loads(config.as_json(conf)),
        history=[asdict(evaluation) for evaluation in fitted.history] if fitted else [],
        metrics=metrics,
        tags={"fingerprint": fingerprint, "examples_id": learnt.card.examples_id},
    )
    version = models.register(
        name, learnt.folder, run_id=run_id, fingerprint=fingerprint, model_hash=learnt.card.model_hash
    )
    if promote:
        models.promote(name, version)
    return version
