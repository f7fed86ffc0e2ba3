"""The promise of a gate: exact tests, in a fixed sequence, at a level that pays for every look."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom

from extractor import certificates
from extractor.certificates import Promise
from extractor.errors import ConfigError

shares = st.floats(0.5, 0.99)
small_levels = st.floats(0.01, 0.2)
verdicts = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=150)


@pytest.mark.parametrize(("target", "n"), [(0.90, 29), (0.95, 59), (0.98, 149), (0.99, 299)])
def test_so_many_error_free_audits_certify(target, n):
    assert certificates.error_free(target, 0.05) == n
    assert certificates.lower_bound(n, n, 0.05) >= target > certificates.lower_bound(n - 1, n - 1, 0.05)


@given(target=shares, level=small_levels)
def test_error_free_is_the_least_number_that_passes(target, level):
    n = certificates.error_free(target, level)

    assert certificates.p_value(n, n, target) <= level * (1 + 1e-9)
    assert certificates.p_value(n - 1, n - 1, target) > level


@given(n=st.integers(1, 400), share=st.floats(0, 1), level=small_levels, target=shares)
def test_bound_and_p_value_say_the_same(n, share, level, target):
    num_right = round(share * n)
    exact = beta.ppf(level, num_right, n - num_right + 1) if num_right else 0.0

    assert certificates.lower_bound(num_right, n, level) == pytest.approx(exact, abs=1e-6)
    if abs(exact - target) > 1e-6:
        assert (certificates.p_value(num_right, n, target) <= level) == (exact >= target)


@given(n=st.integers(1, 400), errors=st.integers(0, 20), more=st.integers(1, 200), level=small_levels)
def test_more_audits_without_errors_never_lower_a_bound(n, errors, more, level):
    errors = min(errors, n)
    for bound in (certificates.lower_bound, certificates.anytime_bound):
        assert bound(n + more - errors, n + more, level) >= bound(n - errors, n, level) - 1e-9


@given(n=st.integers(1, 600), share=st.floats(0.5, 1), target=shares, level=small_levels)
def test_what_holds_at_all_times_is_never_above_what_holds_once(n, share, target, level):
    num_right = round(share * n)
    bound = certificates.anytime_bound(num_right, n, level)

    assert bound <= certificates.lower_bound(num_right, n, level) + 1e-9
    if abs(bound - target) > 1e-6:
        assert (certificates.anytime_p(num_right, n, target) <= level) == (bound >= target)


def test_the_bet_is_fair_where_precision_is_the_target_and_loses_where_it_is_below():
    for precision, n in ((0.9, 40), (0.9, 400), (0.85, 40)):
        num_right = np.arange(n + 1)
        wealth = np.exp(certificates.log_wealth(num_right, n, 0.9))
        mean = float(np.sum(wealth * binom.pmf(num_right, n, precision)))

        assert mean == pytest.approx(1.0, abs=1e-6) if precision == 0.9 else mean < 0.9


def test_bets_are_a_supermartingale_step_by_step():
    for n, num_right in ((0, 0), (10, 9), (200, 150), (50, 50)):
        now, right, wrong = (
            math.exp(float(certificates.log_wealth(*counts, 0.9)))
            for counts in ((num_right, n), (num_right + 1, n + 1), (num_right, n + 1))
        )

        assert 0.9 * right + 0.1 * wrong == pytest.approx(now)


def test_a_true_precision_below_target_opens_seldom_however_often_one_looks():
    rng = np.random.default_rng(0)
    right = np.cumsum(rng.random((2_000, 1_000)) < 0.899, axis=1)
    wealth = certificates.log_wealth(right, np.arange(1, 1_001), 0.9)

    ever = (wealth >= math.log(20)).any(axis=1).mean()

    assert ever <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 2_000)
    assert ever > 0.005  # a test that never opens would keep any promise


def test_attempts_together_spend_delta():
    spent = [certificates.attempt_level(0.05, attempt) for attempt in range(1, 10_000)]

    assert spent[0] == 0.025
    assert 0.0499 < sum(spent) < 0.05


def test_the_sequence_stops_at_the_first_threshold_that_fails():
    # 60 right above .9; then 20 with 10 errors; then 400 right, which nobody looks at any more.
    scores = np.repeat([0.95, 0.8, 0.5], [60, 20, 400])
    right = np.repeat([True, True, False, True], [60, 10, 10, 400])

    found = certificates.certify(scores, right, (0.9, 0.7, 0.4), target=0.95, level=0.05)

    assert (found.threshold, found.n, found.errors) == (0.9, 60, 0)
    assert [test.threshold for test in found.tests] == [0.9, 0.7]
    assert found.bound == pytest.approx(0.05 ** (1 / 60))


def test_a_second_start_affords_errors_that_a_strict_threshold_does_not():
    # One error among the 60 surest, none among the 400 after them.
    scores = np.repeat([0.95, 0.94, 0.5], [59, 1, 400])
    right = np.repeat([True, False, True], [59, 1, 400])
    thresholds = (0.9, 0.7, 0.4)

    alone = certificates.certify(scores, right, thresholds, target=0.95, level=0.05)
    twice = certificates.certify(scores, right, thresholds, target=0.95, level=0.05, starts=2)

    assert alone.threshold is None
    assert (twice.threshold, twice.n, twice.errors, twice.level) == (0.4, 460, 1, 0.025)


def test_a_gate_whose_strictest_threshold_fails_stays_shut_and_says_by_how_much():
    found = certificates.certify([0.9] * 100, [True] * 90 + [False] * 10, (0.9,), target=0.95, level=0.05)

    assert found.threshold is None
    assert (found.n, found.errors) == (100, 10)
    assert found.bound < 0.95


def test_without_thresholds_nothing_is_tested():
    found = certificates.certify([0.9], [True], (), target=0.95, level=0.05)

    assert (found.threshold, found.tests, found.bound) == (None, (), 0.0)


@settings(max_examples=50)
@given(audited=verdicts, target=st.floats(0.5, 0.9), stricter=st.floats(0.0, 0.09), seed=st.integers(0, 9))
def test_order_changes_nothing_and_a_stricter_target_never_opens_wider(audited, target, stricter, seed):
    scores, right = (np.array(column) for column in zip(*audited, strict=True))
    thresholds = certificates.candidates(scores, audits=len(scores), target=target, level=0.1)
    found = certificates.certify(scores, right, thresholds, target=target, level=0.1)

    order = np.random.default_rng(seed).permutation(len(scores))
    again = certificates.certify(scores[order], right[order], thresholds, target=target, level=0.1)
    strict = certificates.certify(scores, right, thresholds, target=target + stricter, level=0.1)

    assert again == found
    if strict.threshold is not None:
        assert found.threshold is not None
        assert strict.threshold >= found.threshold


@given(size=st.integers(1, 2_000), audits=st.integers(1, 400), distinct=st.integers(1, 50), seed=st.integers(0, 9))
def test_candidates_run_from_one_that_can_pass_to_one_that_lets_all_through(size, audits, distinct, seed):
    scores = np.random.default_rng(seed).integers(0, distinct, size) / distinct

    found = certificates.candidates(scores, audits=audits, target=0.9, level=0.05)

    if audits < 29:
        assert found == ()
        return
    assert list(found) == sorted(set(found), reverse=True)
    assert found[-1] == scores.min()
    assert len(found) <= certificates.MOST_CANDIDATES
    share = float((scores >= found[0]).mean())
    assert share == 1.0 or binom.sf(28, audits, share) >= certificates.ENOUGH - 1e-6


def test_levels_of_the_three_promises():
    first = [0.001, 0.012, 0.2, 0.9]

    assert certificates.levels(first, Promise.PER_GATE, 0.05) == [0.05] * 4
    assert certificates.levels(first, Promise.FAMILY_WISE, 0.05) == [0.0125] * 4
    assert certificates.levels(first, Promise.FALSE_DISCOVERY, 0.05) == [0.025, 0.025, 0.0, 0.0]
    assert certificates.levels([], Promise.FALSE_DISCOVERY, 0.05) == []


@pytest.mark.parametrize(("target", "delta"), [(0.0, 0.05), (1.0, 0.05), (0.9, 0.0), (0.9, 1.0), (1.2, 0.05)])
def test_a_promise_that_nothing_can_prove_is_refused(target, delta):
    with pytest.raises(ConfigError, match="between 0 and 1"):
        certificates.error_free(target, delta)


def test_a_certificate_that_is_deserved_is_lost_seldom_and_another_one_soon():
    rng = np.random.default_rng(5)
    n = np.arange(1, 731)

    def lost(precision):
        right = rng.random((400, len(n))) < precision
        wealth = certificates.log_wealth(n - right.cumsum(axis=1), n, 0.05, certificates.LOSS_PRIOR)
        return (-wealth <= math.log(0.05)).cumsum(axis=1) > 0

    assert lost(0.95)[:, -1].mean() <= 0.05
    bad = lost(0.80)
    assert bad[:, -1].mean() > 0.99
    assert np.median(bad.argmax(axis=1)) < 60
    assert certificates.lost_p([True] * 40 + [False] * 20, 0.95) < 1e-6
    assert certificates.lost_p([True] * 57 + [False] * 3, 0.95) > 0.5
    once = certificates.lost_p([False] * 4, 0.95)
    assert certificates.lost_p([False] * 4 + [True] * 500, 0.95) == once < 0.01  # lost is lost
    assert certificates.lost_p([], 0.95) == 1.0


@pytest.mark.parametrize(("precision", "least", "most"), [(0.88, 0.95, 1.0), (0.967, 0.0, 0.1)])
def test_a_catalogue_that_repeats_errors_is_refused_and_an_honest_one_kept(precision, least, most):
    rng = np.random.default_rng(2)

    refused = [
        certificates.agreement_p(rng.binomial(500, 0.967), 500, rng.binomial(100, precision), 100) <= 0.1
        for _ in range(500)
    ]

    assert least <= np.mean(refused) <= most


def test_without_audits_or_without_agreement_nothing_can_be_said():
    assert certificates.agreement_p(290, 300, 0, 0) == 1.0
    assert certificates.agreement_p(0, 0, 50, 100) == 1.0
