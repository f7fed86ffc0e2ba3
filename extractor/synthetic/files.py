"""Writes a drawn catalogue as a user would have it: product lines, pictures, definitions; and the truth, elsewhere.

A part is a range of products in files of its own, so that parts can be written anywhere, in any order, more than once.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from extractor.synthetic import noise, odd
from extractor.synthetic.catalogue import draw
from extractor.synthetic.packs import render
from extractor.synthetic.things import Pack, Product
from extractor.synthetic.universe import definitions
from schemas.truth import TRUTH

REVISION = 1
"""Goes up when the same settings draw other bytes."""
PART_PRODUCTS = 25
"""Products a part; more where there would be too many parts."""
MOST_PARTS = 2000
"""A part is a Spark task and a few files. What a product is does not depend on the part that it is drawn in."""
PRODUCTS = "products"
"""Product files begin with it; conf's ingest.products.path ends in products*.jsonl."""
PICTURES = "pictures"
TEXTS = "image_texts"
FEATURES = "image_features"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is drawn and where it goes."""

    out: str
    """Folder of the input files; a path or s3://."""
    truth: str
    """Folder of the truth."""
    products: int
    seed: int
    features_only: bool
    """Write readings of the pictures in place of the pictures."""
    ocr_schema: str
    """What written readings are called."""
    feature_schema: str
    dim: int
    """Floats a vector of written features."""

    @property
    def part_products(self) -> int:
        """How many products a part holds."""
        return max(PART_PRODUCTS, -(-self.products // MOST_PARTS))

    @property
    def num_parts(self) -> int:
        """How many parts the products fall into."""
        return -(-self.products // self.part_products)


class Written(NamedTuple):
    """What one part came to."""

    products: int
    pictures: int


def write_part(plan: Plan, part: int) -> Written:
    """Draw and write one range of products with their pictures and their truth."""
    start = part * plan.part_products
    products = list(draw(min(plan.part_products, plan.products - start), plan.seed, start=start))
    packs = list(_own_packs(products))
    if plan.features_only:
        _write_readings(plan, part, packs)
    else:
        for pack in packs:
            write(f"{plan.out}/{PICTURES}/{pack.path}", render(pack))
    lines = b"".join(_json(line_of(product)) + b"\n" for product in products)
    write(f"{plan.out}/{PRODUCTS}-{part:06d}.jsonl", lines)
    rows = [row for product in products for row in truth_of(product)]
    _write_table(f"{plan.truth}/{TRUTH.name}.parquet/part-{part:06d}.parquet", rows, TRUTH.schema)
    return Written(len(products), len(packs))


def write_odd(plan: Plan) -> tuple[odd.Odd, ...]:
    """Write the twenty odd products beside the others, whose files stay as they are."""
    extremes = (
        *odd.answered(plan.ocr_schema, render(odd.plain_pack())),
        *odd.refused(plan.ocr_schema, plan.feature_schema),
    )
    write(f"{plan.out}/{PRODUCTS}-odd.jsonl", b"".join(extreme.lines() for extreme in extremes))
    for extreme in extremes:
        for path, content in extreme.files.items():
            write(f"{plan.out}/{PICTURES}/{path}", content)
    texts = [row for extreme in extremes for row in extreme.texts]
    features = [row for extreme in extremes for row in extreme.features]
    _write_table(f"{plan.out}/{TEXTS}/odd.parquet", texts, noise.TEXT_ROWS)
    _write_table(f"{plan.out}/{FEATURES}/odd.parquet", features, noise.FEATURE_ROWS)
    return extremes


def line_of(product: Product) -> dict[str, object]:
    """A product as its seller sends it; the truth is not in it."""
    return {
        "product_id": product.product_id,
        "product_type": product.product_type,
        "locale": product.locale,
        "family_id": product.family_id,
        "title": product.title,
        "bullets": list(product.bullets),
        "images": [pack.path for pack in product.packs],
        "updated_at": product.updated_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "attributes": {cell.attribute: cell.seller for cell in product.cells if cell.seller is not None},
    }


def truth_of(product: Product) -> Iterator[dict[str, object]]:
    """The rows of schemas.truth of one product."""
    for cell in product.cells:
        yield {
            "product_id": product.product_id,
            "attribute": cell.attribute,
            "product_type": product.product_type,
            "values": list(cell.values),
            "stands": str(cell.stands),
            "split": None,
        }


def definition_rows() -> list[dict[str, object]]:
    """The attribute definitions as entries of a definitions file."""
    return [
        {
            "product_type": definition.product_type,
            "attribute": definition.attribute,
            "question": definition.question,
            "kind": str(definition.kind),
            **({} if definition.options is None else {"options": _options(definition.options)}),
            "inferable": definition.inferable,
            "pictures": str(definition.pictures),
            "precision_target": definition.precision_target,
        }
        for definition in definitions()
    ]


def _options(options: Mapping[str, tuple[str, ...]]) -> list[dict[str, object]]:
    return [{"value": value, "aliases": list(aliases)} for value, aliases in options.items()]


def _own_packs(products: Iterable[Product]) -> Iterator[Pack]:
    """The pictures that these products are the first to show; a relisted product shows an earlier one's."""
    for product in products:
        number = product.product_id.removeprefix("P")
        yield from (pack for pack in product.packs if pack.picture_id.startswith(number))


def _write_readings(plan: Plan, part: int, packs: Iterable[Pack]) -> None:
    texts, features = [], []
    for pack in packs:
        read = noise.tokens(pack)
        texts.append(noise.text_row(pack.path, read, plan.ocr_schema))
        seen = noise.features(pack, len(read), plan.dim)
        features.append(noise.feature_row(pack.path, seen, plan.feature_schema, plan.ocr_schema))
    _write_table(f"{plan.out}/{TEXTS}/part-{part:06d}.parquet", texts, noise.TEXT_ROWS)
    _write_table(f"{plan.out}/{FEATURES}/part-{part:06d}.parquet", features, noise.FEATURE_ROWS)


def _json(content: dict[str, object]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()


def _write_table(path: str, rows: list[dict[str, Any]], schema: pa.Schema) -> None:  # values of every column type
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink, compression="zstd")
    write(path, sink.getvalue().to_pybytes())


def write(path: str, content: bytes) -> None:
    """Write a file whole; `path` is local or s3://."""
    filesystem, place = located(path)
    filesystem.create_dir(place.rpartition("/")[0], recursive=True)
    with filesystem.open_output_stream(place) as stream:
        stream.write(content)


def located(path: str) -> tuple[pafs.FileSystem, str]:
    """The file system of a path, and the path within it."""
    if "://" in path:
        filesystem, place = pafs.FileSystem.from_uri(path)
        return filesystem, place
    return pafs.LocalFileSystem(), path
