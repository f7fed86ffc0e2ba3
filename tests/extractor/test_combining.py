"""Two models' answers made one: simulated models whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from extractor import metrics
from extractor.combining import Answers, fit, from_json
from extractor.errors import ContractError

NUM = 3000


def simulated(seed=0):
    """Two models that are right in seven cases of ten, with honest scores; equal where both are right."""
    draw = np.random.default_rng(seed)
    scores = draw.beta(2.8, 1.2, size=(2, NUM))
    right = draw.random((2, NUM)) < scores
    agree = right.all(0) | (~right.any(0) & (draw.random(NUM) < 0.2))
    answers = [Answers(np.ones(NUM, bool), score, score, np.zeros(NUM, bool)) for score in scores]
    return *answers, agree, *right


def test_both_together_find_more_at_a_precision_than_either_alone():
    spans, generator, agree, right_spans, right_generator = simulated()
    combiner = fit(spans, generator, agree, right_spans=right_spans, right_generator=right_generator, num_with_gold=NUM)
    spans, generator, agree, right_spans, right_generator = simulated(seed=1)

    both = combiner(spans, generator, agree)

    right = np.where(both.by_spans, right_spans, right_generator)
    found = [
        metrics.recall_at_precision(confidence, judged, NUM, target=0.9)
        for confidence, judged in (
            (both.confidence, right),
            (spans.score, right_spans),
            (generator.score, right_generator),
        )
    ]
    together, *alone = [one.recall if one else 0.0 for one in found]
    assert together > max(alone) + 0.2


def test_confidences_say_how_often_answers_are_right():
    judged = simulated()
    combiner = fit(*judged[:3], right_spans=judged[3], right_generator=judged[4], num_with_gold=NUM)
    spans, generator, agree, right_spans, right_generator = simulated(seed=1)

    both = combiner(spans, generator, agree)

    right = np.where(both.by_spans, right_spans, right_generator)
    for low, high in ((0.2, 0.5), (0.5, 0.8), (0.8, 1.0)):
        within = (both.confidence > low) & (both.confidence <= high)
        assert right[within].mean() == pytest.approx(both.confidence[within].mean(), abs=0.06)


def test_an_answer_that_stands_alone_is_taken_and_none_is_no_answer():
    judged = simulated()
    combiner = fit(*judged[:3], right_spans=judged[3], right_generator=judged[4], num_with_gold=NUM)
    spans, generator = (
        Answers(np.array(answered), np.array([0.9, 0.9, 0.9]), np.array([0.9, 0.9, 0.9]), np.zeros(3, bool))
        for answered in ([True, False, False], [False, True, False])
    )

    both = combiner(spans, generator, np.zeros(3, bool))

    assert both.answered.tolist() == [True, True, False]
    assert both.by_spans.tolist() == [True, False, False]
    assert both.confidence[2] == 0.0


def test_inferred_values_may_be_trusted_less():
    spans, generator, agree, right_spans, right_generator = simulated()
    inferred = np.random.default_rng(3).random(NUM) < 0.5
    right_generator = right_generator & ~inferred
    generator = generator._replace(inferred=inferred)
    agree = agree & ~inferred
    combiner = fit(spans, generator, agree, right_spans=right_spans, right_generator=right_generator, num_with_gold=NUM)

    both = combiner(spans, generator, agree)

    assert both.by_spans[inferred].mean() > 0.9 > both.by_spans[~inferred & ~agree].mean()


def test_a_combiner_survives_its_file_and_foreign_ones_are_refused():
    judged = simulated()
    combiner = fit(*judged[:3], right_spans=judged[3], right_generator=judged[4], num_with_gold=NUM)

    assert from_json(combiner.to_json()) == combiner
    with pytest.raises(ContractError, match="stacked"):
        from_json(replace(combiner, weights=()).to_json().replace("margin", "luck"))


def test_where_nothing_was_judged_agreement_counts_and_with_it_the_surer_of_two():
    none = Answers(*(np.zeros(0, kind) for kind in (bool, float, float, bool)))
    empty = np.zeros(0, bool)
    combiner = fit(none, none, empty, right_spans=empty, right_generator=empty, num_with_gold=0)
    spans, generator, *_ = simulated()

    apart, together = (combiner(spans, generator, np.full(NUM, agree)) for agree in (False, True))

    assert (apart.by_spans == (spans.score >= generator.score)).all()
    assert (together.confidence > spans.score)[generator.score >= 0.5].all()


@pytest.mark.parametrize("right", [True, False])
def test_judged_answers_that_are_all_right_or_all_wrong_are_no_certainty(right):
    spans, generator, agree, *_ = simulated()
    judged = np.full(NUM, right)

    both = fit(spans, generator, agree, right_spans=judged, right_generator=judged, num_with_gold=NUM)(
        spans, generator, agree
    )

    assert np.isfinite(both.confidence).all()
    assert (both.confidence > 0.9).mean() > 0.9 if right else (both.confidence < 0.1).mean() > 0.9
