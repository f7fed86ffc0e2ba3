"""What may be said for one (product type, attribute), and which candidates spell a gold value."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from extractor import text
from extractor.similarity import Nearest
from extractor.vocabulary import Vocabulary

Keys = tuple[str, ...]


class Positive(NamedTuple):
    """Saying `candidate` when `place` gold words are said is right; the rest of the value can then be said, too."""

    place: int
    candidate: int


class Group:
    """The vocabulary of a group, ready for look-up; candidates are its entries, then the slots of a page."""

    def __init__(self, vocabulary: Vocabulary, *, fallback: bool) -> None:
        self.vocabulary = vocabulary
        self.vocab_id = vocabulary.vocab_id
        self.fallback = fallback
        """The vocabulary is that of all types: training gave this one no word."""
        self.entries: tuple[Keys, ...] = tuple(text.keys(word) for word in vocabulary.words)
        self.number: dict[Keys, int] = {keys: number for number, keys in enumerate(self.entries)}
        self.lengths = np.array([len(keys) for keys in self.entries], np.int64)
        self.nearest = Nearest(key for keys in self.entries for key in keys)
        self._distinct_lengths = sorted(set(self.lengths.tolist()))

    def entries_of(self, keys: Sequence[str]) -> npt.NDArray[np.int64]:
        """[K] the entry that is the same word as each slot; -1 where the vocabulary lacks it."""
        return np.array([self.number.get((key,), -1) for key in keys], np.int64)

    def spelt(self, keys: Sequence[str], continues: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """[K] the slots within a run of neighbours that spells an entry: what a closed attribute may quote."""
        found = np.zeros(len(keys), np.bool_)
        for length in self._distinct_lengths:
            for start in range(len(keys) - length + 1):
                run = slice(start, start + length)
                if tuple(keys[run]) in self.number and continues[start + 1 : start + length].all():
                    found[run] = True
        return found

    def positives(self, gold: Keys, slots: Sequence[str], readable: npt.NDArray[np.bool_]) -> list[Positive]:
        """Every candidate that says the next gold words, wherever it stands; none for a value out of reach."""
        found: list[Positive] = []
        reachable = {len(gold)}
        for place in range(len(gold) - 1, -1, -1):
            here = [
                self.number[gold[place : place + length]]
                for length in self._distinct_lengths
                if place + length in reachable and gold[place : place + length] in self.number
            ]
            if place + 1 in reachable:
                copies = [slot for slot, key in enumerate(slots) if key == gold[place] and readable[slot]]
                here += [len(self.entries) + slot for slot in copies]
            if here:
                reachable.add(place)
            found += [Positive(place, candidate) for candidate in here]
        return found if 0 in reachable else []
