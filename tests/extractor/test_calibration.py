"""Confidences and thresholds."""

import numpy as np
import pytest
from scipy.special import expit, logit

from extractor import calibration
from extractor.calibration import Calibrator, Threshold
from extractor.errors import ContractError


def judged(rng, num, *, accuracy, noise=0.0):
    """Answers of a model that is surer where it is right: scores, what is true, what a noisy seller says."""
    right = rng.random(num) < accuracy
    scores = expit(rng.normal(np.where(right, 2.5, 1.0), 1.3))
    return scores, right, right & (rng.random(num) >= noise)


def test_the_pooled_curve_finds_the_probability_of_being_right():
    rng = np.random.default_rng(0)
    scores = expit(rng.normal(1.0, 2.0, 20_000))
    right = rng.random(20_000) < expit(0.5 * logit(scores) - 0.3)

    found = calibration.fit(scores, right)

    assert found.slope == pytest.approx(0.5, abs=0.04)
    assert found.intercept == pytest.approx(-0.3, abs=0.06)


def test_the_curve_never_falls_when_surer_answers_are_worse():
    scores = np.linspace(0.1, 0.9, 50)

    found = calibration.fit(scores, scores < 0.5)

    assert found.slope == 0.0


def test_answers_that_are_all_right_are_not_certain():
    scores = np.full(30, 0.99)

    [confidence] = calibration.fit(scores, np.ones(30, dtype=bool))([0.99])

    assert 0.9 < confidence < 1.0


def test_without_judged_answers_scores_are_taken_as_they_are():
    found = calibration.fit([], [])

    assert found([0.25, 0.75]) == pytest.approx([0.25, 0.75])


def test_certain_scores_give_finite_confidences():
    found = Calibrator(slope=2.0)([0.0, 1.0])

    assert np.isfinite(found).all()
    assert found[0] < 0.01
    assert found[1] > 0.99


def test_scores_by_curves_of_their_own_are_what_each_curve_says_alone():
    curves = [Calibrator(slope=2.0), Calibrator(intercept=-1.0), Calibrator(slope=2.0)]

    found = calibration.confidences(curves, [0.2, 0.7, 0.9])

    assert list(found) == [curve([score])[0] for curve, score in zip(curves, [0.2, 0.7, 0.9], strict=True)]
    assert calibration.confidences([], []).shape == (0,)


@pytest.mark.parametrize(("num", "low", "high"), [(0, 0.70, 0.70), (5, 0.50, 0.68), (2_000, 0.29, 0.33)])
def test_a_group_leaves_the_pool_as_its_answers_outweigh_the_prior(num, low, high):
    pooled_right = np.arange(1_000) % 10 < 7  # the pool: 70 % right whatever the score
    own_right = np.arange(num) % 10 < 3  # the group: 30 %

    pool, own = fitted(
        ["pool"] * 100_000 + ["own"] * num,
        np.full(100_000 + num, 0.8),
        np.append(np.tile(pooled_right, 100), own_right),
        prior_strength=20.0,
    )

    [confidence] = own.get("own", pool)([0.8])
    assert low - 0.01 <= confidence <= high + 0.01


def fitted(groups, scores, right, *, prior_strength):
    """The pooled curve, and each group's."""
    pool = calibration.fit(scores, right)
    return pool, calibration.fit_groups(groups, scores, right, pools=lambda _: pool, prior_strength=prior_strength)


def test_a_group_of_certain_errors_stays_finite():
    scores, right = np.full(60, 1.0), np.append(np.ones(50, dtype=bool), np.zeros(10, dtype=bool))

    _, own = fitted(["good"] * 50 + ["bad"] * 10, scores, right, prior_strength=0.0)

    assert own["bad"]([1.0])[0] < 0.01
    assert own["good"]([1.0])[0] > 0.99


def test_a_stored_calibrator_gives_the_same_confidences():
    calibrator = Calibrator(slope=0.731, intercept=-1.25)
    scores = np.linspace(0, 1, 101)

    read = calibration.from_json(calibrator.to_json())

    assert (read(scores) == calibrator(scores)).all()


@pytest.mark.parametrize(
    "text", ['{"kind": "isotonic", "slope": 1, "intercept": 0}', '{"kind": "logistic", "slope": 1}']
)
def test_a_stored_calibrator_of_another_kind_is_refused(text):
    with pytest.raises(ContractError, match=r"gates.calibrator: found"):
        calibration.from_json(text)


@pytest.mark.parametrize(
    ("right", "expected"),
    [
        ([True, True, True, True], Threshold(0.6, 4, 0)),
        ([True, True, False, False], Threshold(0.8, 2, 0)),
        ([True, False, True, True], Threshold(0.6, 4, 1)),  # 3 of 4: exactly the target counts
        ([False, True, True, False], Threshold(None, 4, 2)),
        ([False, False, False, False], Threshold(None, 4, 4)),
    ],
)
def test_the_threshold_is_the_least_that_keeps_the_target(right, expected):
    found = calibration.threshold([0.9, 0.8, 0.7, 0.6], right, 0.75, prior_strength=0.0)

    assert found == expected


def test_equal_confidences_pass_together():
    found = calibration.threshold([0.9, 0.8, 0.8], [True, True, False], 0.9, prior_strength=0.0)

    assert found == Threshold(0.9, 1, 0)


def test_no_answer_gives_no_threshold():
    assert calibration.threshold([], [], 0.9, prior_strength=20.0) == Threshold(None, 0, 0)


@pytest.mark.parametrize(
    ("confidence", "right", "opens"),
    [
        (0.70, [True] * 3, False),  # three of three by luck, where 70 % are promised
        (0.70, [True] * 60, True),
        (0.95, [True] * 9 + [False], True),  # one wrong label where 95 % are promised
        (0.95, [True] * 6 + [False] * 4, False),
    ],
)
def test_few_answers_neither_open_nor_shut_a_gate_against_the_pool(confidence, right, opens):
    found = calibration.threshold([confidence] * len(right), right, 0.9, prior_strength=20.0)

    assert (found.threshold is not None) is opens


@pytest.mark.parametrize("accuracy", [0.93, 0.85])
def test_gates_from_noisy_sellers_keep_their_promise_on_the_truth(accuracy):
    """26 groups of about 12 judged answers, 5 % of the sellers' values wrong, 100 catalogues."""
    rng = np.random.default_rng(1)
    published, kept = [], []
    for _ in range(100):
        accuracies = rng.beta(accuracy * 12, (1 - accuracy) * 12, 26)
        groups = [judged(rng, 12, accuracy=own, noise=0.05) for own in accuracies]
        scores, says = np.concatenate([g[0] for g in groups]), np.concatenate([g[2] for g in groups])
        _, own = fitted(np.repeat(range(26), 12).tolist(), scores, says, prior_strength=20.0)
        for group, (score, _, said) in enumerate(groups):
            gate = calibration.threshold(own[group](score), said, 0.9, prior_strength=20.0)
            if gate.threshold is not None:
                unseen, right, _ = judged(rng, 40, accuracy=accuracies[group])
                passes = own[group](unseen) >= gate.threshold
                published.append(passes.sum() / (100 * 26 * 40))
                kept.append((passes & right).sum() / (100 * 26 * 40))

    assert sum(kept) / sum(published) > 0.93
    assert sum(published) > 0.25
