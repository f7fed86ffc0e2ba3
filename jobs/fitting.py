"""Fit a model that has weights: in this process, or in several that torchrun starts (train.processes).

The processes share a folder and nothing else: the fresh model and its task go in, the fitted model and how it went
come out. Either way a fit that was killed goes on from its last state.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeGuard

from pydantic import TypeAdapter

from extractor import augment, checkpoint, components, training
from extractor.errors import ModelError
from extractor.models.base import Model, Pretrainable, Settling, Trainable
from extractor.records import DEFINITIONS, Definition, Example
from jobs import config, lessons, progress
from schemas.enums import Split

EVERY = 10.0
"""Seconds between two lines about a fit's progress."""
STATE, FRESH, MODEL, TASK, RESULT = "state", "fresh", "model", "task.json", "result.json"
SETTINGS = TypeAdapter(config.Train)
RESULTS = TypeAdapter(training.Fitted)


class Material(NamedTuple):
    """What a model learns from."""

    paths: Mapping[Split, Path]
    """Exported rows of each split."""
    taught: Mapping[Split, Sequence[Example]]
    """The same as records."""
    definitions: tuple[Definition, ...]


def alone(
    model: Trainable, material: Material, conf: config.Train, folder: Path, say: Callable[[str], None]
) -> training.Fitted:
    """Fit here; the model is left with its final weights."""
    train = augment.augmented(material.taught[Split.TRAIN], material.definitions, conf.augment, seed=conf.loop.seed)
    validation = material.taught[Split.VALIDATION]
    fitted = training.fit(model, train, validation, conf.loop, folder=folder / STATE, report=teller(say))
    if settles(model):
        model.settle(validation)
    return fitted


def together(material: Material, conf: config.Train, folder: Path) -> training.Fitted:
    """Fit `folder/fresh` in conf.processes processes and leave `folder/model`."""
    task = {
        "paths": {split: str(path) for split, path in material.paths.items()},
        "definitions": DEFINITIONS.dump_python(material.definitions, mode="json"),
        "train": SETTINGS.dump_python(conf, mode="json"),
    }
    (folder / TASK).write_text(json.dumps(task), encoding="utf-8")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    torchrun += [f"--nproc-per-node={conf.processes}", "-m", "jobs.fitting", str(folder)]
    done = subprocess.run(torchrun, check=False)  # noqa: S603  # our own module, a number and a folder; no shell
    if done.returncode != 0:
        raise ModelError(f"training in {conf.processes} processes", f"exit code {done.returncode}", "0; see above")
    return RESULTS.validate_json((folder / RESULT).read_bytes())


def process(folder: Path) -> None:
    """What each of several processes does; the first one tells how it goes and writes the outcome."""
    task = json.loads((folder / TASK).read_text(encoding="utf-8"))
    conf = SETTINGS.validate_python(task["train"])
    paths = {Split(split): Path(path) for split, path in task["paths"].items()}
    taught = {split: lessons.load(path).examples for split, path in paths.items()}
    model, card = checkpoint.load(folder / FRESH, device="cpu")
    assert learns(model), f"{card.model} has no weights"
    material = Material(paths, taught, DEFINITIONS.validate_python(task["definitions"]))
    fitted = alone(model, material, conf, folder, partial(progress.say, "train"))
    if os.environ["RANK"] == "0":
        save(folder / MODEL, model, card)
        (folder / RESULT).write_bytes(RESULTS.dump_json(fitted))


def save(folder: Path, model: Model, card: checkpoint.Card) -> None:
    """Save a fitted model under the card of the fresh one."""
    checkpoint.save(
        folder,
        model,
        name=card.model,
        config=card.config,
        feature_schema=card.feature_schema,
        ocr_schema=card.ocr_schema,
        examples_id=card.examples_id,
    )


def learns(model: Model) -> TypeGuard[Trainable]:
    """Whether there are weights to fit; Word Matching only counts."""
    return hasattr(model, "loss")


def settles(model: Trainable) -> TypeGuard[Settling]:
    """Whether something is chosen on the validation examples when the weights are fitted."""
    return hasattr(model, "settle")


def pretrains(model: Model) -> TypeGuard[Pretrainable]:
    """Whether the weights of a model that learnt other tasks are a start."""
    return hasattr(model, "inherit")


def pretrainable() -> str:
    """The components whose weights may start so, for messages."""
    kinds = {name: components.offered("models", name, key="model.name") for name in components.names("models")}
    return ", ".join(name for name, kind in kinds.items() if pretrains(kind))


def teller(say: Callable[[str], None]) -> Callable[[training.Progress], None]:
    """Tell of a fit every few seconds, and of every look at the validation examples."""
    told = time.monotonic()

    def tell(at: training.Progress) -> None:
        nonlocal told
        now = time.monotonic()
        if at.validation_loss is None and now - told < EVERY:
            return
        told = now
        left = at.seconds / at.step * (at.steps - at.step)
        seen = "" if at.validation_loss is None else f", validation {at.validation_loss:.4f}"
        say(f"step {at.step:,} of {at.steps:,}, loss {at.loss:.4f}{seen}, at most {left:.0f} s left")

    return tell


if __name__ == "__main__":
    process(Path(sys.argv[1]))
