"""Distant supervision: what a seller wrote becomes what a model learns, or a mark that says why not (MODELS 10.7).

A group is a (product type, attribute). `merge` looks at all sellers' spellings of one group, `label` at one value and
the page that it should stand on. Nothing is dropped here: a label that is not to be learnt says so in `reason`.
"""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rapidfuzz import fuzz, process

from extractor import text
from extractor.errors import ConfigError
from extractor.records import Definition
from schemas.enums import Kind, Pictures, Reach, Split


@dataclass(frozen=True, kw_only=True)
class Config:
    """How labels are made of sellers' values."""

    unknown_words: tuple[str, ...] = (
        "n/a", "na", "none", "unknown", "not applicable", "not available", "not specified",
        "does not apply", "null", "nil", "tbd", "-", "--", "?",
    )  # fmt: skip
    """Words by which sellers say that there is no value; they teach `unknown`."""
    similar: float = 90.0
    """Least likeness of two spellings of one value: rapidfuzz ratio, 0..100 (heuristic merging, MXT section 4)."""
    dominance: float = 5.0
    """How many times more frequent the spelling must be that a similar one is merged into."""
    min_count: int = 2
    """Training products that must share a value which no text shows; rarer ones are trimmed (MXT section 4)."""
    keep_unprinted: bool = False
    """Learn values that no text shows though their attribute may not be inferred, where the vocabulary has them: most
    are their seller's mistakes (docs/log.md)."""
    train: float = 0.60
    """Share of families that models learn from."""
    validation: float = 0.08
    """Share of families that stop the training."""
    calibration: float = 0.17
    """Share of families that calibrate confidences and choose thresholds."""
    test: float = 0.15
    """Share of families that figures are measured on."""
    salt: str = "facetmill"
    """Makes the split: the same salt puts a family into the same split for ever."""

    def __post_init__(self) -> None:
        total = self.train + self.validation + self.calibration + self.test
        if abs(total - 1) > 1e-9 or min(self.train, self.validation, self.calibration, self.test) < 0:
            raise ConfigError("train + validation + calibration + test", round(total, 6), "shares >= 0 that make 1")


class Merged(NamedTuple):
    """What a group makes of one spelling."""

    value: str | None
    """The group's spelling of the value; None where the seller states that there is none."""
    num_products: int
    """Training products of the group that share the value."""
    in_vocabulary: bool
    """Whether the group's training values hold every word of it (MODELS 4.2)."""
    problem: str | None = None
    """Why it cannot be learnt, whatever the page shows."""


class Label(NamedTuple):
    """What is learnt of one product's attribute."""

    value: str | None
    """None: unknown."""
    kept: bool
    reason: str | None
    reach: tuple[Reach, ...]


class Place(NamedTuple):
    """A text of a page, cut into words; punctuation is left out, so that Coca-Cola is found as Coca Cola."""

    reach: Reach
    picture: int | None
    """The readable picture that it stands on, counted from 0 (the main one); None for title and bullets."""
    content: str
    words: tuple[text.Word, ...]


def split_of(family_id: str, config: Config) -> Split:
    """The split of a family, by hash: it stays there for ever and brings all its variants along."""
    digest = hashlib.sha256(f"{config.salt}:{family_id}".encode()).digest()
    drawn = int.from_bytes(digest[:8]) / 2**64
    shares = (
        (Split.TRAIN, config.train),
        (Split.VALIDATION, config.validation),
        (Split.CALIBRATION, config.calibration),
    )
    for split, share in shares:
        if drawn < share:
            return split
        drawn -= share
    return Split.TEST


def page(title: str | None, bullets: Sequence[str], pictures: Iterable[Sequence[str]]) -> list[Place]:
    """The texts of a product in the order that a value is looked for; `pictures` are the OCR words of each."""
    places = [] if title is None else [_place(Reach.TITLE, None, title)]
    places += [_place(Reach.BULLETS, None, bullet) for bullet in bullets]
    places += [_place(Reach.OCR, position, " ".join(tokens)) for position, tokens in enumerate(pictures)]
    return places


def merge(counts: Mapping[str, int], definition: Definition, config: Config) -> dict[str, Merged]:
    """Make one value of its spellings: `counts` are a group's raw values with their training products (0 elsewhere).

    Spellings of one identity are one value, named as most sellers name it; a rare spelling that is similar to a much
    more frequent one is taken for a slip of the pen.
    """
    unknown = {text.keys(word) for word in config.unknown_words}
    spelt: dict[tuple[str, ...], Counter[str]] = {}
    merged: dict[str, Merged] = {}
    for raw in sorted(counts):
        identity = identify(raw, definition)
        if definition.options is not None and identity in _options(definition):
            spelt.setdefault(identity, Counter())[raw] = counts[raw]
        elif not identity or text.keys(raw) in unknown:
            merged[raw] = Merged(None, 0, in_vocabulary=True)
        elif definition.options is not None:
            merged[raw] = Merged(
                raw.strip(), counts[raw], in_vocabulary=False, problem=f"{raw!r} is none of the options"
            )
        else:
            spelt.setdefault(identity, Counter())[raw] = counts[raw]
    target = {identity: identity for identity in spelt} if definition.options is not None else _similar(spelt, config)
    return merged | _named(spelt, target, definition, config)


def label(raw: str, merged: Merged, places: Sequence[Place], definition: Definition, config: Config) -> Label:
    """Where the page shows the value, in which spelling it is best copied, and whether it is worth learning."""
    if merged.value is None:
        return Label(None, kept=True, reason=None, reach=())
    readable = [place for place in places if place.picture in (None, 0) or definition.pictures is Pictures.ALL]
    value, reach = _printed(raw, merged.value, readable, definition)
    printed = bool(reach)
    if merged.in_vocabulary:
        reach.append(Reach.VOCABULARY)
    reason = merged.problem or (None if printed else _unprinted(merged, definition, config))
    return Label(value, kept=reason is None, reason=reason, reach=tuple(reach) or (Reach.NOWHERE,))


def identify(value: str, definition: Definition) -> tuple[str, ...]:
    """What spellings of one value share: words without case and punctuation; units, yes and options by their names."""
    identity = _identity(value)
    if definition.options is not None:
        return _options(definition).get(identity, identity)
    return _plain(identity, definition.kind)


def _plain(identity: tuple[str, ...], kind: Kind) -> tuple[str, ...]:
    """The same words in the plain spelling of their kind; as many words as before."""
    if kind is Kind.QUANTITY:
        return tuple(UNITS.get(word, word.replace(",", ".")) for word in identity)
    if kind is Kind.YES_NO:
        return tuple(YES_NO.get(word, word) for word in identity)
    return identity


UNITS = {
    variant: unit
    for unit, variants in {
        "l": "liter liters litre litres ltr",
        "ml": "milliliter milliliters millilitre millilitres",
        "g": "gram grams gramme grammes gr",
        "kg": "kilo kilos kilogram kilograms",
        "oz": "ounce ounces",
        "fl": "fluid",
        "lb": "lbs pound pounds",
        "ct": "count",
        "pc": "pcs piece pieces",
    }.items()
    for variant in variants.split()
}
"""How sellers write units; conversion between units is for publish, which normalises (here words must only match)."""

YES_NO = {"y": "yes", "true": "yes", "n": "no", "false": "no"}


def _options(definition: Definition) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Identity of each option and alias to the identity of its option."""
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for option, aliases in (definition.options or {}).items():
        identity = _identity(option)
        for name in (option, *aliases):
            found.setdefault(_identity(name), identity)
    return found


def _similar(spelt: Mapping[tuple[str, ...], Counter[str]], config: Config) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Each identity to the much more frequent one that it is a slip of, or to itself; numbers must agree."""
    target: dict[tuple[str, ...], tuple[str, ...]] = {}
    seen: dict[tuple[str, ...], list[tuple[int, str, tuple[str, ...]]]] = {}
    for identity in sorted(spelt, key=lambda words: (-spelt[words].total(), words)):
        count, spelling = spelt[identity].total(), " ".join(identity)
        numbers = tuple(word for word in identity if any(char.isdigit() for char in word))
        frequent = [entry for entry in seen.get(numbers, []) if entry[0] >= config.dominance * max(count, 1)]
        choices = [entry[1] for entry in frequent]
        best = process.extractOne(spelling, choices, scorer=fuzz.ratio, score_cutoff=config.similar)
        target[identity] = identity if best is None else target[frequent[best[2]][2]]
        seen.setdefault(numbers, []).append((count, spelling, identity))
    return target


def _named(
    spelt: Mapping[tuple[str, ...], Counter[str]],
    target: Mapping[tuple[str, ...], tuple[str, ...]],
    definition: Definition,
    config: Config,
) -> dict[str, Merged]:
    """Name each merged value, count its products, and see whether the words of the group's values make it up."""
    total: Counter[tuple[str, ...]] = Counter()
    for identity, counts in spelt.items():
        total[target[identity]] += counts.total()
    word_count: Counter[str] = Counter()
    for identity, count in total.items():
        word_count.update(dict.fromkeys(identity, count))
    options = {_identity(option): option for option in definition.options or ()}
    merged: dict[str, Merged] = {}
    for identity, counts in spelt.items():
        named = target[identity]
        surface = options.get(named) or min(spelt[named].items(), key=lambda item: (-item[1], item[0]))[0].strip()
        known = definition.options is not None or all(word_count[word] >= config.min_count for word in named)
        merged.update(dict.fromkeys(counts, Merged(surface, total[named], known)))
    return merged


def _printed(raw: str, value: str, places: Sequence[Place], definition: Definition) -> tuple[str, list[Reach]]:
    """The spelling to learn and the kinds of places that hold it; the page's own spelling is what can be copied."""
    spellings = [value, raw, *(definition.options or {}).get(value, ())]
    wanted = list(dict.fromkeys(_plain(_identity(spelling), definition.kind) for spelling in spellings))
    if definition.kind is Kind.YES_NO:
        wanted = [words for words in wanted if words not in (("yes",), ("no",))]  # "no" on a page answers nothing
    plain = [_plain(tuple(word.key for word in place.words), definition.kind) for place in places]
    surface: str | None = None
    reach: list[Reach] = []
    for words in wanted:
        for place, keys in zip(places, plain, strict=True):
            start = text.find(words, keys)
            if start is None:
                continue
            reach.append(place.reach)
            if surface is None:
                surface = place.content[place.words[start].start : place.words[start + len(words) - 1].end]
    if not reach and definition.options is None:
        reach = _pieces(wanted, places, plain)
    found = [kind for kind in Reach if kind in reach]
    return (value if surface is None else surface), found


def _pieces(wanted: Sequence[Sequence[str]], places: Sequence[Place], plain: Sequence[Sequence[str]]) -> list[Reach]:
    """The places that hold the value between them, word by word: a decoder may copy it from several sources."""
    missing = set(wanted[0]) if wanted else set()
    reach = []
    for place, keys in zip(places, plain, strict=True):
        found = missing.intersection(keys)
        if found:
            reach.append(place.reach)
            missing -= found
    return [] if missing else reach


def _unprinted(merged: Merged, definition: Definition, config: Config) -> str | None:
    """Why a value that no text shows is not learnt; None where it is."""
    if not merged.in_vocabulary:
        return "neither the page nor the vocabulary holds it"
    if definition.options is None and merged.num_products < config.min_count:
        return f"printed nowhere and rare: {merged.num_products} training products, at least {config.min_count} needed"
    if not (config.keep_unprinted or definition.inferable or definition.kind is Kind.YES_NO):
        return "printed nowhere, and the attribute may not be inferred"
    return None


def _place(reach: Reach, picture: int | None, content: str) -> Place:
    return Place(reach, picture, content, tuple(_visible(text.words(content))))


def _identity(value: str) -> tuple[str, ...]:
    return tuple(word.key for word in _visible(text.words(value)))


def _visible(words: Iterable[text.Word]) -> list[text.Word]:
    """Words without punctuation; signs that carry meaning (%, &, #, +) stay."""
    return [word for word in words if word.key in "%&#@" or not _is_punctuation(word.key)]


def _is_punctuation(key: str) -> bool:
    return len(key) == 1 and (unicodedata.category(key).startswith("P") or key in "\u00ae\u00a9")
