"""Values as the catalogue writes them."""

import pytest

from extractor.errors import ContractError
from extractor.normalise import Normalised, normalise, plain, same
from extractor.records import Definition
from schemas.enums import Kind

FORM = Definition(
    product_type="sunscreen",
    attribute="item_form",
    question="Which form?",
    options={"lotion": ("milk",), "spray": ("mist", "aerosol spray")},
)
BRAND = Definition(product_type="tea", attribute="brand", question="Which brand?")
CONTENT = Definition(product_type="tea", attribute="net_content", question="How much?", kind=Kind.QUANTITY)
CAFFEINE = Definition(
    product_type="tea",
    attribute="caffeine",
    question="Does it contain caffeine?",
    kind=Kind.YES_NO,
    options={"yes": ("caffeinated",), "no": ("caffeine free", "decaf")},
)
ORGANIC = Definition(product_type="tea", attribute="organic", question="Is it organic?", kind=Kind.YES_NO)
SIZE = Definition(
    product_type="tea", attribute="size", question="Which size?", kind=Kind.QUANTITY, options={"75 g": (), "100 g": ()}
)


@pytest.mark.parametrize(
    ("definition", "value", "expected"),
    [
        (FORM, "Spray", "spray"),
        (FORM, "MIST", "spray"),
        (FORM, "aerosol-spray", "spray"),
        (CAFFEINE, "Caffeine-Free", "no"),
        (CAFFEINE, "caffeinated", "yes"),
        (CAFFEINE, "Y", "yes"),
        (ORGANIC, "TRUE", "yes"),
        (ORGANIC, "no", "no"),
        (SIZE, "75grams", "75 g"),
        (SIZE, "2.6 oz", "75 g"),
        (CONTENT, "75grams", "75 g"),
        (CONTENT, "2.6 oz", "2.6 oz"),
        (BRAND, "ALBA  BOTANICA ", "Alba Botanica"),
        (BRAND, "tea.o.graphy", "tea.o.graphy"),
        (BRAND, "KFC", "KFC"),
        (BRAND, "MAX IR3535", "Max IR3535"),
        (BRAND, "KELLOGG'S", "Kellogg's"),
    ],
)
def test_a_value_is_written_as_the_catalogue_writes_it(definition, value, expected):
    found = normalise(definition, value)

    assert found.value == expected
    assert found.reason is None


@pytest.mark.parametrize(
    ("definition", "value", "named"),
    [
        (FORM, "candle", "'candle' is none of the 2 values allowed"),
        (CAFFEINE, "maybe", "'maybe' is none of the 2 values allowed"),
        (ORGANIC, "100 %", "'100 %' is none of the 2 values allowed"),
        (SIZE, "90 g", "'90 g' is none of the 2 values allowed"),
        (CONTENT, "181", "'181' is no number with a known unit"),
        (BRAND, "...", "'...' has no letter and no digit"),
    ],
)
def test_what_may_not_be_published_has_no_value_and_a_reason(definition, value, named):
    found = normalise(definition, value)

    assert found.value is None
    assert found.reason == named


@pytest.mark.parametrize(
    ("definition", "one", "other", "expected"),
    [
        (BRAND, "Kellogg's", "KELLOGGS", True),
        (BRAND, "Kettle & Co", "kettle and co", True),
        (BRAND, "Harbor Lane", "Harbour Lane", False),
        (BRAND, "...", "!!!", False),
        (FORM, "mist", "spray", True),
        (FORM, "milk", "spray", False),
        (FORM, "candle", "Candle", True),
        (CONTENT, "75 g", "2.6 oz", True),
        (CONTENT, "75 g", "26 oz", False),
        (CONTENT, "a lot", "A LOT", True),
        (SIZE, "75 g", "2.6 oz", True),
        (CAFFEINE, "decaf", "No", True),
        (CAFFEINE, "decaf", "Yes", False),
    ],
)
def test_two_values_are_one_when_they_say_the_same(definition, one, other, expected):
    assert same(definition, one, other) is expected
    assert same(definition, other, one) is expected


@pytest.mark.parametrize(("one", "other"), [("1.5", "15"), ("2 50", "250"), ("50%", "50"), ("", "a")])
def test_what_differs_in_numbers_stays_apart(one, other):
    assert plain(one) != plain(other)


def test_an_alias_of_two_options_is_the_definitions_mistake():
    twice = Definition(
        product_type="tea", attribute="form", question="?", options={"bag": ("pouch",), "sack": ("Pouch",)}
    )

    with pytest.raises(ContractError, match="tea/form, alias 'Pouch': found options 'bag' and 'sack'"):
        normalise(twice, "bag")


@pytest.mark.parametrize(
    "value", ["Alba Botanica", "spray", "75 g", "Caffeine Free", "\u05e9\u05dc\u05d5\u05dd", "\U0001f600 Ok"]
)
def test_writing_a_value_twice_changes_nothing(value):
    once = normalise(BRAND, value)

    assert once.value is not None
    assert normalise(BRAND, once.value) == Normalised(once.value, once.key)
