"""Train and score variants of every system with several seeds, and print what each part is worth.

    python -m benchmarks.ablations --out benchmarks/results/ablations.json
    python -m benchmarks.ablations --data FOLDER --conf benchmarks/conf/grocerystore.yaml --out FILE.json

The catalogue is prepared once by the jobs; without --data it is the sample catalogue of
benchmarks/conf/ablations_sample.yaml. Then every run is one process with one thread: same labels, training loop and
predictor as in the jobs. A run that is finished is kept in --work: a broken benchmark goes on where it was.
"""

import argparse
import hashlib
import json
import os
import platform
import shutil
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from pydantic import BaseModel, ConfigDict
from pyspark.sql import Row

from airflow_dags import plan
from benchmarks import data_folder, exported, real_data
from extractor import components, evaluation, text
from extractor.evaluation import Cell, Slice
from extractor.models.base import Model
from extractor.predictor import Predictor, Read
from extractor.records import Example
from jobs import config, evaluate, fitting, nightly, progress
from schemas.enums import Split

VARIANTS = "benchmarks/conf/ablations.yaml"
SAMPLE = "benchmarks/conf/ablations_sample.yaml"
LOCAL = "conf/local.yaml"
DAY = "2026-01-15"
TOP = 3
"""Attributes of a product type that the paper's table counts: those with most values (S2 4.2: the top K)."""
AS_TRAINED = "as trained"
"""The answers of a variant without another decoder."""
STEPS = ("ingest", "read_images", f"read_images:{plan.MXT}", "label")
"""Both kinds of picture features are taken."""
PLACES = {
    "warehouse": "warehouse",
    "sample.out": "catalogue",
    "sample.truth": "truth",
    "evaluate.truth": "truth",
    "ingest.products.path": "catalogue/products*.jsonl",
    "ingest.definitions.path": "catalogue/definitions.yaml",
    "read_images.root": "catalogue/pictures",
}
"""Settings of the sample that are paths below --work."""


class Variant(BaseModel):
    """One way to train a system."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    set: tuple[str, ...] = ()
    hold_out: tuple[tuple[str, str], ...] = ()
    """(product type, attribute) pairs that nothing teaches."""
    only: str = ""
    """The one product type that teaches and is scored."""
    decoders: Mapping[str, tuple[str, ...]] = {}
    """Further answers of the same weights, by name."""
    seeds: int | None = None
    """At most so many of the seeds asked; none takes all."""


class System(BaseModel):
    """A model component with its variants."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    conf: tuple[str, ...]
    set: tuple[str, ...]
    variants: Mapping[str, Variant]


class Run(NamedTuple):
    """One training."""

    system: str
    name: str
    variant: Variant
    seed: int
    conf: tuple[str, ...]
    sets: tuple[str, ...]
    """Everything that is laid over the conf files, the variant's own and the seed."""
    data: Path
    """What `exported` wrote."""

    def settings(self, more: Sequence[str] = ()) -> config.Conf:
        """Its conf."""
        return config.load([config.BASE, *self.conf], [*self.sets, *more])

    def file(self, work: Path) -> Path:
        """Where its figures are kept: a name that other settings or other data do not have."""
        variant = self.variant.model_dump(exclude={"seeds"})
        own = [self.system, self.name, variant, self.seed, config.as_json(self.settings())]
        content = json.dumps([own, exported.content(self.data)], sort_keys=True)
        return work / "runs" / f"{hashlib.sha256(content.encode()).hexdigest()[:16]}.json"


def main() -> None:
    """Prepare the catalogue, run what is not yet run, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", type=Path, default=Path(VARIANTS), help="systems and their variants")
    parser.add_argument("--only", action="append", default=[], metavar="SYSTEM", help="of these systems alone")
    parser.add_argument("--data", type=Path, help="folder of labelled products (docs/data-format.md); none: the sample")
    parser.add_argument("--conf", action="append", default=[], help="conf file of the data; repeatable")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting of all variants")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="runs at a time, one thread each")
    parser.add_argument("--work", type=Path, default=Path("demo/ablations"), help="folder for catalogue and runs")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/ablations.json"))
    asked = parser.parse_args()
    work = asked.work / ("sample" if asked.data is None else asked.data.name)
    systems = {
        name: System.model_validate(system)
        for name, system in yaml.safe_load(asked.variants.read_text(encoding="utf-8"))["systems"].items()
        if not asked.only or name in asked.only
    }
    if asked.data is None:
        files = [LOCAL, SAMPLE, *asked.conf]
        settings = prepare_sample(files, asked.set, work)
    else:
        files = [LOCAL, "conf/real_data.yaml", *asked.conf]
        settings = prepare_data(asked.data, asked.conf, asked.set, work)
    runs = list(planned(systems, files, settings, asked.seeds, work))
    export(runs, work)
    done = list(carried_out(runs, work, asked.workers))
    result = {
        "set": "sample" if asked.data is None else asked.data.name,
        "machine": f"{platform.processor() or platform.machine()}, {platform.system()}, one thread a run",
        "settings": [*asked.conf, *asked.set],
        "seeds": asked.seeds,
        "rows": summed(done),
    }
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print("\n".join(table(result["rows"])))


def prepare_sample(files: Sequence[str], sets: Sequence[str], work: Path) -> list[str]:
    """Draw the sample catalogue and run the jobs up to label; returns the settings that name its places."""
    settings = [*(f"{key}={work / path}" for key, path in PLACES.items()), *sets]
    flags = [part for file in files for part in ("--conf", file)]
    flags += [part for setting in settings for part in ("--set", setting)]
    once(work, lambda: nightly.main([*flags, "--day", DAY, "sample", *STEPS]))
    return settings


def prepare_data(data: Path, confs: Sequence[str], sets: Sequence[str], work: Path) -> list[str]:
    """The same for a folder of labelled products."""
    flags = [*("--data", str(data), "--out", "none"), *(part for file in confs for part in ("--conf", file))]
    asked = real_data.arguments([*flags, *(part for setting in sets for part in ("--set", setting))])
    folder = data_folder.read(data, evaluated=None, family_separator=None)
    held_out = folder.is_evaluated()
    work.mkdir(parents=True, exist_ok=True)
    ocr = work / "ocr.parquet" if data_folder.write_ocr(folder, work / "ocr.parquet") else None
    flow = real_data.flow(asked, folder, work, ocr)

    def prepare() -> None:
        real_data.prepare(asked, folder, flow, held_out, updated_at=DAY)
        data_folder.write_truth(folder, held_out, work / "truth" / "truth.parquet")
        flow.run(*STEPS)

    once(work, prepare)
    return [f"evaluate.truth={work / 'truth'}", *flow.settings()]


def once(work: Path, prepare: Callable[[], None]) -> None:
    """Prepare a catalogue, unless that was done before."""
    finished = work / "prepared"
    if not finished.exists():
        prepare()
        finished.touch()


def planned(
    systems: Mapping[str, System], files: Sequence[str], sets: Sequence[str], seeds: Sequence[int], work: Path
) -> Iterator[Run]:
    """Every run: seed by seed, so that a benchmark that is stopped early has all variants."""
    for seed in seeds:
        for name, system in systems.items():
            for title, variant in system.variants.items():
                if seed not in seeds[: variant.seeds]:
                    continue
                own = (*sets, *system.set, *variant.set, f"train.loop.seed={seed}", "train.loop.threads=1")
                run = Run(name, title, variant, seed, (*files, *system.conf), own, work)
                yield run._replace(data=work / "exported" / run.settings().read_images.regions.name)


def export(runs: Sequence[Run], work: Path) -> None:
    """Write what the runs read, once for each kind of picture features."""
    for run in {run.data: run for run in runs}.values():
        if not (run.data / exported.INDEX).exists():
            conf = run.settings()
            exported.export(conf, run.data, splits=(conf.evaluate.split, conf.evaluate.threshold_split))


def carried_out(runs: Sequence[Run], work: Path, workers: int) -> Iterator[dict[str, Any]]:
    """The figures of every run, in order; those that are not yet there are computed, several at a time."""
    files = [run.file(work) for run in runs]
    missing = [(run, file) for run, file in zip(runs, files, strict=True) if not file.exists()]
    progress.say("ablations", f"{len(runs)} runs, {len(runs) - len(missing)} of them done before")
    began = time.monotonic()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(carry_out, run, file): run for run, file in missing}
        for number, future in enumerate(as_completed(waiting), start=1):
            run, figures = waiting[future], future.result()
            left = (time.monotonic() - began) / number * (len(missing) - number)
            f1 = figures["answers"][AS_TRAINED]["f1"]
            told = f"{run.system}, {run.name}, seed {run.seed}: F1 {f1}"
            progress.say("ablations", f"{told}; {len(missing) - number} left, about {left / 60:.0f} min")
    for file in files:
        yield json.loads(file.read_text(encoding="utf-8"))


def carry_out(run: Run, file: Path) -> dict[str, Any]:
    """Train one variant, answer, judge, and keep the figures."""
    torch.set_num_threads(1)
    data, conf, variant = exported.load(run.data), run.settings(), run.variant
    taught = {split: taught_by(examples, variant) for split, examples in data.taught.items()}
    began = time.process_time()
    kind = components.offered("models", conf.model.name, key="model.name")
    model: Model = kind.create(
        conf.model.config,
        data.knowledge(taught[Split.TRAIN], min_count=conf.label.min_count),
        taught[Split.TRAIN],
        seed=run.seed,
    )
    own = file.with_suffix("")
    shutil.rmtree(own, ignore_errors=True)
    if fitting.learns(model):
        material = fitting.Material({}, taught, data.definitions)
        fitting.alone(model, material, conf.train, own, lambda _: None)
    seconds = time.process_time() - began
    seen = {(q.attribute, text.keys(q.answer)) for e in taught[Split.TRAIN] for q in e.asked if q.answer is not None}
    closed = {(one.product_type, one.attribute) for one in data.definitions if one.options is not None}
    began = time.process_time()
    answers = {AS_TRAINED: cells_of(model, conf, data, variant)}
    asking = time.process_time() - began
    for name, sets in variant.decoders.items():
        other = run.settings(sets)
        model.save(own / fitting.MODEL)
        again = kind.load(own / fitting.MODEL, other.model.config, device=torch.device("cpu"))
        answers[name] = cells_of(again, other, data, variant)
    at, choosing = conf.evaluate.split, conf.evaluate.threshold_split
    found = {
        "system": run.system,
        "variant": run.name,
        "seed": run.seed,
        "cpu_seconds": seconds,
        "products_a_cpu_second": len(asked_of(data, variant)) / asking,
        "answers": {
            name: figures(cells[at], cells.get(choosing, []), seen, closed, variant) for name, cells in answers.items()
        },
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found), encoding="utf-8")
    shutil.rmtree(own, ignore_errors=True)
    return found


def taught_by(examples: Sequence[Example], variant: Variant) -> list[Example]:
    """What is left to learn from."""
    kept = []
    for example in examples:
        asked = tuple(q for q in example.asked if (example.product_type, q.attribute) not in variant.hold_out)
        if asked and variant.only in ("", example.product_type):
            kept.append(replace(example, asked=asked))
    return kept


def asked_of(data: exported.Exported, variant: Variant) -> list[Example]:
    """The products that are asked."""
    return [example for example in data.asked if variant.only in ("", example.product_type)]


def cells_of(
    model: Model, conf: config.Conf, data: exported.Exported, variant: Variant
) -> Mapping[str, Sequence[Cell]]:
    """The truth with the model's answers, by split."""
    answered = Predictor(model, conf.enrich.batches).answer(Read([*asked_of(data, variant)]))
    known = answered.astype(object).where(answered.notna(), None)
    rows = [Row(**{str(name): value for name, value in row.items()}) for row in known.to_dict("records")]
    facts = [fact for fact in data.facts if variant.only in ("", fact.product_type)]
    return evaluate.raw_cells(facts, rows)


def figures(
    cells: Sequence[Cell],
    choosing: Sequence[Cell],
    seen: set[tuple[str, tuple[str, ...]]],
    closed: set[tuple[str, str]],
    variant: Variant,
) -> dict[str, Any]:
    """Everything in percent: F1 and Recall@90P, whole and by product type, and the share that is right of slices."""
    slices = {f"{kind}/{name}": [c for c in cells if (c.product_type, c.attribute) == (kind, name)]
              for kind, name in variant.hold_out}  # fmt: skip
    slices |= {stands: [cell for cell in cells if cell.stands == stands] for stands in evaluate.STANDS}
    slices["closed"] = [cell for cell in cells if (cell.product_type, cell.attribute) in closed]
    slices["unseen"] = [cell for cell in cells if is_unseen(cell, seen)]
    kinds = sorted({cell.product_type for cell in cells})
    by_type = {kind: [[c for c in part if c.product_type == kind] for part in (cells, choosing)] for kind in kinds}
    return {
        "f1": percent(evaluation.counted(cells).f1),
        "recall_at_90p": recall_at_90p(cells, choosing),
        "right": {name: percent(evaluation.counted(part).accuracy) for name, part in slices.items()},
        "cells": {"all": len(cells)} | {name: len(part) for name, part in slices.items()},
        "f1_of_type": {kind: percent(evaluation.counted(mine).f1) for kind, (mine, _) in by_type.items()},
        "recall_at_90p_of_top": {kind: recall_of_top(*parts) for kind, parts in by_type.items()},
    }


def is_unseen(cell: Cell, seen: set[tuple[str, tuple[str, ...]]]) -> bool:
    """Whether the page prints a value that no training answer of the attribute had, whatever the product type."""
    known = any((cell.attribute, text.keys(value)) in seen for value in cell.gold)
    return bool(cell.gold) and cell.stands != "nowhere" and not known


def recall_of_top(cells: Sequence[Cell], choosing: Sequence[Cell]) -> float | None:
    """Recall@90P of the attributes of one product type that have most values."""
    counted = Counter(cell.attribute for cell in cells if cell.gold)
    top = {name for name, _ in sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:TOP]}
    return recall_at_90p(*([cell for cell in part if cell.attribute in top] for part in (cells, choosing)))


def recall_at_90p(cells: Sequence[Cell], choosing: Sequence[Cell]) -> float | None:
    """With the threshold of the other split; of these cells themselves where that has none."""
    for figure in evaluation.recall_at_90p(Slice(), cells, choosing or cells):
        return percent(figure.value)
    return None


def percent(share: float | None) -> float | None:
    """With two decimals."""
    return None if share is None else round(100 * share, 2)


def summed(done: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row a variant, and one a further decoder of it: mean and spread over the seeds."""
    parts: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    costs: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for run in done:
        for decoder, found in run["answers"].items():
            title = (run["system"], run["variant"] if decoder == AS_TRAINED else f"{run['variant']}, {decoder}")
            parts.setdefault(title, []).append(found)
            costs.setdefault(title, []).append(run)
    return [
        {"system": system, "variant": name, "cells": found[0]["cells"]}
        | {
            cost: spread([run[cost] for run in costs[system, name]])
            for cost in ("cpu_seconds", "products_a_cpu_second")
        }
        | {metric: spread([one[metric] for one in found]) for metric in ("f1", "recall_at_90p")}
        | {
            metric: {key: spread([one[metric].get(key) for one in found]) for key in found[0][metric]}
            for metric in ("right", "f1_of_type", "recall_at_90p_of_top")
        }
        for (system, name), found in parts.items()
    ]


def spread(values: Sequence[float | None]) -> dict[str, float] | None:
    """Mean and sample standard deviation of what is defined."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    deviation = statistics.stdev(known) if len(known) > 1 else 0.0
    return {"mean": round(statistics.mean(known), 2), "sd": round(deviation, 2), "seeds": len(known)}


def table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The rows as Markdown, all figures in percent; then the paper's table, a column a product type."""
    slices = (*evaluate.STANDS, "closed", "unseen")
    yield from markdown(
        ["system", "variant", "F1", "R@90P", *slices, "CPU s", "products a CPU s"],
        [
            [row["system"], row["variant"], told(row["f1"]), told(row["recall_at_90p"])]
            + [told(row["right"].get(name)) for name in slices]
            + [told(row["cpu_seconds"]), told(row["products_a_cpu_second"])]
            for row in rows
        ],
    )
    kinds = list(rows[0]["recall_at_90p_of_top"])
    yield f"\nRecall@90P of the {TOP} attributes of each type that have most values"
    yield from markdown(
        ["system", "variant", *kinds],
        [
            [row["system"], row["variant"], *(told(row["recall_at_90p_of_top"].get(kind)) for kind in kinds)]
            for row in rows
        ],
    )
    for row in rows:
        pairs = {name: found for name, found in row["right"].items() if "/" in name}
        if pairs:
            shown = ", ".join(f"{name} {told(found)} of {row['cells'][name]}" for name, found in pairs.items())
            yield f"\nheld out, right: {row['system']}, {row['variant']}: {shown}"


def told(found: Mapping[str, float] | None) -> str:
    """Mean, and the spread where there is one."""
    if found is None:
        return "-"
    return f"{found['mean']:.1f} ± {found['sd']:.1f}" if found["seeds"] > 1 else f"{found['mean']:.1f}"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


if __name__ == "__main__":
    main()
