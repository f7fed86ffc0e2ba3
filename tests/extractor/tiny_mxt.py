"""An MXT of some thousand weights, on the catalogue of tiny_pam with a grid of cells."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from extractor.models import mxt
from extractor.nn import grid_attention, mag
from extractor.prompts import Config as Reads
from extractor.records import Example, Features
from tests.extractor import tiny_pam

GRID = 4


def config(**changes: Any) -> mxt.Config:  # any field of mxt.Config or of its `reads`
    """The tiny sizes, with some fields changed."""
    reads = {name: changes.pop(name) for name in list(changes) if name in Reads.__dataclass_fields__}
    writer = mxt.Small(width=48, feed=96, heads=4, encoder_layers=2, decoder_layers=1, dropout=0.0)
    tiny = mxt.Config(
        writer=writer,
        grid=GRID,
        whiten=0,
        adaptation=mag.Config(dropout=0.0),
        look=grid_attention.Config(width=32, heads=4, dropout=0.0),
        reads=Reads(**reads),
    )
    return replace(tiny, **changes)


def seen(example: Example) -> Example:
    """The same product, its picture as a pooled vector and four cells of which one has the colour."""
    picture = example.pictures[0]
    assert picture.features is not None
    pooled = picture.features.regions[0]
    cells = np.zeros((GRID, tiny_pam.DIM), np.float16)
    cells[int(example.product_id[1:]) % GRID] = 4 * pooled
    edges = [(0, 0, 1, 1), (0, 0, 0.5, 0.5), (0.5, 0, 1, 0.5), (0, 0.5, 0.5, 1), (0.5, 0.5, 1, 1)]
    nothing = np.zeros((0, tiny_pam.DIM), np.float16)
    features = Features(np.array(edges, np.float32), np.concatenate([pooled[None], cells]), nothing)
    return replace(example, pictures=(replace(picture, features=features),))


def products(count: int, seed: int = 0) -> list[Example]:
    """The first products of a seed."""
    return [seen(example) for example in tiny_pam.products(count, seed)]


def model(examples: Sequence[Example], seed: int = 0, **changes: Any) -> mxt.Model:
    """A fresh tiny MXT."""
    return mxt.Model.create(config(**changes), tiny_pam.knowledge(examples), examples, seed=seed)
