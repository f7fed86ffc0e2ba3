"""What sellers write into the catalogue: holes, mistakes, spellings of their own; and the brands that they invent."""

from random import Random

from extractor.synthetic.things import Attribute, Role, Value
from schemas.enums import Kind

MISSING = 0.40
"""Share of values that the catalogue lacks."""
WRONG = 0.05
"""Share of the given values that are another value's."""
SAYS_UNKNOWN = 0.80
"""Share of values that no page shows for which the seller says so."""
UNKNOWN = ("n/a", "N/A", "n/a", "n/a")
"""How sellers say that there is no value."""

_STEMS = (
    "Al",
    "Ald",
    "Bel",
    "Bren",
    "Cal",
    "Cor",
    "Dor",
    "El",
    "Fen",
    "Gal",
    "Hal",
    "Ind",
    "Jun",
    "Kes",
    "Lor",
    "Lum",
    "Mar",
    "Mir",
    "Nel",
    "Nor",
    "Ost",
    "Pel",
    "Quil",
    "Ros",
    "Sol",
    "Tal",
    "Ul",
    "Vel",
    "Ver",
    "Wen",
    "Zan",
    "Zel",
)
_LINKS = ("", "", "", "a", "e", "i", "o", "an", "en", "il", "or")
_ENDINGS = (
    "ara",
    "berry",
    "by",
    "dale",
    "ea",
    "ell",
    "ette",
    "field",
    "ford",
    "ia",
    "ino",
    "is",
    "ium",
    "ivo",
    "ix",
    "ley",
    "mont",
    "ola",
    "one",
    "ora",
    "stone",
    "una",
    "va",
    "well",
    "wick",
    "wyn",
)
_SECOND = ("& Co", "Labs", "Farm", "Naturals")
"""Few, so that some hundred products show each of them more than once."""


def says(rng: Random, attribute: Attribute, value: Value | None) -> str | None:
    """A seller's entry for a true value (None: the page shows none); None where the catalogue has a hole."""
    wrong = rng.random() < WRONG
    if value is None:
        if wrong:
            return spelled(rng, attribute, rng.choice(attribute.values))
        return rng.choice(UNKNOWN) if rng.random() < SAYS_UNKNOWN else None
    if rng.random() < MISSING:
        return None
    others = [other for other in attribute.values if other.name != value.name]
    return spelled(rng, attribute, rng.choice(others) if wrong else value)


def spelled(rng: Random, attribute: Attribute, value: Value) -> str:
    """A value in one seller's spelling."""
    # Sellers fill yes_no fields with yes and no; other fields now and then in other words than the page.
    other = rng.random() < (0.2 if attribute.kind == Kind.YES_NO else 0.12)
    text = rng.choice(value.acceptable) if other else value.name
    if attribute.role == Role.BRAND:
        return rng.choices((text, text.lower(), text.upper()), (80, 12, 8))[0]
    if attribute.kind == Kind.QUANTITY:
        return text
    return rng.choices((text, text.title(), text.upper()), (60, 32, 8))[0]


def invented_brand(rng: Random) -> str:
    """A brand that hardly anybody has met: one of some hundred thousand."""
    name = rng.choice(_STEMS) + rng.choice(_LINKS) + rng.choice(_ENDINGS)
    if rng.random() < 0.07:
        return f"{name}'s"
    return f"{name} {rng.choice(_SECOND)}" if rng.random() < 0.25 else name
