"""Two models side by side, as a reader of the report sees them: how often they agree, and some answers that differ."""

from dataclasses import dataclass
from typing import NamedTuple

from jobs.pages.cards import Line


class Agreement(NamedTuple):
    """Pairs that both models answered, by how their answers relate."""

    same: int = 0
    """Both say the same value."""
    neither: int = 0
    """Both say none."""
    differ: int = 0
    """Both say a value, not the same."""
    only_one: int = 0
    """The first alone says a value."""
    only_other: int = 0
    """The second alone says a value."""

    @property
    def num(self) -> int:
        """Pairs that both answered."""
        return sum(self)


class Difference(NamedTuple):
    """One pair that two models answer differently."""

    title: str
    one: Line
    other: Line


@dataclass(frozen=True, kw_only=True)
class SideBySide:
    """The preferred model and another one on the pages of today."""

    one: str
    """Name of the preferred model."""
    other: str
    all: Agreement
    by_attribute: dict[str, Agreement]
    differences: list[Difference]
