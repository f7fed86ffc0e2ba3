"""Measure the whole flow on a folder of labelled products: the same jobs as every night, then the published metric.

    python benchmarks/real_data.py --data FOLDER --out FILE.json [--folds K] [--set model.config=...]

docs/data-format.md says what a folder holds and what FILE says. Training sees only rows of the training split.
"""

import argparse
import json
import platform
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from deltalake import DeltaTable

from benchmarks import data_folder
from extractor import metrics
from jobs import nightly, pretrain
from schemas.enums import State

DAY = "2026-01-15"
PRETRAINED = f"facetmill{pretrain.SUFFIX}"
"""What --pretrain registers."""
NAMED = ("train.name=facetmill", "enrich.model=facetmill")
BESIDE, COMBINED = "beside", "combined"
DRAWS = 2000
"""Of products, for the interval of a difference."""


@dataclass(frozen=True, kw_only=True)
class Flow:
    """One run of the jobs: where its files lie and what the operator added."""

    work: Path
    conf: tuple[str, ...]
    overrides: tuple[str, ...]
    pictures: Path
    pictured: bool
    """Whether there is anything but titles and bullets."""
    ocr: Path | None

    @property
    def warehouse(self) -> Path:
        """Its Delta tables."""
        return self.work / "warehouse"

    def run(self, *steps: str) -> None:
        """Run jobs, in one process and one Spark session; a failed job ends the benchmark with its exit code."""
        flags = [*(part for file in self.conf for part in ("--conf", file))]
        flags += [part for override in self.settings() for part in ("--set", override)]
        nightly.main([*flags, "--day", DAY, *steps])

    def settings(self) -> list[str]:
        """What is laid over its conf files: where things lie, then what the operator added."""
        own = {
            "warehouse": self.warehouse,
            "ingest.source": "real_data",
            "ingest.products.path": self.work / "products.jsonl",
            "ingest.definitions.path": self.work / "definitions.yaml",
            "read_images.root": self.pictures,
            "read_images.enabled": str(self.pictured).lower(),
            "train.folder": self.work / "training",
            "registry.tracking_uri": f"sqlite:///{self.work}/mlflow.db",
            "registry.artifacts": self.work / "mlflow",
        }
        if self.ocr is not None:
            own |= {
                "ingest.image_texts.path": self.ocr,
                "ingest.image_texts.format": "parquet",
                "ingest.image_texts.ocr_schema": data_folder.OCR_SCHEMA,
            }
        return [*(f"{key}={value}" for key, value in own.items()), *self.overrides]

    def table(self, name: str, columns: Sequence[str]) -> pd.DataFrame:
        """A table of the warehouse."""
        return DeltaTable(str(self.warehouse / name)).to_pandas(columns=list(columns))


def main(argv: Sequence[str] | None = None) -> None:
    """Prepare the folder, run the jobs (once, or once a fold), score, write."""
    asked = arguments(argv)
    folder = data_folder.read(asked.data, evaluated=asked.evaluate, family_separator=asked.family_separator)
    work = asked.work / f"{folder.name}-{asked.out.stem}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    ocr = work / "ocr.parquet" if data_folder.write_ocr(folder, work / "ocr.parquet") else None
    pictures = flow(asked, folder, work / "pictures-read", ocr)
    if asked.folds > 1:  # pictures are read once for all folds, before any value is known
        prepare(asked, folder, pictures, pd.Series(data=True, index=folder.rows.index), updated_at="2026-01-01")
        pictures.run("ingest", "read_images")
    parts = []
    for fold, held_out in enumerate(data_folder.folds(folder, asked.folds, asked.seed)):
        part = flow(asked, folder, work / f"fold-{fold}", ocr)
        if asked.folds > 1:
            shutil.copytree(pictures.warehouse, part.warehouse)
        prepare(asked, folder, part, held_out, updated_at="2026-01-02")
        first = ("pretrain",) if asked.pretrain else ()
        part.run("ingest", "read_images", "label", *first, *asking(asked, only(folder.rows[held_out], part.work), part))
        parts.append({name: scored(folder.rows[held_out], part, name, match=asked.match) for name in names(asked)})
    said = {name: pd.concat([part[name] for part in parts], ignore_index=True) for name in names(asked)}
    cells = said[names(asked)[-1]]
    others = None if asked.against is None else read_cells(asked.against, folder, match=asked.match)
    result = summary(asked, folder, cells, [flow(asked, folder, work / f"fold-{k}", ocr) for k in range(asked.folds)])
    if asked.beside:
        result["members"] = {name: figures(of) | against(cells, of) for name, of in said.items() if of is not cells}
    if others is not None:
        result["against"] = {"file": asked.against.name} | compared(cells, others)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    shown = cells[["product_id", "attribute", "value", "confidence", "state"]]
    shown.to_parquet(asked.out.with_suffix(".parquet"), index=False)
    print(json.dumps({key: value for key, value in result.items() if not isinstance(value, dict)}, indent=2))


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of labelled products (docs/data-format.md)")
    parser.add_argument("--out", type=Path, required=True, help="JSON of scores; predictions go beside it as Parquet")
    parser.add_argument("--conf", action="append", default=[], help="conf file after conf/local.yaml; repeatable")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting; wins last")
    parser.add_argument(
        "--evaluate", help="split that is scored (default: test, val or dev_images, whichever is there)"
    )
    parser.add_argument("--folds", type=int, default=1, help="cross-validate over the families of the evaluated split")
    parser.add_argument("--family-separator", help="cut product ids at its last occurrence to find variants")
    parser.add_argument("--closed", action="store_true", help="closed option lists from the rows that teach")
    parser.add_argument("--max-taught", type=int, help="at most so many products teach (a seeded sample)")
    parser.add_argument("--match", choices=("exact", "keys"), default="exact", help="when two values are the same")
    parser.add_argument("--against", type=Path, help="Parquet of another run on the same cells, to compare with")
    parser.add_argument(
        "--pretrain", type=int, default=0, metavar="STEPS", help="of python -m jobs.pretrain before the training"
    )
    parser.add_argument(
        "--beside", default="", metavar="CONF", help="conf file of a span model that is combined with this one"
    )
    parser.add_argument("--seed", type=int, default=0, help="of folds and samples")
    parser.add_argument("--work", type=Path, default=Path("demo/real_data"), help="folder for the warehouses")
    return parser.parse_args(argv)


def flow(asked: argparse.Namespace, folder: data_folder.Folder, work: Path, ocr: Path | None) -> Flow:
    """The jobs in a folder of their own."""
    conf = ("conf/local.yaml", "conf/real_data.yaml", *asked.conf)
    pictured = ocr is not None or bool(folder.rows["image"].notna().any())
    first = (f"pretrain.steps={asked.pretrain}", f"train.start_from={PRETRAINED}") if asked.pretrain else ()
    overrides = (*first, *asked.set) if asked.beside else (*NAMED, *first, *asked.set)
    return Flow(work=work, conf=conf, overrides=overrides, pictures=folder.path, pictured=pictured, ocr=ocr)


def prepare(
    asked: argparse.Namespace, folder: data_folder.Folder, part: Flow, held_out: pd.Series, *, updated_at: str
) -> None:
    """Write what ingest reads."""
    part.work.mkdir(parents=True, exist_ok=True)
    data_folder.write_products(
        folder,
        held_out,
        part.work / "products.jsonl",
        updated_at=updated_at,
        max_taught=asked.max_taught,
        seed=asked.seed,
    )
    data_folder.write_definitions(folder, part.work / "definitions.yaml", closed=asked.closed, held_out=held_out)


def only(rows: pd.DataFrame, work: Path) -> Path:
    """A conf file that asks of the evaluated products alone."""
    names = ", ".join(json.dumps(product_id) for product_id in sorted(rows["product_id"].unique()))  # quotes escaped
    file = work / "only.yaml"
    file.write_text(json.dumps({"enrich": {"where": f"product_id IN ({names})"}}), encoding="utf-8")
    return file


def names(asked: argparse.Namespace) -> tuple[str, ...]:
    """The models that answer, by registered name; the last one's answers are the result."""
    return ("facetmill", BESIDE, COMBINED) if asked.beside else ("facetmill",)


def asking(asked: argparse.Namespace, only_these: Path, part: Flow) -> list[str]:
    """The steps that teach and ask: one model, or two and their combination."""
    if not asked.beside:
        return ["train", f"enrich:{only_these}"]
    called = {name: part.work / f"{name}.yaml" for name in names(asked)}
    for name, file in called.items():
        file.write_text(json.dumps({"train": {"name": name}, "enrich": {"model": name}}), encoding="utf-8")
    pair = part.work / "pair.yaml"
    pair.write_text(json.dumps({"combine": {"generator": "facetmill", "spans": BESIDE}}), encoding="utf-8")
    first, second = f":{called['facetmill']}", f":{asked.beside}:{called[BESIDE]}"
    return [
        f"train{first}",
        f"train{second}",
        f"combine:{pair}",
        *(f"enrich{own}:{only_these}" for own in (first, second, f":{called[COMBINED]}")),
    ]


def scored(rows: pd.DataFrame, part: Flow, name: str, *, match: str) -> pd.DataFrame:
    """The evaluated cells with a model's answers and whether these are right."""
    answers = part.table("predictions", ["product_id", "attribute", "value", "score", "state", "support", "model_name"])
    answers = answers[answers["model_name"] == name]
    cells = rows.merge(answers, on=["product_id", "attribute"], how="left", validate="one_to_one")
    spoken = cells["state"] == State.VALUE
    cells["value"] = cells["value"].where(spoken, None)
    cells["confidence"] = cells["score"].where(spoken, 0.0).fillna(0.0)
    return judged(cells, match=match)


def read_cells(file: Path, folder: data_folder.Folder, *, match: str) -> pd.DataFrame:
    """The cells of an earlier run, judged as this one's."""
    if not file.is_file():
        raise SystemExit(f"--against {file}: not found; it is the Parquet that lies beside another run's --out")
    truth = folder.rows.loc[folder.is_evaluated(), ["product_id", "attribute", "values"]]
    return judged(truth.merge(pd.read_parquet(file), on=["product_id", "attribute"], how="left"), match=match)


def compared(cells: pd.DataFrame, others: pd.DataFrame) -> dict[str, Any]:
    """Whether the difference to another run is more than chance: McNemar's exact test, cell by cell."""
    both = cells.merge(others, on=["product_id", "attribute"], suffixes=("", "_other"), validate="one_to_one")
    test = metrics.mcnemar(*(np.array([won.right for won in both[name]]) for name in ("outcome", "outcome_other")))
    return {
        "accuracy": percent(metrics.Counts.of(both["outcome_other"]).accuracy),
        "right_here_alone": test.only_a,
        "right_there_alone": test.only_b,
        "mcnemar_p": test.p,
    }


def against(cells: pd.DataFrame, others: pd.DataFrame) -> dict[str, Any]:
    """How far cells are ahead of a member's in Recall@90P, its 95 % interval over products drawn anew, and McNemar."""
    test = compared(cells, others)
    draw = np.random.default_rng(0)
    both = cells.merge(others, on=["product_id", "attribute"], suffixes=("", "_other"), validate="one_to_one")
    of_product = list(both.groupby("product_id").indices.values())
    leads = []
    for _ in range(DRAWS):
        places = np.concatenate([of_product[place] for place in draw.integers(len(of_product), size=len(of_product))])
        leads.append(_lead(both.iloc[places]))
    return {
        "lead_in_recall_at_90p": round(_lead(both), 2),
        "interval": [round(float(end), 2) for end in np.quantile(leads, (0.025, 0.975))],
        "mcnemar": {key: test[key] for key in ("right_here_alone", "right_there_alone", "mcnemar_p")},
    }


def _lead(both: pd.DataFrame) -> float:
    """By how many points of Recall@90P merged cells are ahead of the others."""
    others = pd.DataFrame({name: both[f"{name}_other"] for name in ("value", "outcome", "confidence")})
    return float(figures(both)["recall_at_90p"]) - float(figures(others)["recall_at_90p"])


def judged(cells: pd.DataFrame, *, match: str) -> pd.DataFrame:
    """Cells with the outcome of each."""
    same = metrics.same_keys if match == "keys" else metrics.same_string
    cells["outcome"] = [
        metrics.outcome(list(golds), value, same) for value, golds in zip(cells["value"], cells["values"], strict=True)
    ]
    return cells


def summary(
    asked: argparse.Namespace, folder: data_folder.Folder, cells: pd.DataFrame, flows: Sequence[Flow]
) -> dict[str, Any]:
    """The figures, in percent."""
    runs = pd.concat([part.table("runs", ["job", "seconds", "status"]) for part in flows])
    seconds = runs.groupby("job")["seconds"].sum()
    return {
        "set": folder.name,
        "system": system_of(flows[0]),
        "split": folder.evaluated,
        "folds": asked.folds,
        "match": asked.match,
        "settings": [*asked.conf, *asked.set, *task(asked)],
        "machine": f"{platform.processor() or platform.machine()}, {platform.system()}",
        **figures(cells),
        "seconds_training": round(float(seconds.get("train", 0.0)), 1),
        "seconds_pretraining": round(float(seconds.get("pretrain", 0.0)), 1),
        "seconds_prediction": round(float(seconds.get("enrich", 0.0)), 1),
        "by_attribute": {name: figures(group) for name, group in cells.groupby("attribute")},
        "by_support": {name: figures(group) for name, group in cells.groupby(cells["support"].fillna("none"))},
        "by_product_type": {name: figures(group) for name, group in cells.groupby("product_type")},
    }


def task(asked: argparse.Namespace) -> list[str]:
    """The flags that say what was asked, where they are not the usual ones."""
    flags = {"--closed": asked.closed, "--max-taught": asked.max_taught, "--family-separator": asked.family_separator}
    flags["--pretrain"] = asked.pretrain
    return [name if value is True else f"{name} {value}" for name, value in flags.items() if value]


def system_of(part: Flow) -> str:
    """Name of the model component that the train job ran with."""
    runs = part.table("runs", ["job", "config"])
    [config] = runs.loc[runs["job"] == "train", "config"].tail(1)
    return str(json.loads(config)["model"]["name"])


def figures(cells: pd.DataFrame) -> dict[str, Any]:
    """Precision, recall, F1, accuracy and Recall@90P of some cells, in percent."""
    counts = metrics.Counts.of(cells["outcome"])
    answered = cells[cells["value"].notna()]
    right = (answered["outcome"] == metrics.Outcome.VC).to_numpy(dtype=bool)
    passing = metrics.recall_at_precision(
        answered["confidence"].to_numpy(dtype=float), right, counts.num_with_gold, target=0.9
    )
    return {
        "cells": counts.num,
        "precision": percent(counts.precision),
        "recall": percent(counts.recall),
        "f1": percent(counts.f1),
        "accuracy": percent(counts.accuracy),
        "recall_at_90p": percent(passing.recall if passing else 0.0),
    }


def percent(share: float | None) -> float | None:
    """A share as a percentage with two decimals; None stays None."""
    return None if share is None else round(100 * share, 2)


if __name__ == "__main__":
    main()
