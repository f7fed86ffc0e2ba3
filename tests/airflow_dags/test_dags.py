"""The DAGs in Airflow's own environment: they import, say the night in its order, and render what jobs understand."""

from copy import copy, deepcopy
from datetime import UTC, datetime
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_dags import deployment, plan

pytestmark = pytest.mark.airflow

DAGS = {"facetmill_nightly", "facetmill_training", "facetmill_maintenance", "facetmill_backfill"}
RUN = {
    "dag_run": SimpleNamespace(
        logical_date=datetime(2026, 1, 15, 2, tzinfo=UTC), run_after=datetime(2026, 1, 16, tzinfo=UTC)
    )
}


@pytest.fixture(scope="module")
def bag() -> Any:
    # Airflow lives in an environment of its own, so this file must bear to be collected without it.
    return import_module("airflow.dag_processing.dagbag").DagBag(dag_folder=str(deployment.HOME / "airflow_dags"))


def rendered(task: Any, **params: Any) -> list[str]:
    """The arguments that a job would get."""
    mine = copy(task)
    mine.render_template_fields({**RUN, "params": params})
    return list(mine.application_args)


def test_the_dags_import_without_an_error(bag):
    assert bag.import_errors == {}
    assert set(bag.dags) == DAGS


def test_the_night_is_the_plans_steps_one_after_another(bag):
    tasks = bag.dags["facetmill_nightly"].topological_sort()

    assert [task.task_id for task in tasks] == list(plan.NIGHT)
    assert [sorted(task.upstream_task_ids) for task in tasks] == [[], *([job] for job in plan.NIGHT[:-1])]


@pytest.mark.parametrize("name", sorted(DAGS))
def test_every_task_is_tried_again_within_a_time_in_the_pool_and_says_what_it_is(bag, name):
    dag = bag.dags[name]

    assert dag.max_active_runs == 1
    assert dag.catchup is False
    assert dag.doc_md
    for task in dag.tasks:
        assert task.retries >= 2
        assert task.execution_timeout.total_seconds() >= 3600
        assert task.pool == plan.POOL
        assert task.doc_md


def test_the_day_is_the_logical_date_and_the_settings_are_the_deployments(bag):
    task = bag.dags["facetmill_nightly"].get_task("enrich")

    arguments = rendered(task, model="", product_types=[])

    assert task.application == str(deployment.HOME / "jobs" / "enrich.py")
    assert arguments == [
        "--conf", str(deployment.HOME / "conf/local.yaml"),
        "--set=spark.master=null", "--set=spark.driver_memory=null", "--set=spark.jars=[]",
        "--day", "2026-01-15",
    ]  # fmt: skip


def test_a_chosen_model_and_product_types_become_settings(bag):
    task = bag.dags["facetmill_nightly"].get_task("enrich")

    arguments = rendered(task, model="mxt", product_types=["tea", "sun care"])

    assert arguments[-2:] == ["--set=enrich.model=mxt", "--set=enrich.where=product_type IN ('tea', 'sun care')"]


@pytest.mark.parametrize(
    "bad", [{"product_types": ["tea') OR ('1'='1"]}, {"model": "a; rm -rf /"}, {"model": "{{ conn.spark.password }}"}]
)
def test_what_is_no_name_is_refused_before_the_night_starts(bag, bad):
    params = deepcopy(bag.dags["facetmill_nightly"].params)
    [(name, value)] = bad.items()

    with pytest.raises(import_module("airflow.sdk.exceptions").ParamValidationError):
        params[name] = value


def test_publish_tells_whoever_waits_for_the_table(bag):
    outlets = {task.task_id: [asset.name for asset in task.outlets] for task in bag.dags["facetmill_nightly"].tasks}

    assert outlets == {job: ["facetmill_attributes"] if job == "publish" else [] for job in plan.NIGHT}


def test_a_late_night_is_told_of(bag):
    [deadline] = bag.dags["facetmill_nightly"].deadline

    assert deadline.interval == plan.DEADLINE
    assert import_module("airflow_dags.alerts").late().path == "airflow_dags.alerts.log_late"


def test_training_is_no_step_of_the_night(bag):
    assert [task.task_id for task in bag.dags["facetmill_training"].topological_sort()] == list(
        plan.steps(plan.TRAINING, "")
    )
    assert set(plan.TRAINING).isdisjoint(plan.NIGHT)


def test_maintenance_is_no_step_of_the_night(bag):
    assert [task.task_id for task in bag.dags["facetmill_maintenance"].tasks] == list(plan.MAINTENANCE)
    assert set(plan.MAINTENANCE).isdisjoint(plan.NIGHT)


def test_a_backfill_is_told_its_version_days_types_and_model(bag):
    [task] = bag.dags["facetmill_backfill"].tasks
    plain: dict[str, Any] = {"version": "challenger", "since": None, "until": None, "product_types": [], "model": ""}
    chosen = {"since": "2026-01-01", "until": "2026-01-09", "product_types": ["tea", "sun care"], "model": "mxt"}

    assert rendered(task, **plain)[-2:] == ["--day=2026-01-15", "--version=challenger"]
    assert rendered(task, **plain | chosen)[-4:] == [
        "--since=2026-01-01", "--until=2026-01-09", "--product-types=['tea', 'sun care']", "--model=mxt",
    ]  # fmt: skip
