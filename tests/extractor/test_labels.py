"""Distant supervision: merging sellers' spellings, finding them on the page, marking what is not to be learnt."""

import pytest

from extractor.errors import ConfigError
from extractor.labels import Config, Merged, label, merge, page, split_of
from extractor.records import Definition
from schemas.enums import Kind, Pictures, Reach, Split

BRAND = Definition(product_type="tea", attribute="brand", question="Which brand is it?")
SIZE = Definition(product_type="tea", attribute="net_content", question="How much is in it?", kind=Kind.QUANTITY)
DECAF = Definition(product_type="tea", attribute="decaf", question="Is it decaf?", kind=Kind.YES_NO)
FORM = Definition(
    product_type="bug spray",
    attribute="item_form",
    question="Which form does it have?",
    options={"spray": ("aerosol", "mist"), "wipe": (), "none": ()},
    inferable=True,
)


def known(value: str, *, count: int = 9, in_vocabulary: bool = True) -> Merged:
    return Merged(value, count, in_vocabulary)


# --- merging -------------------------------------------------------------------------------------------------------


def test_spellings_that_differ_in_case_and_punctuation_take_the_most_frequent_name():
    merged = merge({"COCA COLA": 2, "Coca-Cola": 7, "coca cola": 0, "Fanta": 5}, BRAND, Config())

    assert {raw: value.value for raw, value in merged.items()} == {
        "COCA COLA": "Coca-Cola",
        "Coca-Cola": "Coca-Cola",
        "coca cola": "Coca-Cola",
        "Fanta": "Fanta",
    }
    assert merged["coca cola"].num_products == 9


def test_a_rare_spelling_is_merged_into_a_similar_one_that_is_much_more_frequent():
    merged = merge({"Alba Botanica": 10, "Alba Botanca": 1}, BRAND, Config())

    assert merged["Alba Botanca"] == Merged("Alba Botanica", 11, True)


def test_two_similar_spellings_of_like_frequency_stay_two_values():
    merged = merge({"Alba Botanica": 4, "Alba Botanicas": 3}, BRAND, Config())

    assert merged["Alba Botanicas"].value == "Alba Botanicas"


def test_values_with_other_numbers_are_never_merged_however_similar():
    merged = merge({"vitamin formula 1000 mg": 50, "vitamin formula 100 mg": 1}, SIZE, Config())

    assert merged["vitamin formula 100 mg"].value == "vitamin formula 100 mg"


def test_one_quantity_in_three_spellings_is_one_value():
    merged = merge({"18 L": 5, "18l": 2, "18 litres": 1, "1.8 l": 3}, SIZE, Config())

    assert [merged[raw].value for raw in ("18 L", "18l", "18 litres", "1.8 l")] == ["18 L", "18 L", "18 L", "1.8 l"]


def test_an_alias_takes_the_name_of_its_option_and_a_foreign_value_is_marked():
    merged = merge({"Aerosol": 3, "SPRAY": 1, "tower": 1}, FORM, Config())

    assert (merged["Aerosol"].value, merged["SPRAY"].value) == ("spray", "spray")
    assert merged["tower"].problem == "'tower' is none of the options"


@pytest.mark.parametrize("raw", ["n/a", "N/A", " Unknown ", "-", "", "not applicable"])
def test_words_for_no_value_become_unknown(raw):
    merged = merge({raw: 3}, BRAND, Config())

    assert merged[raw].value is None


def test_a_word_for_no_value_that_is_an_option_is_a_value():
    merged = merge({"None": 3}, FORM, Config())

    assert merged["None"].value == "none"


def test_the_vocabulary_holds_a_value_when_enough_training_products_share_each_word():
    merged = merge({"blue mint": 2, "mint": 1, "red mint": 1, "unseen mint": 0}, BRAND, Config())

    assert {raw: value.in_vocabulary for raw, value in merged.items()} == {
        "blue mint": True,
        "mint": True,
        "red mint": False,
        "unseen mint": False,
    }


# --- the page ------------------------------------------------------------------------------------------------------


def test_the_label_takes_the_spelling_of_the_page_and_names_every_place():
    places = page("COCA-COLA zero", ["by Coca Cola"], [["coca", "cola"]])

    found = label("coca cola", known("coca cola"), places, BRAND, Config())

    assert found.value == "COCA-COLA"
    assert found.reach == (Reach.TITLE, Reach.BULLETS, Reach.OCR, Reach.VOCABULARY)
    assert found.kept


def test_a_word_within_another_word_is_not_found():
    places = page("grapefruit tea", [], [])

    found = label("grape", known("grape", in_vocabulary=False), places, BRAND, Config())

    assert found.reach == (Reach.NOWHERE,)


def test_a_value_over_two_ocr_tokens_is_found_as_written():
    found = label("18l", known("18 l"), page(None, [], [["net", "18", "L", "x"]]), SIZE, Config())

    assert (found.value, found.reach) == ("18 L", (Reach.OCR, Reach.VOCABULARY))


def test_the_sellers_own_slip_is_learnt_where_only_it_is_printed():
    found = label("Alba Botanca", known("Alba Botanica"), page("alba botanca cream", [], []), BRAND, Config())

    assert found.value == "alba botanca"


def test_a_closed_value_is_learnt_as_the_alias_that_the_page_prints():
    found = label("spray", known("spray"), page("Insect Aerosol", [], []), FORM, Config())

    assert (found.value, found.reach) == ("Aerosol", (Reach.TITLE, Reach.VOCABULARY))


def test_a_closed_value_that_no_text_shows_keeps_its_options_name():
    found = label("aerosol", known("spray"), page("Insect away", [], []), FORM, Config(keep_unprinted=True))

    assert (found.value, found.reach) == ("spray", (Reach.VOCABULARY,))


def test_words_that_stand_in_two_places_reach_the_value_between_them():
    places = page("Alba lotion", [], [["botanica"]])

    found = label("Alba Botanica", known("Alba Botanica", in_vocabulary=False), places, BRAND, Config())

    assert (found.value, found.kept, found.reach) == ("Alba Botanica", True, (Reach.TITLE, Reach.OCR))


def test_an_attribute_of_the_main_picture_is_not_found_on_the_second():
    main_only = Definition(product_type="tea", attribute="brand", question="?", pictures=Pictures.MAIN)
    places = page(None, [], [["tea"], ["Alba"]])

    found = {
        definition.pictures: label("Alba", known("Alba", in_vocabulary=False), places, definition, Config()).reach
        for definition in (main_only, BRAND)
    }

    assert found == {Pictures.MAIN: (Reach.NOWHERE,), Pictures.ALL: (Reach.OCR,)}


def test_a_no_on_the_page_does_not_answer_a_yes_no_attribute():
    found = label("no", known("no"), page("no sugar added", [], []), DECAF, Config())

    assert (found.reach, found.kept) == ((Reach.VOCABULARY,), True)


def test_unknown_is_kept_and_reaches_nothing():
    found = label("n/a", Merged(None, 0, True), page("tea", [], []), BRAND, Config())

    assert (found.value, found.kept, found.reach) == (None, True, ())


# --- what is not learnt --------------------------------------------------------------------------------------------


def test_a_value_that_stands_nowhere_is_marked_and_keeps_its_value():
    found = label("Alba", known("Alba", in_vocabulary=False), page("green tea", [], []), BRAND, Config())

    assert (found.value, found.kept, found.reason) == ("Alba", False, "neither the page nor the vocabulary holds it")


def test_a_rare_value_is_trimmed_where_no_text_shows_it():
    config = Config(min_count=2, keep_unprinted=True)

    found = label("Alba", known("Alba", count=1), page("green tea", [], []), BRAND, config)

    assert found.reason == "printed nowhere and rare: 1 training products, at least 2 needed"


def test_a_rare_value_that_is_printed_is_learnt():
    found = label("Alba", known("Alba", count=1), page("alba tea", [], []), BRAND, Config(min_count=2))

    assert found.kept


@pytest.mark.parametrize(("keep_unprinted", "kept"), [(True, True), (False, False)])
def test_an_unprinted_value_of_an_attribute_that_may_not_be_inferred_follows_the_switch(keep_unprinted, kept):
    found = label("Alba", known("Alba"), page("green tea", [], []), BRAND, Config(keep_unprinted=keep_unprinted))

    assert found.kept is kept


def test_a_value_that_is_no_option_is_not_learnt_even_where_it_is_printed():
    merged = merge({"tower": 9}, FORM, Config())["tower"]

    found = label("tower", merged, page("tower fan", [], []), FORM, Config())

    assert (found.kept, found.reason) == (False, "'tower' is none of the options")


# --- the split -----------------------------------------------------------------------------------------------------


def test_families_are_split_in_the_given_shares_and_for_ever():
    config = Config(train=0.5, validation=0.1, calibration=0.2, test=0.2)

    splits = [split_of(f"family-{number}", config) for number in range(5000)]

    shares = {split: splits.count(split) / len(splits) for split in Split}
    assert shares == pytest.approx(
        {Split.TRAIN: 0.5, Split.VALIDATION: 0.1, Split.CALIBRATION: 0.2, Split.TEST: 0.2}, abs=0.02
    )
    assert [split_of(f"family-{number}", config) for number in range(3)] == splits[:3]


def test_another_salt_is_another_split():
    families = [f"family-{number}" for number in range(100)]

    splits = [[split_of(family, Config(salt=salt)) for family in families] for salt in ("a", "b")]

    assert splits[0] != splits[1]


def test_shares_that_do_not_make_one_are_refused():
    with pytest.raises(ConfigError, match=r"train \+ validation.*found 1\.3"):
        Config(train=0.9)
