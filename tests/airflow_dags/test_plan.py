"""The plan: every step is a job, in one order, whoever runs it."""

from pathlib import Path

import pytest

from airflow_dags import plan

JOBS = Path(__file__).resolve().parents[2] / "jobs"


@pytest.mark.parametrize("step", plan.STEPS, ids=lambda step: step.job)
def test_every_step_is_a_job_with_a_time_and_a_word_for_whoever_is_woken(step):
    assert "\ndef main(" in (JOBS / f"{step.job}.py").read_text(encoding="utf-8")
    assert step.timeout.total_seconds() >= 3600
    assert step.retries >= 1
    assert step.doc.endswith(".")


@pytest.mark.parametrize("jobs", [plan.NIGHT, plan.TRAINING, plan.MAINTENANCE, plan.DEMO])
def test_whatever_runs_runs_in_the_one_order(jobs):
    assert list(jobs) == [job for job in plan.ORDER if job in jobs]


def test_training_is_no_step_of_the_night_and_publishing_is_its_point():
    assert not set(plan.TRAINING) & set(plan.NIGHT)
    assert plan.NIGHT.index("enrich") < plan.NIGHT.index("calibrate") < plan.NIGHT.index("publish")
    assert plan.NIGHT.index("publish") < plan.NIGHT.index("verify")


def test_a_model_runs_a_job_once_for_each_of_its_variants():
    assert plan.steps(("train", "publish"), "both") == (
        "train", f"train:{plan.MXT}", f"train:{plan.BASELINE}", f"publish:{plan.BOTH}",
    )  # fmt: skip
    assert plan.steps(("train", "publish"), "") == ("train", "publish")


def test_models_are_combined_only_where_one_is_asked_that_needs_it():
    assert plan.steps(plan.TRAINING, "") == ("label", "train")
    assert plan.steps(plan.TRAINING, "combined") == (
        "label", "train", f"train:{plan.SPANS}", f"train:{plan.BASELINE}", "combine",
    )  # fmt: skip
