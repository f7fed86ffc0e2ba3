"""Counts, thresholds and comparisons, against MODELS 0.3 and brute-force twins."""

import numpy as np
import pytest

from extractor import metrics
from extractor.metrics import Counts, Outcome, Point


@pytest.mark.parametrize(
    ("gold", "said", "expected"),
    [
        ([], None, Outcome.NN),
        ([], "mint", Outcome.NV),
        (["mint"], None, Outcome.VN),
        (["mint", "peppermint"], "Peppermint", Outcome.VC),
        (["mint"], "mint tea", Outcome.VW),
        (["18 L"], "18l", Outcome.VC),  # letters and digits are words of their own
        (["1.5 L"], "15 L", Outcome.VW),
    ],
)
def test_an_answer_is_judged_by_its_words_not_by_its_spelling(gold, said, expected):
    assert metrics.outcome(gold, said) is expected


def test_the_rule_of_exact_strings_minds_the_case():
    assert metrics.outcome(["Mint"], "mint", metrics.same_string) is Outcome.VW
    assert metrics.outcome(["Mint"], "Mint", metrics.same_string) is Outcome.VC


def test_shares_follow_the_definitions_of_the_specification():
    counts = Counts(nn=3, nv=1, vn=2, vc=6, vw=3)

    assert counts.precision == 6 / 10
    assert counts.recall == 6 / 11
    assert counts.f1 == pytest.approx(2 * 0.6 * (6 / 11) / (0.6 + 6 / 11))
    assert counts.accuracy == 9 / 15
    assert counts.coverage == 10 / 15
    assert counts.unknown_recall == 3 / 4
    assert counts.unknown_precision == 3 / 5


def test_counting_outcomes_finds_each_kind():
    counts = Counts.of([Outcome.NN, Outcome.VC, Outcome.VC, Outcome.VW, Outcome.NV, Outcome.VN])

    assert counts == Counts(nn=1, nv=1, vn=1, vc=2, vw=1)
    assert counts.num == 6


def test_a_share_of_nothing_is_undefined_and_not_zero():
    silent = Counts(nn=2, vn=1)

    assert silent.precision is None
    assert silent.recall == 0.0


def test_macro_gives_each_group_one_vote_and_undefined_groups_none():
    assert metrics.macro([1.0, None, 0.5]) == 0.75
    assert metrics.macro([None]) is None


def test_equal_scores_are_one_point_of_the_curve():
    points = metrics.curve(np.array([0.9, 0.5, 0.5, 0.5]), np.array([True, False, True, True]), 4)

    assert points == [Point(0.9, 1.0, 0.25, 1), Point(0.5, 0.75, 0.75, 4)]


def test_the_order_of_equal_scores_changes_nothing():
    scores = np.array([0.5, 0.5, 0.5])

    first = metrics.curve(scores, np.array([True, False, False]), 3)
    second = metrics.curve(scores, np.array([False, False, True]), 3)

    assert first == second


def brute_force(scores, right, num_with_gold, target):
    """Try every threshold there is and keep the best recall that keeps the promise."""
    best = None
    for threshold in sorted(set(scores), reverse=True):
        passed = [ok for score, ok in zip(scores, right, strict=True) if score >= threshold]
        precision, recall = sum(passed) / len(passed), sum(passed) / num_with_gold
        if precision >= target and (best is None or recall > best.recall):
            best = Point(threshold, precision, recall, len(passed))
    return best


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("levels", [2, 5, 1000])  # many ties, some, hardly any
def test_recall_at_precision_equals_trying_every_threshold(seed, levels):
    rng = np.random.default_rng(seed)
    scores = rng.integers(levels, size=rng.integers(1, 40)) / levels
    right = rng.random(len(scores)) < 0.3 + 0.6 * scores
    num_with_gold = len(scores) + 3

    found = metrics.recall_at_precision(scores, right, num_with_gold, 0.75)

    assert found == brute_force(scores.tolist(), right.tolist(), num_with_gold, 0.75)


def test_no_threshold_reaches_a_target_that_the_surest_answer_misses():
    assert metrics.recall_at_precision(np.array([0.9, 0.8]), np.array([False, True]), 2, 0.9) is None


def test_nine_of_ten_reach_a_target_of_ninety_per_cent():
    point = metrics.recall_at_precision(np.full(10, 0.5), np.arange(10) != 3, 10, 0.9)

    assert point == Point(0.5, 0.9, 0.9, 10)


def test_a_threshold_from_elsewhere_lets_through_what_stands_at_or_above_it():
    scores, right = np.array([0.9, 0.7, 0.6]), np.array([True, False, True])

    assert metrics.at_threshold(scores, right, 4, 0.7) == Point(0.7, 0.5, 0.25, 2)
    assert metrics.at_threshold(scores, right, 4, 0.95) is None


def test_a_system_as_sure_as_it_is_right_has_no_calibration_error():
    confidences = np.array([0.25, 0.25, 0.25, 0.25, 1.0])

    assert metrics.expected_calibration_error(confidences, np.array([True, False, False, False, True])) == 0.0
    assert metrics.expected_calibration_error(confidences, np.array([True, True, True, True, True])) == pytest.approx(
        0.6
    )
    assert metrics.expected_calibration_error(np.array([]), np.array([], dtype=bool)) is None


def test_mcnemar_looks_at_the_cells_where_systems_differ():
    a = np.array([True] * 8 + [False] * 1 + [True] * 91)
    b = np.array([False] * 8 + [True] * 1 + [True] * 91)

    result = metrics.mcnemar(a, b)

    assert (result.only_a, result.only_b) == (8, 1)
    assert result.p == pytest.approx(2 * (1 + 9) / 2**9)


def test_twins_do_not_differ():
    same = np.array([True, False, True])

    assert metrics.mcnemar(same, same).p == 1.0


def test_the_bootstrap_interval_of_a_clear_lead_leaves_out_zero():
    better = [Counts(vc=3, vw=1)] * 40 + [Counts(vc=4)] * 40
    worse = [Counts(vc=2, vw=2)] * 40 + [Counts(vc=3, vw=1)] * 40

    interval = metrics.paired_bootstrap(better, worse, num_samples=300)

    assert interval.difference == pytest.approx(0.25)
    assert 0 < interval.low <= interval.difference <= interval.high


def test_the_bootstrap_interval_of_noise_holds_zero():
    rng = np.random.default_rng(0)
    a, b = ([Counts(vc=int(hit), vw=1 - int(hit)) for hit in rng.random(100) < 0.5] for _ in range(2))

    interval = metrics.paired_bootstrap(a, b, num_samples=300)

    assert interval.low < 0 < interval.high
