"""OCR words and image features of packs that are never drawn: benchmarks need millions, drawing takes 30 ms each.

The words are the pack's own, with an engine's usual confusions; the features are a fixed embedding of what a drawing
would show (shape, colour) under noise. Rows follow the contracts of imported readings and name pictures by their uri.
"""

import hashlib
from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from extractor.records import Box, Features, Floats, Token
from extractor.synthetic.things import Pack, Role
from schemas.enums import Status
from schemas.image_features import IMAGE_FEATURES
from schemas.image_texts import IMAGE_TEXTS

DIM = 1280
"""Floats a vector, as the default detector has them."""
SIZE = 480
DROPPED = 0.012
CONFUSED = 0.02
SPLIT = 0.006
MERGED = 0.008
"""Shares of words: not read, one character misread, cut in two, run into the next."""
CONFUSIONS = {
    "0": "o", "o": "0", "O": "0", "l": "1", "L": "1", "I": "l", "i": "l", "1": "l", "5": "s", "s": "5", "S": "5",
    "B": "8", "8": "B", "g": "9", "Z": "2", "e": "c", "c": "e", "m": "rn", "u": "v", "v": "u",
}  # fmt: skip
HEIGHTS = {
    Role.BRAND: 0.11, Role.VARIANT: 0.065, Role.PRODUCT: 0.055, Role.BADGE: 0.06, Role.NET: 0.05, Role.CLAIM: 0.04,
    Role.FINE: 0.03,
}  # fmt: skip
"""Height of a line as a share of the picture."""

WHOLE = (0.0, 0.0, 1.0, 1.0)
REGIONS = (WHOLE, *((x, y, x + 0.5, y + 0.5) for y in (0.0, 0.25, 0.5) for x in (0.0, 0.25, 0.5)))
"""The whole picture, then 3 x 3 overlapping parts."""
SIGNAL = 3.0
"""How far what is shown stands out from noise of size one."""

_DERIVED = ("image_hash", "content_hash", "run_id")
"""What ingest adds."""


def importable(schema: pa.Schema) -> pa.Schema:
    """A contract as imported rows have it: they name the picture by its uri."""
    return pa.schema([pa.field("uri", pa.string()), *(field for field in schema if field.name not in _DERIVED)])


TEXT_ROWS = importable(IMAGE_TEXTS.schema)
FEATURE_ROWS = importable(IMAGE_FEATURES.schema)


def tokens(pack: Pack) -> tuple[Token, ...]:
    """The words of a pack as an engine might read them, in reading order."""
    rng = Random(f"{pack.seed}/tokens")
    return tuple(token for line in _placed(pack) for token in _misread(rng, line))


def features(pack: Pack, num_tokens: int, dim: int = DIM) -> Features:
    """What a network might see: shape in every region, colour more in the middle ones, noise everywhere."""
    rng = np.random.default_rng([pack.seed, dim])
    look = _embedding(f"shape {pack.shape}", dim) + _embedding(f"color {pack.color or pack.palette}", dim)
    regions = look + rng.standard_normal((len(REGIONS), dim), np.float32)
    words = 0.5 * look + rng.standard_normal((num_tokens, dim), np.float32)
    return Features(np.array(REGIONS, "<f4"), regions.astype("<f2"), words.astype("<f2"))


def text_row(uri: str, read: tuple[Token, ...], ocr_schema: str) -> dict[str, Any]:  # values of every column type
    """A row of TEXT_ROWS."""
    return {
        "uri": uri,
        "ocr_schema": ocr_schema,
        "width": SIZE,
        "height": SIZE,
        "tokens": [{"text": token.text, "confidence": token.confidence, "box": token.box._asdict()} for token in read],
        "status": str(Status.OK),
        "reason": None,
    }


def feature_row(uri: str, seen: Features, feature_schema: str, ocr_schema: str) -> dict[str, Any]:  # as above
    """A row of FEATURE_ROWS."""
    return {
        "uri": uri,
        "feature_schema": feature_schema,
        "num_regions": len(seen.regions),
        "dim": seen.regions.shape[1],
        "boxes": seen.boxes.tobytes(),
        "regions": seen.regions.tobytes(),
        "ocr_schema": ocr_schema,
        "num_tokens": len(seen.token_vectors),
        "token_vectors": seen.token_vectors.tobytes(),
        "status": str(Status.OK),
        "reason": None,
    }


def _placed(pack: Pack) -> Iterator[list[Token]]:
    """The lines of a pack, one under the other, each as its words with their boxes."""
    y = 0.15
    for line in pack.lines:
        height = HEIGHTS[line.role]
        width = min(0.7, 0.5 * height * len(line.text))
        x, step = 0.5 - width / 2, width / len(line.text)
        words = []
        for word in line.text.split(" "):
            words.append(Token(word, 1.0, Box(x, min(y, 1.0), x + step * len(word), min(y + height, 1.0))))
            x += step * (len(word) + 1)
        yield words
        y += 1.25 * height


def _misread(rng: Random, words: list[Token]) -> Iterator[Token]:
    pending: Token | None = None
    for word in words:
        token = word if pending is None else _joined(pending, word)
        pending = None
        fate = rng.random()
        sure = round(1 - 0.08 * rng.random() ** 2, 4)
        if fate < DROPPED:
            continue
        if fate < DROPPED + MERGED:
            pending = token
            continue
        if fate < DROPPED + MERGED + SPLIT and len(token.text) > 3:
            yield from (half._replace(confidence=round(sure - 0.1, 4)) for half in _halves(token))
        elif fate < DROPPED + MERGED + SPLIT + CONFUSED:
            yield token._replace(text=_confused(rng, token.text), confidence=round(sure - 0.15, 4))
        else:
            yield token._replace(confidence=sure)
    if pending is not None:
        yield pending._replace(confidence=0.9)


def _joined(first: Token, second: Token) -> Token:
    box = Box(first.box.x1, first.box.y1, second.box.x2, second.box.y2)
    return Token(first.text + second.text, 1.0, box)


def _halves(token: Token) -> tuple[Token, Token]:
    cut = len(token.text) // 2
    middle = token.box.x1 + (token.box.x2 - token.box.x1) * cut / len(token.text)
    return (
        Token(token.text[:cut], 1.0, token.box._replace(x2=middle)),
        Token(token.text[cut:], 1.0, token.box._replace(x1=middle)),
    )


def _confused(rng: Random, text: str) -> str:
    places = [place for place, character in enumerate(text) if character in CONFUSIONS]
    if not places:
        return text[:-1] or text
    place = rng.choice(places)
    return text[:place] + CONFUSIONS[text[place]] + text[place + 1 :]


@cache
def _embedding(name: str, dim: int) -> Floats:
    """A direction of its own for each name, SIGNAL long in every tenth coordinate."""
    rng = np.random.default_rng(np.frombuffer(hashlib.sha256(name.encode()).digest(), np.uint32))
    direction: npt.NDArray[np.float32] = rng.standard_normal(dim, np.float32) * (rng.random(dim) < 0.1) * SIGNAL
    return direction
