"""What counts as drift, and what is chance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractor.drift import STILL, shift, shift_of_many

BINS = "abcdefgh"
SHARES = np.array([0.4, 0.2, 0.1, 0.1, 0.1, 0.05, 0.03, 0.02])
COUNTS = st.dictionaries(st.sampled_from(BINS), st.integers(0, 500))


def drawn(rng, n, shares=SHARES):
    return dict(zip(BINS, map(float, rng.multinomial(n, shares)), strict=True))


def test_batches_like_the_reference_alarm_as_seldom_as_promised():
    rng = np.random.default_rng(0)

    p_values = [shift(drawn(rng, 400), drawn(rng, 60)).p for _ in range(1_000)]

    assert 0.02 < np.mean(np.array(p_values) <= 0.05) < 0.08
    assert np.mean(np.array(p_values) <= 0.001) < 0.01


def test_small_batches_together_alarm_as_seldom_as_promised():
    rng = np.random.default_rng(1)
    expected = dict(zip(BINS, 80 * SHARES, strict=True))

    p_values = [shift_of_many(expected, drawn(rng, 80)).p for _ in range(1_000)]

    assert 0.02 < np.mean(np.array(p_values) <= 0.05) < 0.08


def test_a_batch_that_says_one_thing_is_seen_with_the_bin_that_moved():
    found = shift({"a": 40, "b": 30, "c": 30}, {"b": 40})

    assert found.distance == pytest.approx(0.7)
    assert (found.bin, found.before, found.now) == ("b", 0.3, 1.0)
    assert found.p < 1e-8


def test_a_batch_of_what_was_never_seen_is_seen():
    found = shift({"a": 100}, {"z": 40})

    assert (found.distance, found.before) == (1.0, 1.0)
    assert found.p < 1e-8


def test_many_values_that_each_stand_once_tell_nothing():
    """Brands of new products are new: that is no drift."""
    reference, batch = ({f"{side}{number}": 1 for number in range(50)} for side in "rb")

    assert shift(reference, batch).p == 1.0


@pytest.mark.parametrize(("reference", "batch"), [({}, {"a": 3}), ({"a": 3}, {}), ({"a": 3}, {"a": 3})])
def test_too_little_to_tell_is_no_drift(reference, batch):
    assert shift(reference, batch) == STILL
    assert shift_of_many(reference, batch) == STILL


@given(COUNTS, COUNTS)
def test_a_shift_is_a_share_and_a_chance_and_needs_no_order(reference, batch):
    found = shift(reference, batch)

    assert 0 <= found.distance <= 1
    assert 0 <= found.p <= 1
    assert found == shift(dict(reversed(reference.items())), dict(reversed(batch.items())))
    assert shift(reference, reference).distance == pytest.approx(0.0)
