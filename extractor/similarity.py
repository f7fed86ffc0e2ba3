"""Nearness in spelling: a word of the page that resembles a known value is likely to be one (PAM's f_e, MODELS 4.3)."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz, process

MAX_CACHED = 200_000


class Nearest:
    """How near a word comes to the nearest of some known words: 0 (nothing shared) to 100 (the same).

    The scale is FuzzyWuzzy's; on 0..1 the paper's lambda of 0.05 would add nothing.
    """

    def __init__(self, known: Iterable[str]) -> None:
        self.known = sorted(set(known))
        self._cache: dict[str, int] = {}

    def __call__(self, keys: Sequence[str]) -> npt.NDArray[np.uint8]:
        """f_e of each key: max over the known words of the rounded ratio; zeros where nothing is known."""
        if not self.known:
            return np.zeros(len(keys), np.uint8)
        new = sorted(set(keys) - self._cache.keys())
        if new:
            if len(self._cache) + len(new) > MAX_CACHED:
                self._cache.clear()
                new = sorted(set(keys))
            ratio = process.cdist(new, self.known, scorer=fuzz.ratio, dtype=np.float32)
            self._cache.update(zip(new, np.rint(ratio.max(axis=1)).astype(int).tolist(), strict=True))
        return np.array([self._cache[key] for key in keys], np.uint8)
