"""What a night costs when everything is new, when 1 % of the products changed, and when a definition changed.

    python -m benchmarks.nightly --products 50000 --out benchmarks/results/nightly.json
    python -m benchmarks.nightly --products 200000 --nights 1 --jobs ingest enrich publish --out memory_200000.json

A drawn catalogue as stored readings without pictures (2 KB of features a picture) and Word Matching. Each job runs in a
process of its own, as a scheduler starts it. The second night brings the whole feed again: 1 % of the products with
another title, as many with the same content and a later time. In the third one definition asks otherwise. The pairs
that a night's enrich has asked must be exactly those that changed, which are counted from the files.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import yaml
from deltalake import DeltaTable

from benchmarks.processes import JVM, WORKERS, Usage, machine

CONF = ["conf/local.yaml", "benchmarks/conf/regate.yaml"]
JOBS = ("ingest", "enrich", "calibrate", "publish", "verify")
TRAINING = ("label", "train")
NIGHTS = ("everything is new", "1 % of the products changed", "one definition changed")
DAYS = ("2026-01-15", "2026-01-16", "2026-01-17")
LATER = "2026-01-16T00:00:00Z"
TAUGHT, JUDGED = 2000, 5000
"""Products that teach and that calibrate, at most, so that only what a night does grows with the catalogue."""
Pair = tuple[str, str]


def main() -> None:
    """Play the nights, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=50_000)
    parser.add_argument("--share", type=float, default=0.01, help="of the products that change")
    parser.add_argument("--nights", type=int, default=len(NIGHTS), choices=(1, 2, 3))
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=list(JOBS))
    parser.add_argument("--conf", nargs="+", default=CONF, help="settings of the jobs")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as the jobs take it")
    parser.add_argument("--out", type=Path, default=None, help="JSON file of the figures")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(Path(folder), asked)
        drawing = shop.run("sample", 0)
        print(f"drawn in {drawing['wall']:.0f} s", flush=True)
        rows = [row for night in range(asked.nights) for row in shop.night(night)]
    found = {
        "machine": machine(),
        "data": f"{asked.products:,} drawn products as readings, features of 16 floats a vector; Word Matching",
        "conf": [*asked.conf, *asked.set],
        "jobs": rows,
        "ratios": ratios(rows),
    }
    if asked.out is not None:
        asked.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found["ratios"]))
    print("\n".join(markdown(rows)))


class Shop:
    """A catalogue, its feeds of several days and its warehouse."""

    def __init__(self, folder: Path, asked: argparse.Namespace) -> None:
        self.folder, self.asked = folder, asked
        self.drawn = folder / "drawn"
        self.feeds = [self.drawn, *(folder / day for day in DAYS[1:])]
        self.expected: set[Pair] = set()

    def settings(self, night: int) -> dict[str, object]:
        """What the jobs are told, by dotted key."""
        train = min(0.2, TAUGHT / self.asked.products)
        judged = min(0.2, JUDGED / self.asked.products)
        return {
            "warehouse": self.folder / "warehouse",
            "sample.out": self.drawn,
            "sample.truth": self.folder / "truth",
            "sample.products": self.asked.products,
            "sample.features_only": "true",
            "sample.dim": 16,
            "ingest.products.path": self.feeds[night] / "products*.jsonl",
            "ingest.definitions.path": self.feeds[night] / "definitions.yaml",
            "ingest.image_texts.path": self.drawn / "image_texts",
            "ingest.image_texts.ocr_schema": "drawn-ocr",
            "ingest.image_features.path": self.drawn / "image_features",
            "ingest.image_features.feature_schema": "drawn-features",
            "read_images.root": self.drawn,
            "read_images.enabled": "false",
            "label.train": train,
            "label.validation": 0.0,
            "label.calibration": judged,
            "label.test": 1 - train - judged,
            "train.folder": self.folder / "training",
            "registry.tracking_uri": f"sqlite:///{self.folder}/mlflow.db",
            "registry.artifacts": self.folder / "mlflow",
            "model.name": "word_matching",
        }

    def night(self, night: int) -> Iterator[dict[str, Any]]:
        """The jobs of a night with what each took; the first night trains on the way, which is not counted."""
        (self.first, self.second, self.third)[night]()
        for job in self.asked.jobs:
            yield self.run(job, night)
            if night == 0 and job == "ingest":
                for other in TRAINING:
                    self.run(other, night)
            if job == "enrich":
                self.check(night)

    def run(self, job: str, night: int) -> dict[str, Any]:
        """One job in a process of its own; what it took and what its run book says."""
        flags = [part for file in self.asked.conf for part in ("--conf", file)]
        pairs = [*(f"{key}={value}" for key, value in self.settings(night).items()), *self.asked.set]
        command = [sys.executable, "-m", f"jobs.{job}", "--day", DAYS[night], *flags]
        command += [part for pair in pairs for part in ("--set", pair)]
        usage, cpu, began, log = Usage(), 0.0, time.monotonic(), self.folder / f"{job}.log"
        with log.open("w") as said, subprocess.Popen(command, stdout=said, stderr=said) as process:  # noqa: S603  # our own
            while process.poll() is None:
                cpu = usage.look()
                time.sleep(1)
        if process.returncode:
            raise SystemExit(f"{job} ended with {process.returncode}: {log.read_text()[-3000:]}")
        row = {"night": NIGHTS[night], "job": job, "wall": round(time.monotonic() - began, 1), "cpu": round(cpu, 1)}
        row |= {"jvm_gib": round(usage.peaks[JVM], 2), "workers_gib": round(usage.peaks[WORKERS], 2)}
        row |= self.booked(job)
        print(json.dumps(row), flush=True)
        return row

    def booked(self, job: str) -> dict[str, Any]:
        """What the run book says of a job's last run."""
        runs = DeltaTable(str(self.folder / "warehouse" / "runs")).to_pyarrow_table().to_pylist()
        last = max((run for run in runs if run["job"] == job), key=lambda run: run["started_at"])
        own = {"seconds": round(last["seconds"], 1), "model_calls": last["model_calls"], "run_id": last["run_id"]}
        return own | {"counts": dict(last["counts"])}

    def check(self, night: int) -> None:
        """End the benchmark unless the night's enrich asked exactly what was to be asked, each pair once."""
        run = self.booked("enrich")
        table = DeltaTable(str(self.folder / "warehouse" / "predictions")).to_pyarrow_dataset()
        landed = table.to_table(columns=["product_id", "attribute"], filter=pc.field("run_id") == run["run_id"])
        asked = list(zip(*(column.to_pylist() for column in landed.columns), strict=True))
        told = f"{NIGHTS[night]}: {run['model_calls']:,} model calls, {len(self.expected):,} expected"
        if run["model_calls"] != len(self.expected) or len(asked) != len(self.expected) or set(asked) != self.expected:
            raise SystemExit(f"{told}; {len(asked):,} answers landed, {len(set(asked) ^ self.expected):,} differ")
        print(f"{told}, and the same pairs", flush=True)

    def first(self) -> None:
        """As it was drawn: everything is to be asked."""
        asked = self.questions()
        self.expected = {pair for row in lines(self.drawn) for pair in pairs_of(row, asked)}

    def second(self) -> None:
        """Another title for some products, the same content sent again later for as many."""
        asked, limit = self.questions(), self.asked.share * 1e6
        self.expected = set()
        for file in sorted(self.drawn.glob("products*.jsonl")):
            sent = []
            for row in map(json.loads, file.read_text(encoding="utf-8").splitlines()):
                draw = zlib.crc32(row["product_id"].encode()) % 1_000_000
                if draw < 2 * limit:
                    row["updated_at"] = LATER
                if draw < limit:
                    row["title"] = f"{row['title'] or ''} again".strip()
                    self.expected |= set(pairs_of(row, asked))
                sent.append(json.dumps(row, ensure_ascii=False))
            write(self.feeds[1] / file.name, "\n".join(sent) + "\n")
        write(self.feeds[1] / "definitions.yaml", (self.drawn / "definitions.yaml").read_text(encoding="utf-8"))

    def third(self) -> None:
        """The feed of the second night; the first definition asks in other words, all others as before."""
        defined = yaml.safe_load((self.drawn / "definitions.yaml").read_text(encoding="utf-8"))
        defined[0]["question"] += " Please say."
        for file in self.feeds[1].glob("products*.jsonl"):
            write(self.feeds[2] / file.name, file.read_text(encoding="utf-8"))
        write(self.feeds[2] / "definitions.yaml", yaml.safe_dump(defined, sort_keys=False))
        of = defined[0]["product_type"], defined[0]["attribute"]
        self.expected = {(row["product_id"], of[1]) for row in lines(self.drawn) if row["product_type"] == of[0]}

    def questions(self) -> dict[str, list[str]]:
        """The attributes of each product type."""
        found: dict[str, list[str]] = {}
        for row in yaml.safe_load((self.drawn / "definitions.yaml").read_text(encoding="utf-8")):
            found.setdefault(row["product_type"], []).append(row["attribute"])
        return found


def lines(folder: Path) -> Iterator[dict[str, Any]]:
    """The products of a feed."""
    for file in sorted(folder.glob("products*.jsonl")):
        yield from map(json.loads, file.read_text(encoding="utf-8").splitlines())


def pairs_of(row: dict[str, Any], asked: dict[str, list[str]]) -> Iterator[Pair]:
    """What is asked of a product."""
    return ((row["product_id"], attribute) for attribute in asked[row["product_type"]])


def write(path: Path, text: str) -> None:
    """Write a file and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def ratios(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Wall seconds of each later night as a share of the first, with and without the start of the processes."""
    whole = {night: [row for row in rows if row["night"] == night] for night in NIGHTS}
    sums = {night: (sum(row["wall"] for row in of), sum(row["seconds"] for row in of)) for night, of in whole.items()}
    first = sums[NIGHTS[0]]
    found = {night: sums[night] for night in NIGHTS[1:] if sums[night][0]}
    return {
        f"{night}, {name}": round(sums_of[at] / first[at], 3)
        for night, sums_of in found.items()
        for at, name in enumerate(("wall", "seconds of the jobs"))
    }


def markdown(rows: Sequence[dict[str, Any]]) -> list[str]:
    """A line a job and night."""
    shown = ("night", "job", "wall", "seconds", "cpu", "model_calls", "jvm_gib", "workers_gib")
    cells = [[f"{row[name]:,}" if not isinstance(row[name], str) else row[name] for name in shown] for row in rows]
    return ["| " + " | ".join(line) + " |" for line in (shown, ["---"] * len(shown), *cells)]


if __name__ == "__main__":
    main()
