"""The demo's night twice, on the file system and with everything on S3, and whether both say the same.

    python -m benchmarks.s3_night
    python -m benchmarks.s3_night --products 60 --steps 60 --out FILE

Products, definitions and pictures are read from S3, the warehouse is on s3a:// under leases, models lie on S3 behind an
`mlflow server`. S3 is moto on this machine; what is measured is sameness, not speed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from airflow_dags import plan
from airflow_dags.demo import free_port
from benchmarks.moto_store import BUCKET, Store, moto
from benchmarks.same_tables import rows

DAY = "2026-01-15"
STEPS = plan.steps(plan.DEMO, "")
COMPARED = (
    "products", "catalog_attributes", "product_pictures", "image_texts", "image_features", "examples", "predictions",
    "gates", "decisions", "attributes", "review_queue",
)  # fmt: skip
SERVER_SECONDS = 180


def main(argv: Sequence[str] | None = None) -> None:
    """Run both nights and print, table by table, how many rows are in both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=120)
    parser.add_argument("--steps", type=int, default=100, help="of training")
    parser.add_argument("--out", type=Path, help="a JSON file")
    asked = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        found = compare(Path(folder), asked.products, asked.steps)
    for name, (local, remote, both) in found["tables"].items():
        print(f"{name:<20} {local:>6} local {remote:>6} on S3 {both:>6} in both")
    print(f"{found['seconds_local']:.0f} s local, {found['seconds_s3']:.0f} s on S3, {found['leases']} leases")
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=1) + "\n")
    sys.exit(0 if all(len(set(numbers)) == 1 for numbers in found["tables"].values()) else 1)


def compare(folder: Path, products: int, steps: int) -> dict[str, Any]:
    """Rows of each table on the file system, on S3, and in both."""
    with moto() as store, mlflow_server(store, folder) as server:
        local = timed(run, store, settings(folder, f"{folder}", products, steps), STEPS)
        store.upload(folder / "catalogue", "catalogue")
        on_s3 = settings(folder / "s3", f"s3a://{BUCKET}", products, steps) | {
            "s3.endpoint": store.endpoint,
            "read_images.root": f"s3://{BUCKET}/catalogue/pictures",
            "report.pictures": f"s3://{BUCKET}/catalogue/pictures",
            "registry.tracking_uri": server,
            "registry.artifacts": "",
            "evaluate.truth": folder / "truth",
        }
        remote = timed(run, store, on_s3, [job for job in STEPS if job != "sample"])
        tables = {}
        for name in COMPARED:
            here = rows(DeltaTable(str(folder / "warehouse" / name)))
            address = f"s3://{BUCKET}/warehouse/{name}"
            there = rows(DeltaTable(address, storage_options=store.reader()))
            tables[name] = (here.total(), there.total(), (here & there).total())
        leases = len(store.keys("warehouse/_leases/"))
    return {"products": products, "tables": tables, "seconds_local": local, "seconds_s3": remote, "leases": leases}


def settings(folder: Path, root: str, products: int, steps: int) -> dict[str, object]:
    """A night whose tables and feeds lie below a root, and whose own files lie in a folder."""
    return {
        "warehouse": f"{root}/warehouse",
        "sample.out": folder / "catalogue",
        "sample.truth": folder / "truth",
        "sample.products": products,
        "ingest.products.path": f"{root}/catalogue/products*.jsonl",
        "ingest.definitions.path": f"{root}/catalogue/definitions.yaml",
        "read_images.root": f"{root}/catalogue/pictures",
        "train.folder": folder / "training",
        "train.augment.copies": 1,
        "train.loop.steps": steps,
        "registry.tracking_uri": f"sqlite:///{folder}/mlflow.db",
        "registry.artifacts": folder / "mlflow",
        "evaluate.truth": folder / "truth",
        "report.out": folder / "report.html",
        "report.pictures": f"{root}/catalogue/pictures",
        "calibrate.min_judged": 2,
        "calibrate.prior_strength": 1.0,
    }


def run(store: Store, sets: Mapping[str, object], steps: Sequence[str]) -> None:
    """Some steps of the night, as an operator runs them."""
    flags = [part for key, value in sets.items() for part in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "jobs.nightly", "--conf", "conf/local.yaml", "--day", DAY, *flags, *steps]
    done = subprocess.run(command, env=store.environment(), check=False)  # noqa: S603  # our own job
    if done.returncode:
        sys.exit(f"the night on {sets['warehouse']} ended with {done.returncode}")


def timed(work: Callable[..., None], *arguments: object) -> float:
    """How many seconds something takes."""
    start = time.monotonic()
    work(*arguments)
    return time.monotonic() - start


@contextmanager
def mlflow_server(store: Store, folder: Path) -> Iterator[str]:
    """An MLflow server whose artefacts lie on S3; its clients need no credentials for S3."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder}/server.db", "--artifacts-destination", f"s3://{BUCKET}/mlflow"),
    ]
    environment = store.environment() | {"MLFLOW_S3_ENDPOINT_URL": store.endpoint}
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)  # noqa: S603  # fixed arguments
        try:
            end = time.monotonic() + SERVER_SECONDS
            while time.monotonic() < end and server.poll() is None:
                with suppress(OSError), urllib.request.urlopen(f"{address}/health", timeout=5):  # noqa: S310  # this machine
                    break
                time.sleep(1)
            yield address
        finally:
            server.terminate()
            server.wait(30)


if __name__ == "__main__":
    main()
