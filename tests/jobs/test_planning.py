"""One gate's plan as a worker makes it: a row with what is planned, or one that says that nothing is."""

import numpy as np
import pandas as pd
import pytest

from jobs.workers import planning


def answers(size, confidence, *, again=np.nan):
    return pd.DataFrame(
        {
            "product_type": "tea", "attribute": "brand", "support": "printed", "score": np.linspace(1, 0.5, size),
            "confidence": confidence, "place": np.arange(size), "judged": np.arange(size) < 10, "size": size,
            "target": 0.9, "attempt": 1, "again": again,
        }
    )  # fmt: skip


PLAN = planning.planner(most=5_000, slack=0.05, delta=0.1, starts=1)


def test_a_gate_that_is_worth_it_is_planned_and_verdicts_given_before_cost_nothing():
    [row] = PLAN(answers(400, 0.98)).to_dict("records")

    assert set(row) == set(planning.PLAN.names)
    assert row["population"] == 400
    assert row["to_judge"] == row["audits"] - 10
    assert len(row["thresholds"]) > 1


@pytest.mark.parametrize(("size", "confidence"), [(400, 0.5), (20, 0.98)])
def test_a_hopeless_or_small_gate_has_a_row_without_audits(size, confidence):
    [row] = PLAN(answers(size, confidence)).to_dict("records")

    assert row["audits"] is None
    assert row["thresholds"] == []
    assert row["to_judge"] == 0
