"""Writes what a page and a pack say: titles, bullets, lines of print, and the words that mislead."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import NamedTuple

from extractor.synthetic.things import Attribute, Line, ProductType, Role, Stands, Value
from extractor.synthetic.universe import DECOYS
from schemas.enums import Kind

CANONICAL = 0.65
"""How often a page writes a value by its name where it has other wordings."""
ON_PACK_TOO = 0.55
"""How often a value of the title or the bullets also stands on the pack, there in its own words."""
IN_BULLETS_TOO = 0.08
"""How often a value of the title also stands in the bullets."""
BRAND_FIRST = 0.88
"""How often a title opens with its brand; else it ends with it."""
LYING_TITLE = 0.03
"""How often a title gives another value than the pack, which is right."""
ON_BACK = 0.35
"""How often a value of the pack stands on its back, where there is a picture of the back."""

UNITS = frozenset(("g", "ml", "kg", "oz", "fl", "lb", "grams"))
MISLEADING = (
    "Not for {decoy} lovers",
    "Better than {decoy}",
    "Goes well with {decoy}",
    "Free {decoy} sample",
    "No {decoy} inside",
)
RIVALS = ("Better than {rival}", "Like {rival} but fresher", "Not by {rival}", "Switch from {rival}")
FLUFF = ("New", "Best seller", "Value pack", "Gift idea", "Limited edition", "Free shipping", "20% off today")


class Facts(NamedTuple):
    """What is true of a product, and where its page shows it."""

    kind: ProductType
    values: Mapping[str, Value]
    stands: Mapping[str, Stands]
    has_title: bool

    def at(self, attribute: Attribute) -> Stands:
        """Where the attribute's value stands."""
        return self.stands[attribute.name]

    def others(self, attribute: Attribute) -> list[Value]:
        """All values of the pool but the true one."""
        return [value for value in attribute.values if value.name != self.values[attribute.name].name]


class Page(NamedTuple):
    """The words of a product page."""

    title: str | None
    bullets: tuple[str, ...]


class Print(NamedTuple):
    """The words of a pack."""

    front: tuple[Line, ...]
    back: tuple[Line, ...]


def write(rng: Random, facts: Facts) -> Page:
    """A page that shows exactly those values which stand on it."""
    return Page(_title(rng, facts) if facts.has_title else None, _bullets(rng, facts))


def pack_lines(rng: Random, facts: Facts, *, with_back: bool) -> Print:
    """The print of a pack, front and back."""
    kind = facts.kind
    front = [Line(printed(rng, rng.choice(kind.nouns), Role.PRODUCT), Role.PRODUCT)]
    back = [Line(_sentence(rng.choice(kind.nouns)), Role.PRODUCT)]
    for attribute in kind.attributes:
        place = facts.at(attribute)
        too = place in (Stands.TITLE, Stands.BULLETS) and rng.random() < ON_PACK_TOO
        if place != Stands.PACK and not too:
            continue
        text = wording(rng, facts.values[attribute.name])
        if attribute.kind == Kind.QUANTITY:
            text = rng.choice(("", "", "Net ")) + text
        behind = with_back and attribute.role != Role.BRAND and rng.random() < ON_BACK
        (back if behind else front).append(Line(printed(rng, text, attribute.role), attribute.role))
    num_claims = rng.choices((0, 1, 2), (25, 55, 20))[0]
    claims = _decoys(rng, facts, Stands.PACK, kind.claims, num_claims)
    front += [Line(printed(rng, claim, Role.CLAIM), Role.CLAIM) for claim in claims]
    num_fine = rng.choices((0, 1, 2), (40, 45, 15))[0]
    fine = _decoys(rng, facts, Stands.PACK, kind.fine_print, num_fine + 4)
    front += [Line(text, Role.FINE) for text in fine[:num_fine]]
    back += [Line(text, Role.FINE) for text in fine[num_fine:]]
    return Print(tuple(front), tuple(back))


def wording(rng: Random, value: Value) -> str:
    """A value as one page writes it."""
    name, *others = value.on_pages
    return rng.choice(others) if others and rng.random() >= CANONICAL else name


def printed(rng: Random, text: str, role: Role) -> str:
    """Text in the capitals of a pack."""
    if role == Role.BRAND:
        return text.upper() if rng.random() < 0.5 else text
    return text.upper() if rng.random() < 0.55 else _title_case(text)


def says(text: str, words: Iterable[str]) -> bool:
    """Whether a text holds one of the wordings as whole words, in whatever case."""
    return any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) for word in words)


def _title(rng: Random, facts: Facts) -> str:
    attributes = facts.kind.attributes
    shown = {a.name: wording(rng, facts.values[a.name]) for a in attributes if facts.at(a) == Stands.TITLE}
    shown |= _lies(rng, facts)
    name = shown.pop("brand", None)
    before = [shown[a.name] for a in attributes if a.name in shown and a.before_noun]
    after = [shown[a.name] for a in attributes if a.name in shown and not a.before_noun]
    rng.shuffle(before)
    rng.shuffle(after)
    head = [*before, rng.choice(facts.kind.nouns)]
    if name is not None and rng.random() < BRAND_FIRST:
        head.insert(0, name)
    elif name is not None:
        after.append(f"by {name}")
    separator = rng.choices((", ", " - ", " ", " | "), (45, 25, 18, 12))[0]
    title = separator.join([" ".join(head), *after, *_phrases(rng, facts)])
    cased: Sequence[Callable[[str], str]] = (_title_case, str, str.lower, str.upper)
    return rng.choices(cased, (70, 12, 10, 8))[0](title)


def _lies(rng: Random, facts: Facts) -> dict[str, str]:
    """Wrong values in a title for what the pack says rightly."""
    told = [
        attribute
        for attribute in facts.kind.attributes
        if facts.at(attribute) == Stands.PACK and attribute.role != Role.BRAND and rng.random() < LYING_TITLE
    ]
    return {attribute.name: rng.choice(facts.others(attribute)).on_pages[0] for attribute in told}


def _phrases(rng: Random, facts: Facts) -> list[str]:
    """What else sellers put into a title: fluff, claims, other people's brands, other values."""
    sources: list[Sequence[str]] = []
    sources += [MISLEADING] if facts.kind.name in DECOYS and rng.random() < 0.14 else []
    sources += [RIVALS] if rng.random() < 0.06 else []
    sources += [facts.kind.claims] if rng.random() < 0.22 else []
    sources += [FLUFF] if rng.random() < 0.18 else []
    return [text for source in sources for text in _decoys(rng, facts, Stands.TITLE, source, 1)]


def _bullets(rng: Random, facts: Facts) -> tuple[str, ...]:
    told = [
        attribute
        for attribute in facts.kind.attributes
        if facts.at(attribute) == Stands.BULLETS
        or (facts.at(attribute) == Stands.TITLE and rng.random() < IN_BULLETS_TOO)
    ]
    bullets = [_sentence(a.bullet.format(wording(rng, facts.values[a.name]))) for a in told]
    num_decoys = rng.choices(range(4), (25, 30, 30, 15))[0]
    bullets += _decoys(rng, facts, Stands.BULLETS, facts.kind.bullets, num_decoys)
    rng.shuffle(bullets)
    return tuple(bullets)


def _decoys(rng: Random, facts: Facts, where: Stands, templates: Sequence[str], count: int) -> list[str]:
    """Some phrases with misleading words; none gives away a true value that stands elsewhere or nowhere."""
    texts = [_filled(rng, facts, template) for template in rng.sample(templates, min(count, len(templates)))]
    hidden = [
        words
        for attribute in facts.kind.attributes
        if facts.at(attribute) not in (where, Stands.UNKNOWN)
        for words in facts.values[attribute.name].on_pages
    ]
    return [text for text in texts if not says(text, hidden)]


def _filled(rng: Random, facts: Facts, template: str) -> str:
    """A template with the names of other values and other brands."""
    source = DECOYS.get(facts.kind.name)
    others = [other.name for a in facts.kind.attributes if a.name == source for other in facts.others(a)]
    brands = [other.name for a in facts.kind.attributes if a.role == Role.BRAND for other in facts.others(a)]
    decoy, second = rng.sample(others, 2) if others else ("", "")
    return template.format(decoy=decoy, decoy2=second, rival=rng.choice(brands))


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _title_case(text: str) -> str:
    words = text.split(" ")
    return " ".join(word if word in UNITS or not word.islower() else word.capitalize() for word in words)
