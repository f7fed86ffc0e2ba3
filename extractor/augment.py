"""Changed copies of training products: where a page prints a value, another value of its kind is put in its place.

Few products are soon known by heart, pictures and all; a copy whose brand is another can only be answered by reading.
It is the entity replacement of named-entity recognition (Dai and Adel, COLING 2020, "mention replacement"), on all
places of a page at once. A value is exchanged for one with as many words, so that every OCR word keeps its box and
its vector. What a picture may show without words (inferable attributes) is left alone: print and picture must agree.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from extractor import text
from extractor.errors import ConfigError
from extractor.records import Box, Definition, Example, Picture, Token

Keys = tuple[str, ...]
Pool = Mapping[tuple[str, str, int], Sequence[str]]
"""(product type, attribute, number of words) to the values that training gave."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How many changed copies join the products as they are, and how much they change."""

    copies: int = 0
    """Changed copies of every product; 0 trains on the products alone."""
    exchange: float = 0.6
    """Chance that a printed value is exchanged, 0..1."""
    packs: float = 0.0
    """Share of products without picture that get a pack with words: where few of those that teach have one, it teaches
    what to make of what a pack says."""
    printed: float = 0.4
    """Chance that such a pack says an answer, 0..1."""
    misprinted: float = 0.1
    """Chance that it says another value of the group in its place, 0..1."""

    def __post_init__(self) -> None:
        if self.copies < 0:
            raise ConfigError("copies", self.copies, "0 or more")
        for key in ("exchange", "packs", "printed", "misprinted"):
            if not 0 <= getattr(self, key) <= 1:
                raise ConfigError(key, getattr(self, key), "a chance, 0..1")


class _Edit(NamedTuple):
    start: int
    end: int
    word: str


def augmented(
    examples: Sequence[Example], definitions: Iterable[Definition], config: Config, *, seed: int
) -> list[Example]:
    """The examples, some with a pack, then their changed copies; the same examples and seed make the same of them."""
    examples = packed(examples, config, seed=seed)
    fixed = {(given.product_type, given.attribute) for given in definitions if given.inferable}
    pool = {key: values for key, values in _pool(examples).items() if key[:2] not in fixed}
    rng = random.Random(seed)
    copies = (_changed(example, pool, config, rng) for _ in range(config.copies) for example in examples)
    return [*examples, *copies]


def packed(examples: Sequence[Example], config: Config, *, seed: int) -> list[Example]:
    """The examples; some without picture get one with words: those of another title, and perhaps a value."""
    rng = random.Random(f"{seed} packs")
    values = _pool(examples) if config.packs else {}
    by_group: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (product_type, attribute, _), found in values.items():
        by_group[product_type, attribute] += found
    return [
        replace(example, pictures=(_pack(example, rng.choice(examples), by_group, config, rng),))
        if not example.pictures and rng.random() < config.packs
        else example
        for example in examples
    ]


def _pack(
    example: Example,
    other: Example,
    values: Mapping[tuple[str, str], Sequence[str]],
    config: Config,
    rng: random.Random,
) -> Picture:
    lines = [word.text for word in text.words(other.title or "")]
    for question in example.asked:
        drawn = rng.random()
        if question.answer is not None and drawn < config.printed:
            lines.insert(rng.randrange(len(lines) + 1), question.answer)
        elif drawn > 1 - config.misprinted and values[example.product_type, question.attribute]:
            lines.insert(rng.randrange(len(lines) + 1), rng.choice(values[example.product_type, question.attribute]))
    height = 1 / max(len(lines), 1)
    tokens = []
    for row, line in enumerate(lines):
        left, width = 0.1, 0.8 / max(len(line), 1)
        for word in line.split():
            box = Box(left, row * height, left + len(word) * width, (row + 1) * height)
            tokens.append(Token(word, 0.9, box))
            left = box.x2 + width
    return Picture(position=0, image_hash=f"pack of {example.product_id}", tokens=tuple(tokens))


def _pool(examples: Iterable[Example]) -> Pool:
    """Every value as often as it is given: frequent values come in more often."""
    pool: dict[tuple[str, str, int], list[str]] = defaultdict(list)
    for example in examples:
        for question in example.asked:
            if question.answer is not None:
                pool[example.product_type, question.attribute, len(text.keys(question.answer))].append(question.answer)
    return pool


def _changed(example: Example, pool: Pool, config: Config, rng: random.Random) -> Example:
    """One copy; a value that stands nowhere on the page stays as it is, and so does its answer."""
    asked = []
    for question in example.asked:
        drawn = rng.random()
        if question.answer is not None and drawn < config.exchange:
            old = text.keys(question.answer)
            new = rng.choice(pool.get((example.product_type, question.attribute, len(old)), [question.answer]))
            found, exchanged = _exchanged(example, old, [word.text for word in text.words(new)])
            if found:
                example, question = exchanged, replace(question, answer=new)  # noqa: PLW2901  # one after the other
        asked.append(question)
    return replace(example, asked=tuple(asked))


def _exchanged(example: Example, old: Keys, new: Sequence[str]) -> tuple[bool, Example]:
    """The example with all mentions of a value exchanged, and whether there was one."""
    title = example.title if example.title is None else _rewritten([example.title], old, new)[0]
    bullets = tuple(_rewritten([bullet], old, new)[0] for bullet in example.bullets)
    pictures = tuple(_reprinted(picture, old, new) for picture in example.pictures)
    changed = replace(example, title=title, bullets=bullets, pictures=pictures)
    return changed != example or old == text.keys(" ".join(new)), changed


def _reprinted(picture: Picture, old: Keys, new: Sequence[str]) -> Picture:
    texts = _rewritten([token.text for token in picture.tokens], old, new)
    tokens = (token._replace(text=content) for token, content in zip(picture.tokens, texts, strict=True))
    return replace(picture, tokens=tuple(tokens))


def _rewritten(contents: Sequence[str], old: Keys, new: Sequence[str]) -> list[str]:
    """Neighbouring texts, read as one run of words, with every mention of `old` in the words of `new`."""
    words = [(number, word) for number, content in enumerate(contents) for word in text.words(content)]
    edits: dict[int, list[_Edit]] = defaultdict(list)
    for at in _mentions([word.key for _, word in words], old):
        for (number, word), put in zip(words[at : at + len(old)], new, strict=True):
            edits[number].append(_Edit(word.start, word.end, _cased_as(word.text, put)))
    return [_edited(content, edits[number]) for number, content in enumerate(contents)]


def _mentions(keys: Sequence[str], wanted: Keys) -> Iterator[int]:
    at = text.find(wanted, keys)
    while at is not None:
        yield at
        at = text.find(wanted, keys, at + len(wanted))


def _edited(content: str, edits: Sequence[_Edit]) -> str:
    for start, end, word in sorted(edits, reverse=True):
        content = content[:start] + word + content[end:]
    return content


def _cased_as(old: str, new: str) -> str:
    """A pack that shouts shouts the new word, too."""
    if old.isupper() and len(old) > 1:
        return new.upper()
    return new.capitalize() if old.istitle() and new.islower() else new
