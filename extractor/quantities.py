"""Quantities of products: a number with a unit, perhaps in a multipack (`1,5 l`, `16.9 fl oz`, `2 x 50 g`, `64 loads`).

The words of a unit are a list of ours, since packs shout (`500 ML`, which pint reads as megalitres) and OCR stumbles;
pint knows what the units are worth. What is not on the list is no quantity: a guess would be published.
"""

import re
from decimal import Decimal
from functools import cache
from typing import NamedTuple

import pint

from extractor.text import key

METRIC = {
    "mg": ("milligram", "mg milligram milligrams"),
    "g": ("gram", "g gr gram grams gramme grammes"),
    "kg": ("kilogram", "kg kgs kilo kilos kilogram kilograms"),
    "ml": ("milliliter", "ml millilitre millilitres milliliter milliliters"),
    "cl": ("centiliter", "cl centilitre centilitres centiliter centiliters"),
    "dl": ("deciliter", "dl decilitre decilitres deciliter deciliters"),
    "L": ("liter", "l ltr litre litres liter liters"),
    "mm": ("millimeter", "mm millimetre millimetres millimeter millimeters"),
    "cm": ("centimeter", "cm centimetre centimetres centimeter centimeters"),
    "m": ("meter", "m metre metres meter meters"),
}
CUSTOMARY = {
    "oz": ("ounce", "oz ounce ounces"),
    "lb": ("pound", "lb lbs pound pounds"),
    "fl oz": ("fluid_ounce", "floz fluidounce fluidounces"),
    "pt": ("pint", "pt pint pints"),
    "qt": ("quart", "qt quart quarts"),
    "gal": ("gallon", "gal gallon gallons"),
    "in": ("inch", 'in inch inches "'),
    "ft": ("foot", "ft foot feet"),
    "yd": ("yard", "yd yard yards"),
}
OTHER = {
    "%": ("percent", "% percent"),
    "W": ("watt", "w watt watts"),
    "V": ("volt", "v volt volts"),
    "mAh": ("milliampere_hour", "mah"),
    "GB": ("gigabyte", "gb gigabyte gigabytes"),
    "TB": ("terabyte", "tb terabyte terabytes"),
}
COUNTED = {
    "count": "count counts ct pc pcs piece pieces unit units",
    "loads": "load loads wash washes",
    "tablets": "tablet tablets",
    "capsules": "capsule capsules",
    "bags": "bag bags teabag teabags",
    "pods": "pod pods",
    "sheets": "sheet sheets",
    "wipes": "wipe wipes",
    "rolls": "roll rolls",
    "sticks": "stick sticks",
    "bars": "bar bars",
    "packs": "pack packs",
    "servings": "serving servings",
    "cups": "cup cups",
    "pairs": "pair pairs",
}
"""What is counted, with its words; loads are no capsules, so each is a unit of its own."""
MISREAD = {"0z": "oz", "ib": "lb", "ibs": "lb", "1b": "lb", "1bs": "lb", "m1": "ml", "fi0z": "fl oz", "fioz": "fl oz"}
"""What OCR makes of units, where nothing else can be meant. Digits are never mended: `181` may be 18 l, or 181."""

EXACT = 1e-6
"""Relative difference of equal quantities within one system of units: rounding of floats only."""
CLOSE = 0.01
"""Relative difference that conversion between metric and customary units may leave, whatever is printed."""
ROUNDED = 0.05
"""The same where converting and rounding to the printed decimals explains it: 40 ml is printed as 1.4 fl oz."""


class Quantity(NamedTuple):
    """`packs` times `number` of `unit`; the unit is one of the lists above."""

    packs: int
    number: Decimal
    unit: str

    def __str__(self) -> str:
        amount = f"{self.number.normalize():f} {self.unit}"
        return amount if self.packs == 1 else f"{self.packs} x {amount}"


_NUMBER = r"\d+(?:[.,]\d+)*"
_QUANTITY = re.compile(rf"(?:(\d{{1,3}})\s*[x\u00d7*]\s*)?({_NUMBER})\s*-?\s*([a-z%\"0-9][a-z%\". 0-9]*)")


def parse(text: str) -> Quantity | None:
    """The quantity that a text is, from its first to its last character; None where it is none."""
    match = _QUANTITY.fullmatch(key(text))
    if match is None:
        return None
    packs, number, unit = match.groups()
    amount = _decimal(number)
    name = _spellings().get(re.sub(r"[. ]", "", unit))
    if amount is None or name is None or amount == 0 or packs == "0":
        return None
    return Quantity(int(packs or 1), amount, name)


def same(one: Quantity, other: Quantity) -> bool:
    """Whether two quantities are one; the number of packs must agree, units are converted."""
    (size_one, kind_one), (size_other, kind_other) = _worth(one.unit), _worth(other.unit)
    if one.packs != other.packs or kind_one != kind_other:
        return False
    magnitudes = float(one.number) * size_one, float(other.number) * size_other
    apart = abs(magnitudes[0] - magnitudes[1]) / max(magnitudes)
    if (one.unit in METRIC) == (other.unit in METRIC):
        return apart <= EXACT
    rounds = _rounds_to(magnitudes[0] / size_other, other.number) or _rounds_to(magnitudes[1] / size_one, one.number)
    return apart <= CLOSE or (rounds and apart <= ROUNDED)


def _rounds_to(value: float, printed: Decimal) -> bool:
    """Whether a value, rounded to as many decimals as are printed, is what is printed."""
    exponent = printed.as_tuple().exponent
    assert isinstance(exponent, int)  # a parsed number is finite
    return abs(value - float(printed)) <= 0.5 * 10.0**exponent * (1 + EXACT)


def _decimal(number: str) -> Decimal | None:
    """Read `1.5`, `1,5`, `1,000`, `1.000,5`; a comma before just three digits parts thousands, a point does not."""
    points, commas = number.count("."), number.count(",")
    if points and commas:
        mark = max(".,", key=number.rfind)
    elif commas == 1:
        mark = "." if re.fullmatch(r"[1-9]\d{0,2},\d{3}", number) else ","
    else:
        mark = "." if commas or points < 2 else ","
    whole, _, part = number.partition(mark)
    thousands = "," if mark == "." else "."
    if mark in part or thousands in part or not re.fullmatch(rf"\d+|\d{{1,3}}(?:\{thousands}\d{{3}})+", whole):
        return None
    return Decimal(f"{whole.replace(thousands, '')}.{part}" if part else whole.replace(thousands, ""))


@cache
def _spellings() -> dict[str, str]:
    """Every spelling of a unit, without points and spaces, to the unit."""
    measured = {
        word: unit
        for units in (METRIC, CUSTOMARY, OTHER)
        for unit, (_, words) in units.items()
        for word in words.split()
    }
    return MISREAD | measured | {word: unit for unit, words in COUNTED.items() for word in words.split()}


@cache
def _worth(unit: str) -> tuple[float, str]:
    """What one unit is worth in base units, and the dimension that it measures."""
    if unit in COUNTED:
        return 1.0, unit
    name, _ = (METRIC | CUSTOMARY | OTHER)[unit]
    base = _registry().Quantity(1.0, name).to_base_units()
    return float(base.magnitude), str(base.dimensionality)


@cache
def _registry() -> "pint.UnitRegistry[float]":
    """Pint's units; loading them takes a second, so only those pay who convert."""
    return pint.UnitRegistry()
