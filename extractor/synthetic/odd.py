"""Twenty odd products: ten that must be answered from what is left, ten whose row or reading must be refused.

What is odd stands in the product's line, in a picture's file, or in a reading that was made elsewhere. Each says what
must become of it, so that a test can hold the jobs to it.
"""

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from extractor.records import Box, Token
from extractor.synthetic import noise
from extractor.synthetic.things import Pack

UPDATED_AT = "2026-01-05T08:00:00Z"
LONG_TITLE_BYTES = 50_000_000
BOMB_EDGE = 20_000
"""Pixels: 400 million in all, from 50 KB."""
MANY_TOKENS = 10_000
FOREIGN_SCHEMA = "resnet-0/none/8/f2"

Row = dict[str, Any]  # a JSON object or a contract's row: values of every type


@dataclass(frozen=True, kw_only=True)
class Odd:
    """One odd product with all that comes in with it."""

    name: str
    fate: Literal["answered", "quarantined"]
    names: str = ""
    """A word that the quarantine's reason must hold."""
    products: tuple[Row, ...] = ()
    """Its objects in the product feed; a lone surrogate survives only as JSON escape."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Picture path to content."""
    texts: tuple[Row, ...] = ()
    """Imported readings, noise.TEXT_ROWS."""
    features: tuple[Row, ...] = ()
    """Imported features, noise.FEATURE_ROWS."""

    def lines(self) -> bytes:
        """Its lines in a JSON Lines feed."""
        return b"".join(json.dumps(product).encode() + b"\n" for product in self.products)


def answered(ocr_schema: str, picture: bytes) -> tuple[Odd, ...]:
    """The ten that must be answered; `picture` is any good one without words."""
    many = tuple(Token(f"word{k % 97}", 0.9, Box(0.1, 0.1, 0.2, 0.12)) for k in range(MANY_TOKENS))
    mixed = "\U0001f375 \u05ea\u05d4 mint tea \u0634\u0627\u064a \U0001f33f\u200d\u2728 25 g"
    return (
        _answered("no picture", _product("A01")),
        _answered("zero-byte picture", _product("A02", images=["odd/zero.jpg"]), files={"odd/zero.jpg": b""}),
        _answered(
            "broken picture",
            _product("A03", images=["odd/broken.jpg"]),
            files={"odd/broken.jpg": picture[: len(picture) // 3]},
        ),
        _answered("null title", _product("A04", title=None)),
        _answered("empty title", _product("A05", title="")),
        _answered("emoji and right-to-left text", _product("A06", title=mixed, bullets=[mixed[::-1]])),
        _answered(
            "10,000 OCR tokens",
            _product("A07", images=["odd/many.jpg"]),
            files={"odd/many.jpg": picture + b"\x00"},  # another hash than its twin below
            texts=(noise.text_row("odd/many.jpg", many, ocr_schema),),
        ),
        _answered("no OCR token", _product("A08", images=["odd/plain.jpg"]), files={"odd/plain.jpg": picture}),
        _answered("one-letter title", _product("A09", title="T")),
        _answered("decompression bomb", _product("A10", images=["odd/bomb.png"]), files={"odd/bomb.png": bomb()}),
    )


def refused(ocr_schema: str, feature_schema: str) -> tuple[Odd, ...]:
    """The ten that must land in quarantine with a reason that names the thing."""
    return (*_refused_rows(), *_refused_readings(ocr_schema, feature_schema))


def _refused_rows() -> tuple[Odd, ...]:
    long_title = _product("Q01", title="tea " * (LONG_TITLE_BYTES // 4))
    twins = (_product("Q06", title="Mint tea"), _product("Q06", title="Rose tea"))
    nameless = {key: value for key, value in _product("Q05").items() if key != "product_id"}
    return (
        _refused("50 MB title", "title", long_title),
        _refused("product type without definitions", "product_type", _product("Q02", product_type="anvil")),
        _refused("lone surrogates", "surrogate", _product("Q03", title="Mint \ud83c tea")),
        _refused("wrong type in a column", "bullets", _product("Q04", bullets=7)),
        _refused("no product id", "product_id", nameless),
        _refused("same product id twice, other content, same time", "same time", *twins),
    )


def _refused_readings(ocr_schema: str, feature_schema: str) -> tuple[Odd, ...]:
    """Products that are fine but for what was read of their pictures elsewhere."""
    word = Token("tea", 0.9, Box(float("nan"), 0.1, 0.3, 0.2))
    seen = noise.features(_pack("Q"), num_tokens=0)
    good = noise.feature_row("", seen, feature_schema, ocr_schema)
    holes = np.array(seen.regions)
    holes[0, 0] = np.nan
    return (
        _read("NaN box", "box", "Q07", texts=(noise.text_row("odd/Q07.jpg", (word,), ocr_schema),)),
        _read("blob of wrong length", "bytes", "Q08", features=(good | {"regions": good["regions"][:-2]},)),
        _read("foreign feature_schema", "feature_schema", "Q09", features=(good | {"feature_schema": FOREIGN_SCHEMA},)),
        _read("features with NaN", "NaN", "Q10", features=(good | {"regions": holes.tobytes()},)),
    )


def bomb() -> bytes:
    """A PNG of one colour whose pixels would fill memory."""
    packer = zlib.compressobj(9)
    row = bytes(1 + BOMB_EDGE // 8)  # filter byte, then one bit a pixel
    pixels = b"".join(packer.compress(row) for _ in range(BOMB_EDGE)) + packer.flush()
    header = struct.pack(">IIBBBBB", BOMB_EDGE, BOMB_EDGE, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def plain_pack() -> Pack:
    """A pack without words, for a picture in which OCR finds nothing."""
    return _pack("plain")


def _pack(picture_id: str) -> Pack:
    return Pack(
        picture_id=picture_id, shape="pouch", color=None, palette=3, fonts=0, label=0, lines=(), tilt=1.5, seed=5
    )


def _product(number: str, **changes: object) -> Row:
    product = {
        "product_id": f"ODD-{number}",
        "product_type": "tea",
        "locale": "en-US",
        "family_id": f"ODD-{number}",
        "title": "Harbor Lane lavender tea 40 g",
        "bullets": ["Brew for 5 minutes in 200 ml of hot water"],
        "images": [],
        "updated_at": UPDATED_AT,
        "attributes": {},
    }
    return product | changes


def _answered(name: str, product: Row, files: Mapping[str, bytes] | None = None, texts: tuple[Row, ...] = ()) -> Odd:
    return Odd(name=name, fate="answered", products=(product,), files=files or {}, texts=texts)


def _refused(name: str, names: str, *products: Row) -> Odd:
    return Odd(name=name, fate="quarantined", names=names, products=products)


def _read(name: str, names: str, number: str, *, texts: tuple[Row, ...] = (), features: tuple[Row, ...] = ()) -> Odd:
    uri = f"odd/{number}.jpg"
    return Odd(
        name=name,
        fate="quarantined",
        names=names,
        products=(_product(number, images=[uri]),),
        texts=texts,
        features=tuple(row | {"uri": uri} for row in features),
    )
