"""The values that training gave, counted: of which attribute, and on how many pages the string stands at all.

A page that teaches is in the counts itself, so its own answers are taken out before they are shown to it (leave one
out): else a model learns that the right answer is always a known one.

A string is named by the keys of its words without what stands between them: `3.5 g` and `3.5g` are one.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

NUM_FEATURES = 3

Floats = npt.NDArray[np.float32]
Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, kw_only=True)
class Dictionary:
    """What was counted."""

    values: Mapping[str, Counts]
    """String to product type to attribute: training products that have it as their answer."""
    held: Counts
    """Value to product type: training products whose page shows it, whatever they answer."""

    @classmethod
    def count(
        cls, answers: Iterable[tuple[str, str, str]], pages: Iterable[tuple[str, Collection[str]]]
    ) -> "Dictionary":
        """From (product type, attribute, string) of every answer and (product type, strings) of every page."""
        values: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        for product_type, attribute, string in answers:
            values[string][product_type][attribute] += 1
        held: dict[str, Counter[str]] = defaultdict(Counter)
        for product_type, strings in pages:
            for string in values.keys() & set(strings):
                held[string][product_type] += 1
        return cls(values=values, held=held)

    def features(
        self, product_type: str, attributes: Sequence[str], strings: Sequence[str], own: Mapping[str, str] | None
    ) -> Floats:
        """[K, A, 3] of each string and attribute: how often (logarithms) it is a value of the attribute in this product
        type and in others, and in what share of the type's pages that show it.

        `own` are the answers, by attribute, of a page that was counted itself; None for any other page.
        """
        found = np.zeros((len(strings), len(attributes), NUM_FEATURES), np.float32)
        for k, string in enumerate(strings):
            by_type = self.values.get(string, {})
            held = self.held.get(string, {}).get(product_type, 0) - (own is not None)
            for a, attribute in enumerate(attributes):
                everywhere = sum(counted.get(attribute, 0) for counted in by_type.values())
                here = by_type.get(product_type, {}).get(attribute, 0)
                left = max(0, here - (own is not None and own.get(attribute) == string))
                found[k, a] = left, everywhere - here, left / (max(held, left) + 1)
        found[..., :2] = np.log1p(found[..., :2])
        return found
