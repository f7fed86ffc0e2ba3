"""What a picture's features cost: CPU time of one thread, and bytes in the table.

    python -m benchmarks.regions --repeats 20 --out benchmarks/results/regions.json

The weights of ResNet-152 and Xception are random, which changes no cost. CPU seconds of this process are counted, of
the repeat that took least: other work on the machine weighs on wall seconds. The picture is noise, without words.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path

import numpy as np
import torch

from extractor.images import Raster
from extractor.regions import cells, grid
from extractor.regions.base import Detector

WIDTH, HEIGHT = 900, 1200
SETTINGS = (
    cells.Config(),
    cells.Config(grid=49),
    cells.Config(backbone="resnet152+xception"),
    cells.Config(backbone="resnet152+xception", grid=49),
    cells.Config(backbone="resnet152+xception", grid=100),
)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "regions.json")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rows = [measure(grid.Detector(grid.Config()), asked.repeats)]
    rows += [measure(cells.Detector(settings), asked.repeats) for settings in SETTINGS]
    found = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "torch": torch.__version__,
        "picture": [WIDTH, HEIGHT],
        "repeats": asked.repeats,
        "rows": rows,
    }
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


def measure(detector: Detector, repeats: int) -> dict[str, str | float]:
    """One detector's cost a picture."""
    noise = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    picture = Raster(noise, "noise")
    features = detector.detect(picture, ())  # the first call pays for what all share
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        detector.detect(picture, ())
        seconds.append(time.process_time() - start)
    return {
        "feature_schema": detector.schema,
        "cpu_ms": round(1000 * min(seconds), 1),
        "bytes": features.boxes.nbytes + features.regions.nbytes,
    }


if __name__ == "__main__":
    main()
