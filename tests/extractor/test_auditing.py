"""Where audits are spent: how many a gate needs, how far down they reach, which gates the budget buys."""

import numpy as np
import pytest

from extractor import auditing, certificates
from extractor.auditing import Plan, Terms

TERMS = Terms(target=0.9, level=0.05)


def group(size, sure=0.98, unsure=0.5):
    """Scores evenly from 1 down, with confidences from sure to unsure."""
    return np.linspace(1.0, 0.1, size), np.linspace(sure, unsure, size)


def test_answers_are_audited_down_to_where_confidences_promise_little_less_than_the_target():
    scores, confidences = group(1_000)

    floor = auditing.auditable(scores, confidences, TERMS)

    assert confidences[scores >= floor].mean() == pytest.approx(0.85, abs=0.001)


def test_a_group_that_promises_too_little_everywhere_is_not_audited():
    assert auditing.auditable([0.9, 0.8], [0.5, 0.4], TERMS) is None


def test_a_plan_has_more_audits_than_an_error_free_test_needs_and_thresholds_that_fit():
    scores, confidences = group(1_000, sure=0.999, unsure=0.95)

    found = auditing.plan(scores, confidences, 1_000, TERMS)

    assert found is not None
    assert found.audits >= 1.5 * certificates.error_free(0.9, 0.05) - 1
    assert found.thresholds == certificates.candidates(scores, audits=found.audits, target=0.9, level=0.05)
    assert 0.5 < found.chance <= 1
    assert found.volume == 1_000


def test_a_given_number_of_audits_is_kept_however_poor_its_chance():
    scores, confidences = group(1_000, sure=0.9, unsure=0.8)

    assert auditing.plan(scores, confidences, 1_000, TERMS) is None
    again = auditing.plan(scores, confidences, 1_000, TERMS, audits=100)
    assert again is not None
    assert again.audits == 100


def test_a_group_too_small_for_any_proof_has_no_plan():
    scores, confidences = group(28, sure=0.999, unsure=0.99)

    assert auditing.plan(scores, confidences, 28, TERMS) is None


def test_chances_are_those_of_the_binomial_test():
    scores, confidences = np.ones(400), np.full(400, 0.97)
    rng = np.random.default_rng(0)

    found = auditing.plan(scores, confidences, 400, TERMS, audits=100)

    opened = [
        certificates.certify(np.ones(100), rng.random(100) < 0.97, (1.0,), target=0.9, level=0.05).threshold is not None
        for _ in range(1_000)
    ]
    assert found is not None
    assert found.chance == pytest.approx(np.mean(opened), abs=0.05)


def test_the_budget_goes_where_most_is_opened_an_audit():
    def plan(chance, volume):
        return Plan(50, (0.5,), chance, volume)

    plans = [plan(0.9, 100), None, plan(0.5, 10_000), plan(0.9, 5_000)]

    assert auditing.allocate(plans, [50, 0, 50, 50], 100) == [False, False, True, True]
    assert auditing.allocate(plans, [50, 0, 80, 50], 100) == [True, False, False, True]
    assert auditing.allocate(plans, [0, 0, 200, 200], 100) == [True, False, False, False]  # judged before: free
