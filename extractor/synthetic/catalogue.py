"""Draws products one by one: (seed, index) alone decides a product, so any ranges can be drawn in parallel."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from extractor.synthetic import pages, sellers
from extractor.synthetic.pages import Facts
from extractor.synthetic.things import Attribute, Cell, Pack, Product, ProductType, Stands, Value
from extractor.synthetic.universe import TYPES

BLOCK = ((1, 1, 1, 1, 2), (1, 2, 3), (2, 1, 1, 1, 1), (3, 1, 1, 1), (1, 1, 2, 2), (1, 1, 1, 1, 1, 1))
"""How six neighbouring products fall into families."""
BLOCK_SIZE = 6
FIRST_DAY = datetime(2025, 11, 1, tzinfo=UTC)
DAYS = 70
MAX_TILT = 4.0
"""Degrees."""
NUM_PALETTES = 12
NUM_FONTS = 8
NUM_LABELS = 8

RELISTED = 0.30
"""Share of later family members that are the first one listed again: same facts and pictures under another title."""
FAMILY_VALUE = {True: 0.7, False: 0.3}
"""How often a variant keeps its family's value, by whether the drawing shows it."""
INVENTED_BRAND = 0.33
"""Share of families whose brand is met nowhere else."""


SHOWS: Mapping[tuple[str, ...], float] = {
    ("front",): 0.68,
    ("front", "back"): 0.14,
    ("plain", "front"): 0.07,
    ("plain", "front", "back"): 0.04,
    ("plain",): 0.03,
    (): 0.04,
}
"""Which pictures a product has, in order, and how often: the front with its words, plain (the same pack without words),
the back with its small print."""
NO_TITLE = 0.03


@dataclass(frozen=True, kw_only=True)
class Family:
    """What variants share: the type, a brand and the look of its packs."""

    family_id: str
    product_type: ProductType
    first: int
    """Index of the first member."""
    values: Mapping[str, Value]
    palette: int
    fonts: int
    label: int


def draw(num_products: int, seed: int, *, start: int = 0) -> Iterator[Product]:
    """The products of a range of indexes, in order."""
    return (product(seed, index) for index in range(start, start + num_products))


def product(seed: int, index: int) -> Product:
    """One product, with its page, its packs, its truth and its seller's values."""
    family = _family(seed, index)
    kind = family.product_type
    rng = Random(f"{seed}/product/{index}")
    source = family.first if index != family.first and rng.random() < RELISTED else index
    facts, packs = _drawn(seed, source, family)
    page = pages.write(rng, facts)
    return Product(
        product_id=f"P{index:07d}",
        product_type=kind.name,
        locale=rng.choices(("en-US", "en-GB", "en-IN"), (70, 22, 8))[0],
        family_id=family.family_id,
        title=page.title,
        bullets=page.bullets,
        packs=packs,
        updated_at=FIRST_DAY + timedelta(minutes=rng.randrange(DAYS * 24 * 60)),
        cells=tuple(_cell(rng, attribute, facts) for attribute in kind.attributes),
    )


def _cell(rng: Random, attribute: Attribute, facts: Facts) -> Cell:
    stands, value = facts.at(attribute), facts.values[attribute.name]
    shown = value if stands != Stands.UNKNOWN else None
    return Cell(
        attribute=attribute.name,
        values=shown.acceptable if shown else (),
        stands=stands,
        seller=sellers.says(rng, attribute, shown),
    )


def _family(seed: int, index: int) -> Family:
    """The family of a product: sizes follow from the block, so no earlier product need be drawn."""
    block, place = divmod(index, BLOCK_SIZE)
    sizes = Random(f"{seed}/block/{block}").choice(BLOCK)
    number, first = 0, 0
    while first + sizes[number] <= place:
        first += sizes[number]
        number += 1
    kind = TYPES[(block + number) % len(TYPES)]
    rng = Random(f"{seed}/family/{block}/{number}")
    values = _values(rng, kind, {})
    if rng.random() < INVENTED_BRAND:
        values["brand"] = Value(sellers.invented_brand(rng))
    return Family(
        family_id=f"F{block:06d}-{number}",
        product_type=kind,
        first=block * BLOCK_SIZE + first,
        values=values,
        palette=rng.randrange(NUM_PALETTES),
        fonts=rng.randrange(NUM_FONTS),
        label=rng.randrange(NUM_LABELS),
    )


def _drawn(seed: int, index: int, family: Family) -> tuple[Facts, tuple[Pack, ...]]:
    """The facts of a product and its pictures; a relisted product has those of the one it repeats."""
    rng = Random(f"{seed}/facts/{index}")
    kind = family.product_type
    show = rng.choices(list(SHOWS), list(SHOWS.values()))[0]
    has_title = rng.random() >= NO_TITLE
    kept = {
        attribute.name: family.values[attribute.name]
        for attribute in kind.attributes
        if attribute.name == "brand" or rng.random() < FAMILY_VALUE[attribute.drawn]
    }
    values = _values(rng, kind, kept)
    stands = {attribute.name: _place(rng, attribute, show, has_title=has_title) for attribute in kind.attributes}
    facts = Facts(kind, values, stands, has_title)
    return facts, _packs(rng, f"{index:07d}", family, facts, show)


def _values(rng: Random, kind: ProductType, kept: Mapping[str, Value]) -> dict[str, Value]:
    """A value for each attribute: the kept one where it goes with the item form, else one of those that do."""
    values: dict[str, Value] = {}
    for attribute in kind.attributes:
        form = values.get("item_form")
        pool = attribute.pool(form.name if form else None)
        old = kept.get(attribute.name)
        fits = old is not None and (old in pool or attribute.name == "brand")
        values[attribute.name] = old if old is not None and fits else rng.choice(pool)
    return values


def _place(rng: Random, attribute: Attribute, show: Sequence[str], *, has_title: bool) -> Stands:
    """Where a value stands, given what the page has at all."""
    weights = dict(zip(Stands, attribute.places, strict=True))
    possible = {
        Stands.TITLE: has_title,
        Stands.PACK: "front" in show,
        Stands.NOWHERE: bool(show),
    }
    weights[Stands.UNKNOWN] += 0.0 if show else 0.5 * (weights[Stands.PACK] + weights[Stands.NOWHERE])
    places = [place for place in Stands if possible.get(place, True) and weights[place] > 0]
    return rng.choices(places, [weights[place] for place in places])[0]


def _packs(rng: Random, number: str, family: Family, facts: Facts, show: Sequence[str]) -> tuple[Pack, ...]:
    shape = _shape(rng, facts)
    colors = [facts.values[attribute.name].name for attribute in facts.kind.attributes if attribute.colors]
    lines = pages.pack_lines(rng, facts, with_back="back" in show)
    return tuple(
        Pack(
            picture_id=f"{number}-{position}",
            shape="back" if picture == "back" else shape,
            color=colors[0] if colors else None,
            palette=family.palette,
            fonts=family.fonts,
            label=family.label,
            lines={"front": lines.front, "back": lines.back, "plain": ()}[picture],
            tilt=round(rng.uniform(-MAX_TILT, MAX_TILT), 2),
            seed=rng.getrandbits(31),
        )
        for position, picture in enumerate(show)
    )


def _shape(rng: Random, facts: Facts) -> str:
    """The shape that stands for a value; a type none of whose attributes decides the shape is its own shape."""
    shown = [attribute for attribute in facts.kind.attributes if attribute.shapes]
    return rng.choice(shown[0].shapes[facts.values[shown[0].name].name]) if shown else facts.kind.name
