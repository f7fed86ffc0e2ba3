"""The values that a closed attribute allows, as a tree of their pieces: what may be said after what was said.

Greedy decoding inside it can end nowhere but at a value (De Cao et al., Autoregressive Entity Retrieval, ICLR 2021).
"""

from collections.abc import Iterable, Mapping, Sequence

ROOT = 0


class PrefixTree:
    """Nodes are numbers; every permitted sequence ends with its own end piece."""

    def __init__(self, sequences: Iterable[Sequence[int]]) -> None:
        self._children: list[dict[int, int]] = [{}]
        for sequence in sequences:
            node = ROOT
            for piece in sequence:
                node = self._children[node].setdefault(piece, len(self._children))
                if node == len(self._children):
                    self._children.append({})

    def permitted(self, node: int) -> Mapping[int, int]:
        """Each piece that may follow, and the node that it leads to; empty behind an end."""
        return self._children[node]
