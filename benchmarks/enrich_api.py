"""mapInPandas against mapInArrow, end to end: rows of schemas.model_inputs in, predictions written, pair by pair.

    python -m benchmarks.enrich_api --products 1000 --rounds 7 --out benchmarks/results/enrich_api.json

Each round runs both, in turns first; a pair's ratio is taken from one round, so a load that lasts weighs on both. The
model is Word Matching: the cheaper the model, the more the way of its rows weighs. CPU seconds of the JVM and of all
its Python workers are counted too, for wall seconds say little on a busy machine.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame

from benchmarks.processes import Usage, watched
from extractor import checkpoint, records
from extractor.models import word_matching
from extractor.models.base import Knowledge
from extractor.records import Definition, Example, Question
from jobs import config, enrich
from jobs.session import open_session
from jobs.workers import asking
from schemas.model_inputs import MODEL_INPUTS

APIS = ("pandas", "arrow")
ATTRIBUTES = ("brand", "flavor", "size", "material")
REGIONS, TOKENS, DIM = 10, 30, 1280
"""What the demo's pictures have: whole + 3 x 3 grid, a pack's words, EfficientNet-Lite0's width."""
DEFINITIONS = tuple(Definition(product_type="tea", attribute=name, question=name) for name in ATTRIBUTES)
WORDS = [f"word{number}" for number in range(1000)]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, default=None, help="JSON file of the figures")
    asked = parser.parse_args()
    conf = config.load([config.BASE, "conf/local.yaml"], ["model.name=word_matching"])
    spark = open_session("benchmark", conf.spark)
    with tempfile.TemporaryDirectory() as folder:
        write_rows(Path(folder) / "rows", asked.products)
        ask = asking.Ask(
            folder=str(write_model(Path(folder) / "model")),
            shipped=False,
            device="cpu",
            definitions=records.DEFINITIONS.dump_json(DEFINITIONS).decode(),
            batches=conf.enrich.batches,
        )
        rows = spark.read.parquet(f"{folder}/rows")
        with watched() as usage:
            seconds = measure(usage, rows, ask, Path(folder) / "answers", asked.rounds)
    report(seconds, asked.products, asked.out)


def write_rows(folder: Path, num_products: int) -> None:
    """Products as a model reads them: titles, two bullets, a pack's words with boxes, features in half precision."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for start in range(0, num_products, 64):
        rows = [product(rng, number) for number in range(start, min(start + 64, num_products))]
        pq.write_table(pa.Table.from_pylist(rows, schema=MODEL_INPUTS.schema), folder / f"part-{start:07d}.parquet")


def product(rng: np.random.Generator, number: int) -> dict[str, object]:
    """One row."""
    boxes = rng.random((TOKENS, 4)).tolist()
    tokens = [
        {
            "text": str(rng.choice(WORDS)),
            "confidence": 0.9,
            "box": dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)),
        }
        for box in boxes
    ]
    text = [" ".join(rng.choice(WORDS, size)) for size in (12, 15, 15)]
    image_hash = f"{number:064x}"
    return {
        "product_id": f"product-{number}", "product_type": "tea", "locale": "en-US", "title": text[0],
        "bullets": text[1:], "pictures": [{"position": 0, "image_hash": image_hash, "tokens": tokens}],
        "features_of": image_hash, "dim": DIM, "num_regions": REGIONS,
        "boxes": rng.random((REGIONS, 4)).astype("<f4").tobytes(),
        "regions": rng.random((REGIONS, DIM)).astype("<f2").tobytes(), "num_tokens": TOKENS,
        "token_vectors": rng.random((TOKENS, DIM)).astype("<f2").tobytes(),
        "asked": [{"attribute": name, "input_hash": image_hash, "answer": None} for name in ATTRIBUTES],
    }  # fmt: skip


def write_model(folder: Path) -> Path:
    """Word Matching with fifty values an attribute."""
    taught = [
        Example(
            product_id=word, product_type="tea", title=word,
            asked=tuple(Question(attribute=name, answer=word) for name in ATTRIBUTES),
        )
        for word in WORDS[:50]
    ]  # fmt: skip
    settings = word_matching.Config()
    model = word_matching.Model.create(settings, Knowledge(DEFINITIONS, {}, "", 0, ""), taught, seed=0)
    checkpoint.save(
        folder, model, name="word_matching", config=settings, feature_schema="", ocr_schema="", examples_id="benchmark"
    )
    return folder


def measure(
    usage: Usage, rows: DataFrame, ask: asking.Ask, out: Path, rounds: int
) -> dict[str, list[dict[str, float]]]:
    """Wall and CPU seconds of each round, after one that warms up."""
    seconds: dict[str, list[dict[str, float]]] = {api: [] for api in APIS}
    for number in range(rounds + 1):
        for api in APIS if number % 2 else APIS[::-1]:
            wall, cpu = time.monotonic(), usage.look()
            context = rows.sparkSession.sparkContext
            tally = asking.Tally(context.accumulator(0), context.accumulator(0.0))
            enrich.asked(rows, ask, tally, api=api).write.mode("overwrite").parquet(str(out))
            if number:
                seconds[api].append({"wall": time.monotonic() - wall, "cpu": usage.look() - cpu})
            print(
                f"round {number}, {api}: {tally.answered.value} answers in {time.monotonic() - wall:.1f} s", flush=True
            )
    return seconds


def report(seconds: dict[str, list[dict[str, float]]], num_products: int, out: Path | None) -> None:
    """Medians, and the median of the rounds' ratios; above 1 Arrow is cheaper."""
    found: dict[str, object] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "products": num_products,
        "bytes_a_product": 2 * DIM * (REGIONS + TOKENS) + 16 * REGIONS,
        "rounds": len(seconds["pandas"]),
    }
    for kind in ("wall", "cpu"):
        pairs = list(zip(*([one[kind] for one in seconds[api]] for api in APIS), strict=True))
        found[kind] = {
            **{api: statistics.median(one[kind] for one in seconds[api]) for api in APIS},
            "pandas_over_arrow": statistics.median(pandas / arrow for pandas, arrow in pairs),
            "ratios": sorted(round(pandas / arrow, 3) for pandas, arrow in pairs),
        }
    text = json.dumps(found, indent=1)
    print(text)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
