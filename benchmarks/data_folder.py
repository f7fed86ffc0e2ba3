"""A folder of labelled products (docs/data-format.md) turned into the files that ingest reads.

The labels of the evaluated rows go nowhere: only the scoring in real_data.py knows them.
"""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from extractor import text
from schemas.enums import Split, Status
from schemas.image_texts import IMAGE_TEXTS
from schemas.truth import TRUTH

OCR_SCHEMA = "imported"
EVALUATED = ("test", "val", "dev_images")
"""The splits that may be evaluated, the first that a folder has is taken; all other rows may teach."""


@dataclass(frozen=True, kw_only=True)
class Folder:
    """One data set: its rows, which of them are evaluated, its OCR and its option lists."""

    path: Path
    rows: pd.DataFrame
    """attributes.parquet, with `family_id`."""
    evaluated: str
    """Name of the evaluated split."""
    options: Mapping[str, list[str]]
    """Option lists by attribute or type/attribute."""
    ocr: Path | None
    """Ready OCR, JSON Lines."""

    @property
    def name(self) -> str:
        """Name of the set."""
        return self.path.name

    def is_evaluated(self) -> pd.Series:
        """Which rows are scored."""
        return self.rows["split"] == self.evaluated


def read(path: Path, *, evaluated: str | None, family_separator: str | None) -> Folder:
    """Open a folder; a missing file or column stops with its name."""
    file = path / "attributes.parquet"
    if not file.is_file():
        raise SystemExit(f"{file}: not found; docs/data-format.md says what a folder holds")
    rows = pd.read_parquet(file)
    missing = {"product_id", "product_type", "title", "attribute", "values", "split"} - set(rows.columns)
    if missing:
        raise SystemExit(f"{file}: columns {sorted(missing)} are missing; docs/data-format.md names them")
    rows["values"] = rows["values"].map(lambda values: [value for value in values if value.strip()])
    rows["bullets"] = rows["bullets"].map(list) if "bullets" in rows else [[] for _ in range(len(rows))]
    if "image" not in rows:
        rows["image"] = None
    if "family_id" not in rows:
        rows["family_id"] = rows["product_id"]
        if family_separator:
            rows["family_id"] = rows["product_id"].str.rsplit(family_separator, n=1).str[0]
    splits = list(rows["split"].unique())
    only = splits[0] if len(splits) == 1 else None  # for --folds
    chosen = evaluated or next((name for name in EVALUATED if name in splits), only)
    if chosen is None or chosen not in splits:
        raise SystemExit(f"--evaluate {chosen}: the folder has the splits {splits}")
    values = path / "values.json"
    ocr = next((path / name for name in ("ocr.jsonl", "ocr.rapidocr.jsonl") if (path / name).is_file()), None)
    options = json.loads(values.read_text(encoding="utf-8")) if values.is_file() else {}
    return Folder(path=path, rows=rows, evaluated=chosen, options=options, ocr=ocr)


def folds(folder: Folder, count: int, seed: int) -> Iterator[pd.Series]:
    """For each fold, which rows are held out: families of the evaluated split, dealt by a seeded shuffle."""
    scored = folder.is_evaluated()
    if count == 1:
        yield scored
        return
    families = sorted(folder.rows.loc[scored, "family_id"].unique())
    random.Random(seed).shuffle(families)
    fold_of = {family: index % count for index, family in enumerate(families)}
    for fold in range(count):
        yield scored & (folder.rows["family_id"].map(fold_of) == fold)


def write_products(
    folder: Folder, held_out: pd.Series, file: Path, *, updated_at: str, max_taught: int | None, seed: int
) -> int:
    """One JSON line a product; only rows that are not held out give catalogue values. Returns the products."""
    taught = sorted(folder.rows.loc[~held_out, "product_id"].unique())
    if max_taught is not None and len(taught) > max_taught:
        # Products with a picture are few and teach what no title does: the sample is of the others.
        pictured = set(folder.rows.loc[~held_out & folder.rows["image"].notna(), "product_id"])
        others = [product_id for product_id in taught if product_id not in pictured]
        taught = sorted(pictured) + random.Random(seed).sample(others, max(0, max_taught - len(pictured)))
    wanted = set(taught) | set(folder.rows.loc[held_out, "product_id"])
    rows = folder.rows.assign(held_out=held_out)
    count = 0
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8") as out:
        for product_id, group in rows.groupby("product_id", sort=True):
            if product_id in wanted:
                out.write(json.dumps(_product(folder, group, updated_at), ensure_ascii=False) + "\n")
                count += 1
    return count


def _product(folder: Folder, group: pd.DataFrame, updated_at: str) -> dict[str, Any]:
    first = group.iloc[0]
    image = first["image"]
    if image is None and folder.ocr is not None and folder.ocr.name == "ocr.jsonl":
        image = f"no-picture/{first['product_id']}"  # its words are known, its pixels are not
    return {
        "product_id": first["product_id"],
        "product_type": first["product_type"],
        "family_id": first["family_id"],
        "title": first["title"],
        "bullets": list(first["bullets"]),
        "images": [] if image is None else [image],
        "updated_at": updated_at,
        "attributes": {
            row["attribute"]: (row["values"][0] if len(row["values"]) else None)
            for _, row in group[~group["held_out"]].iterrows()
        },
    }


def write_definitions(folder: Folder, file: Path, *, closed: bool, held_out: pd.Series) -> None:
    """Every (product type, attribute) that occurs; options from values.json or, if closed, from the taught rows."""
    taught = folder.rows[~held_out]
    definitions = []
    for product_type, attribute in sorted(set(zip(folder.rows["product_type"], folder.rows["attribute"], strict=True))):
        options = folder.options.get(f"{product_type}/{attribute}", folder.options.get(attribute))
        if options is None and closed:
            options = _values(taught[taught["attribute"] == attribute]["values"])
        definition = {
            "product_type": product_type,
            "attribute": attribute,
            "question": f"what is the {attribute.replace('_', ' ').lower()}?",
            "kind": "text",
            "inferable": True,
            "pictures": "all",
        }
        definitions.append(definition if options is None else {**definition, "options": options})
    file.write_text(yaml.safe_dump(definitions, allow_unicode=True, sort_keys=False), encoding="utf-8")


def _values(lists: Iterable[Iterable[str]]) -> list[str]:
    """Each value once, in its most frequent spelling: ingest takes `Nylon` and `nylon` for one name."""
    counted = Counter(value for values in lists for value in values)
    spelt: dict[tuple[str, ...], str] = {}
    for value, _ in sorted(counted.items(), key=lambda item: (-item[1], item[0])):
        spelt.setdefault(text.keys(value), value)
    return sorted(spelt.values())


def write_truth(folder: Folder, held_out: pd.Series, file: Path) -> None:
    """The held-out rows as schemas.truth, of split `test`; a value in no text of the folder stands nowhere."""
    packs = _packs(folder)
    rows = []
    for _, row in folder.rows[held_out].iterrows():
        page = {"title": [row["title"] or ""], "bullets": row["bullets"], "pack": [packs.get(row["image"], "")]}
        stands = "nowhere" if len(row["values"]) else "unknown"
        for value in row["values"]:
            places = (
                place
                for place, texts in page.items()
                if any(text.find(text.keys(value), text.keys(content)) is not None for content in texts)
            )
            stands = next(places, stands)
        cell = {name: row[name] for name in ("product_id", "attribute", "product_type")}
        rows.append({**cell, "values": list(row["values"]), "stands": stands, "split": str(Split.TEST)})
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=TRUTH.schema), file)


def _packs(folder: Folder) -> dict[str, str]:
    """What is printed on each picture of the folder's ready OCR."""
    if folder.ocr is None:
        return {}
    with folder.ocr.open(encoding="utf-8") as lines:
        read = [json.loads(line) for line in lines]
    return {
        row["image"] if "image" in row else f"no-picture/{row['product_id']}": " ".join(
            line["text"] for line in row["ocr"]
        )
        for row in read
    }


def write_ocr(folder: Folder, file: Path) -> int:
    """The folder's ready OCR as image_texts rows (lines cut into words as the OCR readers do). Returns the pictures."""
    if folder.ocr is None:
        return 0
    rows = {}
    with folder.ocr.open(encoding="utf-8") as lines:
        for line in lines:
            row = _image_text(folder, json.loads(line))
            rows[row["uri"]] = row
    schema = IMAGE_TEXTS.subset("ocr_schema", "width", "height", "tokens").append(pa.field("uri", pa.string()))
    if folder.ocr.name != "ocr.jsonl":
        schema = schema.append(pa.field("image_hash", pa.string()))
    pq.write_table(pa.Table.from_pylist(list(rows.values()), schema=schema), file)
    return len(rows)


def _image_text(folder: Folder, row: dict[str, Any]) -> dict[str, Any]:
    tokens = [word for line in row["ocr"] for word in _words(line)]
    found = {"ocr_schema": OCR_SCHEMA, "width": row["w"], "height": row["h"], "tokens": tokens, "status": Status.OK}
    if "image" not in row:
        return {**found, "uri": f"no-picture/{row['product_id']}"}
    content = (folder.path / row["image"]).read_bytes()
    return {**found, "uri": row["image"], "image_hash": hashlib.sha256(content).hexdigest()}


def _words(line: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Words of a line, its box divided by characters."""
    text, (x1, y1, x2, y2) = line["text"], line["box"]
    width, start = (x2 - x1) / max(len(text), 1), 0
    for word in text.split():
        start = text.index(word, start)
        box = {"x1": x1 + start * width, "y1": y1, "x2": x1 + (start + len(word)) * width, "y2": y2}
        start += len(word)
        clipped = {edge: min(max(value, 0.0), 1.0) for edge, value in box.items()}
        yield {"text": word, "confidence": float(line["conf"]), "box": clipped}
