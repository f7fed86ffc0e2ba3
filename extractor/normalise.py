"""Values as the catalogue writes them, by kind (options, yes and no, quantities, open text), and when two are one.

It runs after the model, in calibrate, publish and evaluate: changing a rule here never calls a model again.
"""

from collections.abc import Mapping
from typing import NamedTuple

from extractor import quantities
from extractor.errors import ContractError
from extractor.records import Definition
from extractor.text import key, keys
from schemas.enums import Kind

NORMALISER_VERSION = "1"
"""Raise it with every change of a rule: gates that were measured with another version stay shut."""

YES_NO = {"yes": ("y", "true"), "no": ("n", "false")}
"""What yes_no attributes answer, with its words; a definition's own options add theirs."""


class Normalised(NamedTuple):
    """A value as it may be published; None with a reason where it may not."""

    value: str | None
    key: str
    """Values of one attribute with equal keys are one value."""
    reason: str | None = None


class Normaliser:
    """The rules of one attribute: make it once, use it for many values."""

    def __init__(self, definition: Definition) -> None:
        options = definition.options
        if definition.kind == Kind.YES_NO:
            options = YES_NO if options is None else _with_yes_no(options)
        self.definition = definition
        self.closed = options is not None
        self._option_of = _by_alias(definition, options or {})
        self._sizes = [(option, quantities.parse(option)) for option in options or {}]

    def __call__(self, value: str) -> Normalised:
        """Write a value as the catalogue does."""
        if self.closed:
            option = self._option(value)
            reason = None if option is not None else f"{value!r} is none of the {len(self._sizes)} values allowed"
            return Normalised(option, plain(option or value), reason)
        if self.definition.kind == Kind.QUANTITY:
            quantity = quantities.parse(value)
            if quantity is None:
                return Normalised(None, plain(value), f"{value!r} is no number with a known unit")
            return Normalised(str(quantity), str(quantity))
        if not plain(value):
            return Normalised(None, key(value), f"{value!r} has no letter and no digit")
        return Normalised(_cased(" ".join(value.split())), plain(value))

    def same(self, one: str, other: str) -> bool:
        """Whether two values say the same of this attribute."""
        if self.definition.kind == Kind.QUANTITY and not self.closed:
            sizes = quantities.parse(one), quantities.parse(other)
            if sizes[0] is not None and sizes[1] is not None:
                return quantities.same(sizes[0], sizes[1])
        return self(one).key == self(other).key

    def _option(self, value: str) -> str | None:
        """The option that a value is, by name, alias or (quantities) size."""
        named = self._option_of.get(plain(value))
        size = quantities.parse(value) if self.definition.kind == Kind.QUANTITY else None
        if named is not None or size is None:
            return named
        sized = [option for option, other in self._sizes if other is not None and quantities.same(size, other)]
        return sized[0] if len(sized) == 1 else None


def normalise(definition: Definition, value: str) -> Normalised:
    """Write one value as the catalogue does; for many values make a Normaliser."""
    return Normaliser(definition)(value)


def same(definition: Definition, one: str, other: str) -> bool:
    """Whether two values of an attribute are one; for many values make a Normaliser."""
    return Normaliser(definition).same(one, other)


def plain(value: str) -> str:
    """What spellings of one value share: no case, no punctuation, no spaces but between numbers; empty for signs only.

    `Kellogg's` is `KELLOGGS` and `caffeine-free` is `Caffeine Free`, but `1.5` is not `15` and `2 50` is not `250`.
    """
    words = ["and" if word == "&" else word.replace("'", "") for word in keys(value)]
    words = [word for word in words if any(char.isalnum() for char in word) or word in "%+"]
    return (" " if any(char.isdigit() for char in value) else "").join(word for word in words if word)


def _with_yes_no(options: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """A definition's own options with the words that every yes_no attribute knows."""
    return {option: (*aliases, *YES_NO.get(key(option), ())) for option, aliases in options.items()}


def _by_alias(definition: Definition, options: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Every spelling of the options to its option; one that names two of them is the definition's mistake."""
    found: dict[str, str] = {}
    for option, aliases in options.items():
        for alias in (option, *aliases):
            if found.setdefault(plain(alias), option) != option:
                thing = f"definition of {definition.product_type}/{definition.attribute}, alias {alias!r}"
                raise ContractError(thing, f"options {found[plain(alias)]!r} and {option!r}", "one option")
    return found


def _cased(value: str) -> str:
    """Capitals of packs as a catalogue writes them: `ALBA BOTANICA` is `Alba Botanica`; `KFC` and `IR3535` stay."""
    words = value.split(" ")
    if not value.isupper() or (len(words) == 1 and sum(char.isalpha() for char in value) <= 3):
        return value
    return " ".join(word if any(char.isdigit() for char in word) else word.capitalize() for word in words)
