"""From ragged units of products to one padded batch of a writing model.

A unit is what is read, copied and said at once: a word of several pieces, or one piece (extractor/subwords.py).
What is said is numbered 0..V-1 where it can be said anywhere, and V + x where place x of the source is copied.

B products, E encoder rows (a product, or one a question), X source units, N pieces of all sources, R questions,
T target units, G grid cells, F feature width, V units that can be said anywhere.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]  # float16 where the training loop keeps it

NO_TARGET = -10_000
NOT_COPIED = -1
FIRST_PLACE = -2
"""In `say` and `target`, FIRST_PLACE - x is a copy of place x: V is the collating model's to know."""


class Units(NamedTuple):
    """Units as pieces, one after the other."""

    pieces: Ints
    """[N]."""
    lengths: Ints
    """[X] pieces of each unit."""


class Source(NamedTuple):
    """One row of the encoder."""

    units: Units
    say: Ints
    """[X] what copying a unit says: its number, FIRST_PLACE - the first place of a unit that cannot be said anywhere,
    NOT_COPIED for what is no part of the page."""


class Asked(NamedTuple):
    """One question."""

    source: int
    """Which row of its product it is answered from."""
    group: int
    """Which definition."""
    name: Units
    """The attribute's name, for a decoder that begins with it."""
    target: Ints
    """[T] the answer and its end, as `say`; empty where none is known."""


class Encoded(NamedTuple):
    """A product as arrays."""

    sources: tuple[Source, ...]
    asked: tuple[Asked, ...]
    regions: Array
    """[1 + G, F] the picture's pooled vector, then its cells; [0, F] without a picture."""
    num_unreachable: int
    """Labelled questions left out because their answer is too long or holds what cannot be said."""


class Bags(NamedTuple):
    """Pieces with the unit that each is a part of: rows are padded, units that are absent have none."""

    piece_N: Tensor
    unit_N: Tensor
    num_units: Tensor
    """[] how many units there are, absent ones too."""

    def to(self, device: torch.device) -> "Bags":
        """The same on a device."""
        return Bags(*(tensor.to(device, non_blocking=True) for tensor in self))


class Batch(NamedTuple):
    """One padded batch; masks are True where absent."""

    source: Bags
    """E times X units."""
    absent_EX: Tensor
    say_EX: Tensor
    """What copying each unit says; 0 where it is barred."""
    barred_EX: Tensor
    """No part of the page."""
    pooled_EF: Tensor
    cell_EGF: Tensor
    no_picture_E: Tensor
    source_R: Tensor
    group_R: Tensor
    name: Bags
    """R units: each question's name as one."""
    target_RT: Tensor
    """What is said at each step; NO_TARGET behind the end."""

    def to(self, device: torch.device) -> "Batch":
        """The same on a device."""
        moved = {name: part.to(device) for name, part in self._asdict().items()}
        return self._replace(**moved)


def collate(products: Sequence[Encoded], num_said: int) -> Batch:
    """Pad products to one batch; `num_said` is V."""
    sources = [(b, source) for b, product in enumerate(products) for source in product.sources]
    first = np.cumsum([0, *(len(product.sources) for product in products)])
    asked = [(first[b] + one.source, one) for b, product in enumerate(products) for one in product.asked]
    say_EX = _padded([source.say for _, source in sources], NO_TARGET)
    absent_EX = say_EX == NO_TARGET
    barred_EX = absent_EX | (say_EX == NOT_COPIED)
    pooled_EF, cell_EGF, no_picture_E = _pictures([products[b].regions for b, _ in sources])
    return Batch(
        source=bags([source.units for _, source in sources], say_EX.shape[1]),
        absent_EX=torch.from_numpy(absent_EX),
        say_EX=torch.from_numpy(np.where(barred_EX, 0, _numbered(say_EX, num_said))),
        barred_EX=torch.from_numpy(barred_EX),
        pooled_EF=pooled_EF,
        cell_EGF=cell_EGF,
        no_picture_E=no_picture_E,
        source_R=torch.tensor([source for source, _ in asked], dtype=torch.long),
        group_R=torch.tensor([one.group for _, one in asked], dtype=torch.long),
        name=bags([Units(one.name.pieces, np.array([len(one.name.pieces)])) for _, one in asked], 1),
        target_RT=torch.from_numpy(_numbered(_padded([one.target for _, one in asked], NO_TARGET), num_said)),
    )


def bags(rows: Sequence[Units], width: int) -> Bags:
    """The pieces of rows of `width` units."""
    pieces = [np.empty(0, np.int64), *(row.pieces for row in rows)]
    units = [np.empty(0, np.int64)]
    units += [at * width + np.repeat(np.arange(len(row.lengths)), row.lengths) for at, row in enumerate(rows)]
    return Bags(
        torch.from_numpy(np.concatenate(pieces)),
        torch.from_numpy(np.concatenate(units)),
        torch.tensor(len(rows) * width),
    )


def _numbered(said: Ints, num_said: int) -> Ints:
    """Copies of places behind what can be said anywhere; NO_TARGET stays."""
    return np.where((said <= FIRST_PLACE) & (said != NO_TARGET), num_said + FIRST_PLACE - said, said)


def _padded(rows: Sequence[Ints], filler: int) -> Ints:
    found = np.full((len(rows), max((len(row) for row in rows), default=0)), filler, np.int64)
    for number, row in enumerate(rows):
        found[number, : len(row)] = row
    return found


def _pictures(regions: Sequence[Array]) -> tuple[Tensor, Tensor, Tensor]:
    """pooled_EF, cell_EGF, no_picture_E; absent ones are zeros."""
    num_G = max(0, *(len(found) - 1 for found in regions)) if regions else 0
    width = regions[0].shape[1] if regions else 0
    pooled_EF = np.zeros((len(regions), width), np.float32)
    cell_EGF = np.zeros((len(regions), num_G, width), np.float32)
    for row, found in enumerate(regions):
        if len(found):
            pooled_EF[row], cell_EGF[row] = found[0], found[1:]
    none_E = np.array([len(found) == 0 for found in regions], np.bool_)
    return torch.from_numpy(pooled_EF), torch.from_numpy(cell_EGF), torch.from_numpy(none_E)
