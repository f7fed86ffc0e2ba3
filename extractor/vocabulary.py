"""The dynamic vocabulary V[product type, attribute]: what may be said that the page does not show (MODELS 4.2)."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from extractor import text
from extractor.records import Definition

ANY_TYPE = "*"

Group = tuple[str, str]
"""(product type, attribute)."""

SHARED: Group = (ANY_TYPE, "*")
"""The words of all groups together."""

Answer = tuple[str, str, str]
"""(product type, attribute, value) of a training example."""

Keys = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """A snapshot of one group's words; an option of a closed attribute is one entry, however many words it has."""

    product_type: str
    attribute: str
    words: tuple[str, ...]

    @property
    def vocab_id(self) -> str:
        """Names exactly these words for exactly this group; stored with every prediction."""
        content = json.dumps([self.product_type, self.attribute, list(self.words)], ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def build(definitions: Iterable[Definition], answers: Iterable[Answer], *, min_count: int) -> dict[Group, Vocabulary]:
    """A vocabulary a definition, one an attribute under ('*', attribute) for product types never seen, and SHARED.

    A closed definition's entries are its options and their aliases: a pack that says `decaf` is to be quoted, and
    normalise.py makes `no` of it. An open one's are the words of the values that training gave at least `min_count`
    times.
    """
    values: dict[Group, list[str]] = defaultdict(list)
    for product_type, attribute, value in answers:
        values[product_type, attribute].append(value)
    entries: dict[Group, Counter[str]] = {}
    for definition in definitions:
        group = (definition.product_type, definition.attribute)
        if definition.options is None:
            entries[group] = _words(values[group], min_count)
        else:
            entries[group] = Counter(_spellings(definition.options))
    for (_, attribute), own in list(entries.items()):
        entries.setdefault((ANY_TYPE, attribute), Counter()).update(own)
        entries.setdefault(SHARED, Counter()).update(own)
    return {
        (product_type, attribute): Vocabulary(product_type=product_type, attribute=attribute, words=_surfaces(counted))
        for (product_type, attribute), counted in entries.items()
    }


def choose(vocabularies: Mapping[Group, Vocabulary], definition: Definition) -> tuple[Vocabulary, bool]:
    """The group's vocabulary; where training gave it no word, that of all types, and True.

    A closed definition has its own options, whatever was learnt; an attribute that no type had has no words.
    """
    own = vocabularies.get((definition.product_type, definition.attribute))
    if definition.options is not None:
        return closed(definition), False
    if own is not None and own.words:
        return own, False
    nothing = Vocabulary(product_type=ANY_TYPE, attribute=definition.attribute, words=())
    return vocabularies.get((ANY_TYPE, definition.attribute), nothing), True


def closed(definition: Definition) -> Vocabulary:
    """The options of a closed definition, and their aliases."""
    words = _surfaces(Counter(_spellings(definition.options or {})))
    return Vocabulary(product_type=definition.product_type, attribute=definition.attribute, words=words)


def _spellings(options: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    return (spelling for option, aliases in options.items() for spelling in (option, *aliases))


def _words(values: Iterable[str], min_count: int) -> Counter[str]:
    """The words of frequent values, as written and counted; `sugar-free` is one entry, for it must be said as one."""
    values = list(values)
    known = Counter(text.keys(value) for value in values)
    frequent = [value for value in values if known[text.keys(value)] >= min_count]
    return Counter(word for value in frequent for word in value.split())


def _surfaces(counted: Counter[str]) -> tuple[str, ...]:
    """One spelling a key, the most frequent (then the first in order of code points), sorted by key."""
    best: dict[Keys, str] = {}
    for surface in sorted(counted, key=lambda word: (-counted[word], word)):
        keys = text.keys(surface)
        if keys:
            best.setdefault(keys, surface)
    return tuple(best[keys] for keys in sorted(best))
