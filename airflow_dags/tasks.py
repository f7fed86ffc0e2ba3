"""From a step of the plan to a task: one spark-submit of one job, by the settings of deployment and run."""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import Asset, Param

from airflow_dags import deployment, plan

ATTRIBUTES = Asset("facetmill_attributes")
"""The published values: a DAG with `schedule=[Asset("facetmill_attributes")]` runs when they were written."""
MODEL = Asset("facetmill_model")
"""A new challenger in the registry."""
START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = "{{ (dag_run.logical_date or dag_run.run_after) | ds }}"
"""The day that jobs process: the run's logical date, or today's where it was started by hand without one."""
CHOICES = {
    "model": Param(
        "",
        type="string",
        pattern=r"^[\w.-]*$",
        description="Registered name of the model; empty: the one that conf names.",
    ),
    "product_types": Param(
        [],
        type="array",
        items={"type": "string", "pattern": r"^[\w][\w &./-]*$"},
        description="Only products of these types are asked; none: all. publish refuses while others are due.",
    ),
}
"""What a person may choose when a night is started by hand. The patterns let no quote through to SQL."""
CHOSEN = (
    "{% if params.model %}--set=enrich.model={{ params.model }}{% endif %}",
    "{% if params.product_types %}--set=enrich.where=product_type IN "
    "('{{ params.product_types | join(\"', '\") }}'){% endif %}",
)
"""Arguments for these choices; empty where nothing was chosen."""
DEFAULTS = {
    "owner": "facetmill",
    "pool": plan.POOL,
    "retry_delay": timedelta(seconds=deployment.RETRY_SECONDS),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(hours=1),
}
"""Of every task."""


class Submit(SparkSubmitOperator):  # type: ignore[misc]  # Airflow lives in an environment of its own
    """spark-submit, with no argument for what was not chosen."""

    application_args: list[str]

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:  # Airflow's own types
        """Render, then leave out arguments that became empty."""
        super().render_template_fields(context, jinja_env)
        self.application_args = [argument for argument in self.application_args if argument]


def submit(step: str, *arguments: str, **settings: Any) -> Submit:  # what any operator takes
    """The task of a step such as `enrich` or `enrich:conf/models/mxt.yaml`, with arguments after the usual ones."""
    job, *own = step.split(":")
    told = next(known for known in plan.STEPS if known.job == job)
    return task(
        job,
        step,
        ("--day", DAY, *arguments),
        confs=own,
        timeout=told.timeout,
        retries=told.retries,
        doc=told.doc,
        **settings,
    )


def task(
    job: str,
    step: str,
    arguments: tuple[str, ...],
    *,
    confs: list[str],
    timeout: Any,
    retries: int,
    doc: str,
    **settings: Any,
) -> Submit:
    """A spark-submit of one job."""
    files = [str(deployment.HOME / file) for file in (*deployment.CONF, *confs)]
    # spark-submit's own command line has said what these would say.
    taken = ("--set=spark.master=null", "--set=spark.driver_memory=null", "--set=spark.jars=[]")
    return Submit(
        task_id=step.replace(":", ".").replace("/", "-").removesuffix(".yaml"),
        conn_id=deployment.SPARK,
        application=str(deployment.HOME / "jobs" / f"{job}.py"),
        name=f"facetmill {job}",
        jars=deployment.jars() or None,
        application_args=[*(part for file in files for part in ("--conf", file)), *taken, *arguments],
        execution_timeout=timeout,
        retries=retries,
        doc_md=f"{doc}\n\nThe run book has its counts and why it failed: `python -m jobs.status`, or the table `runs`.",
        **settings,
    )
