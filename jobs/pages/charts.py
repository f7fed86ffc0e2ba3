"""The geometry of the report's pictures: curves as SVG paths, shares as widths. No drawing library, no script."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from extractor.metrics import Point


class Dot(NamedTuple):
    """A place in a drawing."""

    x: float
    y: float


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The inside of a chart: recall to the right, precision upward from `floor`; below it is drawn on the edge."""

    width: float
    height: float
    left: float
    top: float
    floor: float
    """Least precision that is shown, 0..1."""

    def place(self, recall: float, precision: float) -> Dot:
        """Where a point stands."""
        shown = max(precision, self.floor)
        return Dot(
            round(self.left + recall * self.width, 1),
            round(self.top + (1 - shown) / (1 - self.floor) * self.height, 1),
        )

    def path(self, points: Sequence[Point]) -> str:
        """The curve as an SVG path."""
        dots = [self.place(point.recall, point.precision) for point in points]
        return "".join(f"{'L' if index else 'M'}{dot.x:g} {dot.y:g}" for index, dot in enumerate(dots))


LARGE = Frame(width=470, height=250, left=46, top=14, floor=0.4)
SMALL = Frame(width=140, height=72, left=4, top=6, floor=0.4)


class Part(NamedTuple):
    """One piece of a bar."""

    name: str
    num: int
    left: float
    """Per cent of the bar."""
    width: float


def stacked(counts: Mapping[str, int]) -> list[Part]:
    """Counts as the pieces of one bar, in their order; pieces of nothing are left out."""
    total = sum(counts.values())
    parts: list[Part] = []
    left = 0.0
    for name, num in counts.items():
        if num:
            width = 100 * num / total
            parts.append(Part(name, num, round(left, 3), round(width, 3)))
            left += width
    return parts
