"""A few products with pictures, words and features, as rows of the warehouse: what tests of train and enrich read."""

import hashlib
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np

from jobs.tables import Tables
from schemas.catalogue import WAREHOUSE

DAY = date(2026, 1, 15)
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
OCR = "reader/1"
FEATURES = "net/4"


def product(product_id: str, title: str | None, *, product_type: str = "tea", is_current: bool = True) -> dict:
    content_hash = hashlib.sha256(f"{title}".encode()).hexdigest()
    return {
        "product_id": product_id, "content_hash": content_hash, "is_current": is_current, "product_type": product_type,
        "locale": "en-US", "family_id": product_id, "title": title, "bullets": ["a bullet"], "source": "test",
        "updated_at": NOON, "run_id": "r",
    }  # fmt: skip


def picture(product_id: str, image_hash: str | None, position: int = 0, *, status: str = "ok") -> dict:
    return {
        "product_id": product_id, "position": position, "uri": f"{product_id}-{position}.png",
        "image_hash": image_hash, "status": status, "reason": None,
    }  # fmt: skip


def texts(image_hash: str, words: str, *, schema: str = OCR) -> dict:
    box = {"x1": 0.1, "y1": 0.1, "x2": 0.5, "y2": 0.2}
    tokens = [{"text": word, "confidence": 0.9, "box": box} for word in words.split()]
    return {
        "image_hash": image_hash, "ocr_schema": schema, "width": 100, "height": 100, "tokens": tokens,
        "content_hash": hashlib.sha256(words.encode()).hexdigest(), "status": "ok", "reason": None, "run_id": "r",
    }  # fmt: skip


def features(
    image_hash: str, *, schema: str = FEATURES, num_tokens: int = 0, ocr_schema: str | None = None, seed: int = 0
) -> dict:
    rng = np.random.default_rng(seed)
    boxes = np.tile(np.array([0, 0, 1, 1], "<f4"), (2, 1)).tobytes()
    regions = rng.random((2, 4)).astype("<f2").tobytes()
    token_vectors = rng.random((num_tokens, 4)).astype("<f2").tobytes()
    return {
        "image_hash": image_hash, "feature_schema": schema, "num_regions": 2, "dim": 4, "boxes": boxes,
        "regions": regions, "ocr_schema": ocr_schema, "num_tokens": num_tokens, "token_vectors": token_vectors,
        "content_hash": hashlib.sha256(regions + token_vectors).hexdigest(), "status": "ok", "reason": None,
        "run_id": "r",
    }  # fmt: skip


def definition(
    product_type: str, attribute: str, *, question: str = "", pictures: str = "all", options: list | None = None
) -> dict:
    return {
        "product_type": product_type, "attribute": attribute, "question": question or f"what is the {attribute}",
        "kind": "text", "options": options, "inferable": False, "pictures": pictures, "precision_target": 0.9,
    }  # fmt: skip


def example(product_: dict, attribute: str, value: str | None, *, split: str = "train", kept: bool = True) -> dict:
    return {
        "examples_id": "snapshot", "product_id": product_["product_id"], "attribute": attribute,
        "product_type": product_["product_type"], "content_hash": product_["content_hash"],
        "family_id": product_["family_id"], "raw_value": value, "value": value, "split": split, "kept": kept,
        "reason": None, "reach": [], "run_id": "label-1",
    }  # fmt: skip


def said(product_id: str, value: str | None, at: datetime = NOON, origin: str = "seller") -> dict:
    row = {"product_id": product_id, "attribute": "brand", "origin": origin}
    return row | {"observed_at": at, "value": value, "run_id": "ingest-1"}


GROUP = {"product_type": "tea", "attribute": "brand", "support": "printed", "model_version": "7"}
GATE = GROUP | {
    "gate_id": "tea", "normaliser_version": "1", "target": 0.9, "threshold": 0.9, "state": "provisional",
    "calibrator": '{"intercept": 0.0, "kind": "logistic", "slope": 1.0}', "reason": "few", "n": 10, "errors": 1,
    "num_judged": 10, "num_stated": 20, "recall": 0.5, "method": "by hand", "population": "none", "valid_from": NOON,
    "run_id": "calibrate-1",
}  # fmt: skip
"""A gate whose calibrator takes scores as they are."""
SAMPLE = GROUP | {
    "sample_id": "sample", "normaliser_version": "1", "target": 0.9, "attempt": 1, "thresholds": [0.5],
    "population": 9, "drawn": 5, "to_judge": 5, "run_id": "audit-1", "day": DAY, "drawn_at": NOON,
}  # fmt: skip


def item(product_id: str, sample_id: str = "sample") -> dict:
    """An answer of an audit sample; all say Jade."""
    return GROUP | {
        "sample_id": sample_id, "item_id": product_id, "product_id": product_id, "input_hash": "i",
        "decode_config": "d", "place": 1, "score": 0.9, "value": "Jade", "value_key": "jade", "second": True,
    }  # fmt: skip


def audit(product_id: str, auditor: str, verdict: str, at: datetime = NOON) -> dict:
    row = {name: value for name, value in item(product_id).items() if name not in ("place", "score", "second")}
    return row | {"auditor": auditor, "verdict": verdict, "audited_at": at, "run_id": "audit-2"}


def published(models: str, at: datetime = NOON, status: str = "succeeded") -> dict:
    """A run of publish in the run book."""
    return {
        "run_id": f"publish-{models}", "job": "publish", "day": at.date(), "code_version": "1", "config": "{}",
        "status": status, "model_version": models, "inputs": [], "counts": [], "model_calls": 0, "started_at": at,
        "finished_at": at, "seconds": 1.0,
    }  # fmt: skip


def stock(tables: Tables, **rows: list[dict]) -> None:
    """Write tables by name."""
    for name, content in rows.items():
        tables.append(tables.rows(content, WAREHOUSE[name]), WAREHOUSE[name], txn=f"shelf:{name}")


def settings(folder: Path, *overrides: str) -> list[str]:
    """A command line whose warehouse, registry and training lie in a folder, for OCR and features made elsewhere."""
    pairs = [
        f"warehouse={folder}/warehouse", f"train.folder={folder}/training", f"registry.artifacts={folder}/mlflow",
        f"registry.tracking_uri=sqlite:///{folder}/mlflow.db", "model.name=word_matching", "enrich.batches.prefetch=0",
        "read_images.enabled=false", f"ingest.image_texts.ocr_schema={OCR}",
        f"ingest.image_features.feature_schema={FEATURES}", *overrides,
    ]  # fmt: skip
    confs = ["--conf", "conf/local.yaml", "--conf", "conf/test.yaml", "--day", f"{DAY}"]
    return [*confs, *(part for pair in pairs for part in ("--set", pair))]
