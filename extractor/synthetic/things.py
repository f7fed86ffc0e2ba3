"""What a drawn catalogue is made of: values with their wordings, product types, packs, products with the truth."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from extractor.records import Definition
from schemas.enums import Kind, Pictures

ANY_FORM = ""
"""The key of a pool for item forms that have none of their own."""


class Stands(StrEnum):
    """Where the page shows a value; the members are those of truth.stands."""

    TITLE = "title"
    BULLETS = "bullets"
    PACK = "pack"
    NOWHERE = "nowhere"
    """In no text: the drawing shows it."""
    UNKNOWN = "unknown"
    """The page does not show it."""


class Role(StrEnum):
    """What a line of a pack is for; decides its size and place."""

    BRAND = "brand"
    PRODUCT = "product"
    VARIANT = "variant"
    BADGE = "badge"
    NET = "net"
    CLAIM = "claim"
    FINE = "fine"


@dataclass(frozen=True)
class Value:
    """A value with the other words that pages and sellers have for it."""

    name: str
    wordings: tuple[str, ...] = ()
    printed: tuple[str, ...] = ()
    """How pages write it; empty where they write the name or a wording."""

    @property
    def on_pages(self) -> tuple[str, ...]:
        """The ways in which a page may write it."""
        return self.printed or (self.name, *self.wordings)

    @property
    def acceptable(self) -> tuple[str, ...]:
        """Every answer that is right, the name first."""
        return tuple(dict.fromkeys((self.name, *self.wordings, *self.printed)))


class Places(NamedTuple):
    """How often a value of an attribute stands where; the weights need not sum to one.

    What the drawing shows must have no `unknown`: the picture would contradict it.
    """

    title: float = 0.0
    bullets: float = 0.0
    pack: float = 0.0
    nowhere: float = 0.0
    unknown: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """An attribute of one product type, with all that drawing it needs."""

    name: str
    question: str
    role: Role
    places: Places
    values: tuple[Value, ...]
    """The pool; of brands, those that are more frequent than the many invented ones."""
    kind: Kind = Kind.TEXT
    closed: bool = False
    """The definition lists the values with their aliases."""
    pictures: Pictures = Pictures.ALL
    bullet: str = "{}"
    """The bullet point that states a value."""
    before_noun: bool = False
    """A title says it before the product's noun."""
    pools: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    """Which values go with which item form, under ANY_FORM those of all other forms; empty where all go with all."""
    shapes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Value to the pack shapes that show it; empty where the shape shows nothing."""
    colors: bool = False
    """The colour of the drawing shows the value."""

    def pool(self, form: str | None) -> tuple[Value, ...]:
        """The values that go with an item form (None: the type has no forms)."""
        return self.pools.get(form or ANY_FORM, self.pools.get(ANY_FORM, self.values))

    @property
    def drawn(self) -> bool:
        """The drawing shows the value, so it can be inferred from the main picture and is never unknown there."""
        return bool(self.shapes) or self.colors

    def definition(self, product_type: str) -> Definition:
        """The attribute as a user of the catalogue would define it."""
        return Definition(
            product_type=product_type,
            attribute=self.name,
            question=self.question,
            kind=self.kind,
            options={value.name: value.acceptable[1:] for value in self.values} if self.closed else None,
            inferable=self.drawn,
            pictures=self.pictures,
        )


@dataclass(frozen=True, kw_only=True)
class ProductType:
    """A product type: what it is called, what it has, what is said about it."""

    name: str
    nouns: tuple[str, ...]
    attributes: tuple[Attribute, ...]
    claims: tuple[str, ...]
    """Marketing of packs and titles that is no value."""
    fine_print: tuple[str, ...]
    """Ingredients, servings, storage: words and numbers that look like values."""
    bullets: tuple[str, ...]


class Line(NamedTuple):
    """A line of text on a pack."""

    text: str
    role: Role


@dataclass(frozen=True, kw_only=True)
class Pack:
    """All that one picture shows; the same pack is the same bytes."""

    picture_id: str
    shape: str
    color: str | None
    """Name of the body's colour where it is a value; else the palette decides."""
    palette: int
    fonts: int
    label: int
    """Which of the label designs."""
    lines: tuple[Line, ...]
    tilt: float
    """Degrees."""
    seed: int
    """Of the picture's noise, light and wear."""

    @property
    def path(self) -> str:
        """Path of the picture below the picture root; most are JPEG, as photographs are."""
        extension = "png" if self.seed % 12 == 0 else "jpg"
        return f"{self.picture_id[:4]}/{self.picture_id}.{extension}"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What is true of one (product, attribute), and what its seller says."""

    attribute: str
    values: tuple[str, ...]
    """Acceptable values; empty where the page does not show it."""
    stands: Stands
    seller: str | None
    """None where the catalogue has a hole."""


@dataclass(frozen=True, kw_only=True)
class Product:
    """A drawn product: its page, its packs and its truth."""

    product_id: str
    product_type: str
    locale: str
    family_id: str
    title: str | None
    bullets: tuple[str, ...]
    packs: tuple[Pack, ...]
    updated_at: datetime
    cells: tuple[Cell, ...]
