"""Reading quantities, and when two of them are one."""

from decimal import Decimal

import pytest

from extractor import quantities
from extractor.quantities import Quantity


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("18l", "18 L"),
        ("18 L", "18 L"),
        ("1,5 l", "1.5 L"),
        ("0,330 l", "0.33 L"),
        ("1,000 g", "1000 g"),
        ("1.000,5 g", "1000.5 g"),
        ("16.9 fl oz", "16.9 fl oz"),
        ("16.9 FL. OZ.", "16.9 fl oz"),
        ("500 ML", "500 ml"),
        ("2 x 50 g", "2 x 50 g"),
        ("2X50G", "2 x 50 g"),
        ("64 loads", "64 loads"),
        ("64loads", "64 loads"),
        ("32 washes", "32 loads"),
        ("100 ct", "100 count"),
        ("12 0z", "12 oz"),
        ("5 Ib", "5 lb"),
        ("12-ounce", "12 oz"),
    ],
)
def test_a_number_with_a_known_unit_is_a_quantity(text, written):
    found = quantities.parse(text)

    assert str(found) == written


@pytest.mark.parametrize(
    "text",
    [
        "181",
        "18 1",
        "l8 L",
        "50",
        "g",
        "",
        "18 blorps",
        "5-10 kg",
        "about 5 kg",
        "0 g",
        "0 x 50 g",
        "1,00,0 g",
        "1.2.3 g",
    ],
)
def test_what_is_no_number_with_a_known_unit_is_no_quantity(text):
    assert quantities.parse(text) is None


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("1 kg", "1000 g", True),
        ("1 kg", "1001 g", False),
        ("1 lb", "16 oz", True),
        ("500 ml", "16.9 fl oz", True),
        ("500 ml", "16.2 fl oz", False),
        ("40 ml", "1.4 fl oz", True),  # 3.5 % off, but 40 ml rounds to it
        ("75 g", "2.6 oz", True),
        ("80 g", "2.6 oz", False),
        ("1 kg", "2 lb", False),  # rounds to it, but 10 % off
        ("100 g", "100 ml", False),
        ("2 x 50 g", "2 x 0.05 kg", True),
        ("2 x 50 g", "100 g", False),
        ("64 loads", "64 washes", True),
        ("64 loads", "64 count", False),
    ],
)
def test_quantities_are_one_when_their_converted_sizes_are(one, other, expected):
    first, second = quantities.parse(one), quantities.parse(other)
    assert first is not None
    assert second is not None

    found = quantities.same(first, second), quantities.same(second, first)

    assert found == (expected, expected)


def test_every_unit_is_worth_something_and_no_word_names_two_units():
    lists = [quantities.METRIC, quantities.CUSTOMARY, quantities.OTHER]
    words = [word for units in lists for _, spelled in units.values() for word in spelled.split()]
    words += [word for spelled in quantities.COUNTED.values() for word in spelled.split()]

    units = {quantities.parse(f"7 {word}") for word in words}

    assert None not in units
    assert len(words) == len(set(words))
    assert all(quantities.same(unit, unit) for unit in units if unit is not None)


def test_a_quantity_is_written_without_an_exponent():
    assert str(Quantity(1, Decimal("1E+3"), "g")) == "1000 g"
