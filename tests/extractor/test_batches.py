"""Batches hold every product once and waste little on padding."""

from collections import Counter

import numpy as np
import pytest

from extractor import batches
from extractor.records import Box, Example, Picture, Token


def test_a_length_counts_the_words_of_every_text_and_picture():
    token = Token("TEA", 0.9, Box(0, 0, 1, 1))
    picture = Picture(position=0, image_hash="a", tokens=(token, token))
    example = Example(
        product_id="1", product_type="tea", title="green tea", bullets=("20 bags", ""), pictures=(picture,)
    )

    assert batches.length(example) == 1 + 2 + 2 + 2


def test_a_product_without_any_word_still_has_a_length():
    assert batches.length(Example(product_id="1", product_type="tea")) == 1


def test_batches_by_length_keep_both_limits_and_hold_every_product_once():
    lengths = [5, 1, 9, 3, 3, 2, 8, 1]

    found = batches.by_length(lengths, max_products=3, max_tokens=12)

    assert sorted(index for batch in found for index in batch) == list(range(8))
    assert all(len(batch) <= 3 for batch in found)
    assert all(len(batch) * max(lengths[index] for index in batch) <= 12 for batch in found)


def test_a_product_longer_than_the_budget_is_a_batch_of_its_own():
    assert batches.by_length([10_000, 2, 2], max_products=8, max_tokens=100) == [[1, 2], [0]]


def test_no_product_is_no_batch():
    assert batches.by_length([], max_products=8, max_tokens=100) == []


def epoch(lengths, groups, *, temperature=1.0, number=0):
    shares = None if temperature == 1 else batches.balanced(groups, temperature)
    return batches.of_epoch(lengths, shares, batch_products=4, seed=0, epoch=number)


def test_an_epoch_holds_every_product_once_in_batches_of_nearly_one_size():
    found = epoch(list(range(21)), ["tea"] * 21)

    assert sorted(index for batch in found for index in batch) == list(range(21))
    assert {len(batch) for batch in found} == {3, 4}


def test_epochs_differ_and_the_same_epoch_does_not():
    assert epoch(list(range(21)), ["tea"] * 21) == epoch(list(range(21)), ["tea"] * 21)
    assert epoch(list(range(21)), ["tea"] * 21) != epoch(list(range(21)), ["tea"] * 21, number=1)


def test_products_of_one_batch_are_of_like_length():
    lengths = [1, 100] * 32

    found = epoch(lengths, ["tea"] * 64)

    assert all(len({lengths[index] for index in batch}) == 1 for batch in found)


@pytest.mark.parametrize(("temperature", "least", "most"), [(1.0, 100, 100), (1e9, 400, 600)])
def test_a_high_temperature_draws_rare_product_types_as_often_as_others(temperature, least, most):
    groups = ["rare"] * 100 + ["common"] * 900

    drawn = Counter(groups[index] for batch in epoch([1] * 1000, groups, temperature=temperature) for index in batch)

    assert least <= drawn["rare"] <= most


def test_favoured_products_have_their_part_of_all_draws_and_keep_their_order_among_themselves():
    shares = batches.balanced(["a"] * 6 + ["b"] * 2, 2.0)
    members = np.array([True, False] * 4)

    favoured = batches.favoured(shares, members, 0.7)

    assert favoured[members].sum() == pytest.approx(0.7)
    assert favoured.sum() == pytest.approx(1.0)
    assert favoured[members] / shares[members] == pytest.approx(np.full(4, 0.7 / shares[members].sum()))


def test_without_favoured_products_or_without_others_nothing_changes():
    shares = batches.balanced(["a"] * 4, 1.0)

    for members in (np.zeros(4, np.bool_), np.ones(4, np.bool_)):
        assert batches.favoured(shares, members, 0.7).tolist() == shares.tolist()


def test_rows_of_a_batch_padded_to_its_longest_stay_within_the_limit_and_like_lengths_stand_together():
    lengths = [[50] * 10, [400], [50, 10], [], [390, 5]]

    found = batches.by_longest(lengths, max_products=8, max_tokens=1200)

    assert sorted(place for batch in found for place in batch) == [0, 1, 2, 3, 4]
    for batch in found:
        rows = [row for place in batch for row in lengths[place]]
        assert len(rows) * max(rows) <= 1200
    assert [1 in batch for batch in found if 0 in batch] == [False]
    assert batches.by_longest([[5000]], max_products=8, max_tokens=100) == [[0]]
    assert batches.by_longest([], max_products=8, max_tokens=100) == []
