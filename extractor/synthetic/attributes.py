"""The kinds of attribute that product types of the drawn catalogue have: how each is asked, written and placed."""

from collections.abc import Iterable, Mapping

from extractor.synthetic.things import ANY_FORM, Attribute, Places, Role, Value
from schemas.enums import Kind, Pictures

GRAMS_PER_OUNCE = 28.3495
MILLILITRES_PER_FLUID_OUNCE = 29.5735
POUNDS_PER_KILOGRAM = 2.20462

Shapes = Mapping[str, tuple[str, ...]]
"""Value to the pack shapes that show it."""


def listed(text: str) -> tuple[str, ...]:
    """The entries of a `one; another` list."""
    return tuple(" ".join(entry.split()) for entry in text.split(";"))


def values(text: str) -> tuple[Value, ...]:
    """The values of a `name | wording | wording; name` list."""
    split = ([word.strip() for word in entry.split("|")] for entry in listed(text))
    return tuple(Value(name, tuple(wordings)) for name, *wordings in split)


def grams(*amounts: int) -> tuple[Value, ...]:
    """Weights in grams; pages may say ounces instead."""
    return tuple(Value(f"{g} g", (f"{g}g", f"{g} grams", f"{g / GRAMS_PER_OUNCE:.1f} oz")) for g in amounts)


def millilitres(*amounts: int) -> tuple[Value, ...]:
    """Volumes in millilitres; pages may say fluid ounces instead."""
    return tuple(Value(f"{ml} ml", (f"{ml}ml", f"{ml / MILLILITRES_PER_FLUID_OUNCE:.1f} fl oz")) for ml in amounts)


def litres(*amounts: float) -> tuple[Value, ...]:
    """Volumes in litres, in both spellings; written `18 L`, because OCR reads `18 l` as 181."""
    return tuple(Value(f"{n:g} L", (f"{n:g}L", f"{n:g} litre", f"{n:g} liter")) for n in amounts)


def kilograms(*amounts: float) -> tuple[Value, ...]:
    """Weights in kilograms; pages may say pounds instead."""
    return tuple(Value(f"{kg:g} kg", (f"{kg:g}kg", f"{kg * POUNDS_PER_KILOGRAM:.1f} lb")) for kg in amounts)


def brand(item: str, names: str) -> Attribute:
    """The brand; the pool is met often, others are invented family by family (catalogue.py)."""
    return Attribute(
        name="brand",
        question=f"What is the brand of this {item}?",
        role=Role.BRAND,
        places=Places(title=0.38, bullets=0.01, pack=0.52, unknown=0.09),
        values=values(names),
        bullet="By {}",
        before_noun=True,
    )


def taste(name: str, question: str, pool: str) -> Attribute:
    """A flavour or a scent: open values of one to three words."""
    return Attribute(
        name=name,
        question=question,
        role=Role.VARIANT,
        places=Places(title=0.36, bullets=0.04, pack=0.46, unknown=0.14),
        values=values(pool),
        bullet=f"{name.capitalize()}: {{}}",
        before_noun=True,
    )


def quantity(
    name: str, question: str, bullet: str, pool: Iterable[Value], by_form: Mapping[str, Iterable[Value]] | None = None
) -> Attribute:
    """A number with its unit; `by_form` names the item forms whose packs hold other amounts than the pool's."""
    pools = {ANY_FORM: tuple(pool), **{form: tuple(other) for form, other in (by_form or {}).items()}}
    return Attribute(
        name=name,
        question=question,
        role=Role.NET,
        places=Places(title=0.24, bullets=0.03, pack=0.57, unknown=0.16),
        values=tuple(dict.fromkeys(value for other in pools.values() for value in other)),
        pools=pools,
        kind=Kind.QUANTITY,
        bullet=bullet,
    )


def substance(name: str, question: str, bullet: str, pool: str, *, closed: bool) -> Attribute:
    """A material or an active ingredient."""
    return Attribute(
        name=name,
        question=question,
        role=Role.VARIANT,
        places=Places(title=0.28, bullets=0.06, pack=0.50, unknown=0.16),
        values=values(pool),
        closed=closed,
        bullet=bullet,
        before_noun=True,
    )


def badge(name: str, question: str, bullet: str, pool: tuple[Value, ...], kind: Kind = Kind.TEXT) -> Attribute:
    """A closed value that packs put into a badge: a protection factor, caffeine or none."""
    return Attribute(
        name=name,
        question=question,
        role=Role.BADGE,
        places=Places(title=0.26, bullets=0.06, pack=0.53, unknown=0.15),
        values=pool,
        kind=kind,
        closed=True,
        bullet=bullet,
    )


def item_form(item: str, pool: str, shapes: Shapes) -> Attribute:
    """The form of what is inside; the shape of the pack shows it where no word does."""
    return Attribute(
        name="item_form",
        question=f"Which form does this {item} have?",
        role=Role.VARIANT,
        places=Places(title=0.28, bullets=0.04, pack=0.28, nowhere=0.40),
        values=values(pool),
        closed=True,
        bullet="Form: {}",
        shapes=shapes,
    )


def pack_form(question: str, pool: str, shapes: Shapes) -> Attribute:
    """What it is packed in; hardly any page says so."""
    return Attribute(
        name="pack_form",
        question=question,
        role=Role.FINE,
        places=Places(title=0.10, bullets=0.07, nowhere=0.83),
        values=values(pool),
        closed=True,
        pictures=Pictures.MAIN,
        bullet="Comes in a {}",
        shapes=shapes,
    )


def color(item: str, pool: str) -> Attribute:
    """The colour of the thing itself; the picture shows it, few pages say it."""
    return Attribute(
        name="color",
        question=f"Which color does this {item} have?",
        role=Role.VARIANT,
        places=Places(title=0.22, bullets=0.04, nowhere=0.74),
        values=values(pool),
        closed=True,
        pictures=Pictures.MAIN,
        bullet="Color: {}",
        before_noun=True,
        colors=True,
    )
