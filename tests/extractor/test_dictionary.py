"""Counts of values, and what a page is told of them."""

import math

import pytest

from extractor.dictionary import Dictionary


def counted():
    answers = [("tea", "brand", "zen")] * 3 + [("soap", "brand", "zen"), ("tea", "flavor", "mint")]
    pages = [("tea", ["zen", "tea", "mint"])] * 4 + [("tea", ["mint"]), ("soap", ["zen"])]
    return Dictionary.count(answers, pages)


def test_a_string_is_known_by_its_counts_here_elsewhere_and_by_its_share_of_the_pages():
    [[brand, flavor]] = counted().features("tea", ["brand", "flavor"], ["zen"], None)

    assert brand.tolist() == pytest.approx([math.log(4), math.log(2), 3 / 5])
    assert flavor.tolist() == [0, 0, 0]


def test_a_page_that_was_counted_does_not_see_its_own_answer():
    [[brand, flavor]] = counted().features("tea", ["brand", "flavor"], ["mint"], {"flavor": "mint"})
    [[_, other]] = counted().features("tea", ["brand", "flavor"], ["mint"], {"brand": "mint"})

    assert brand.tolist() == flavor.tolist() == [0, 0, 0]
    assert other.tolist() == pytest.approx([math.log(2), 0, 1 / 5])


def test_what_is_no_value_of_anything_is_told_nothing_of():
    [[brand]] = counted().features("tea", ["brand"], ["tea"], None)

    assert brand.tolist() == [0, 0, 0]
    assert "tea" not in counted().held
