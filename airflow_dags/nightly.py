"""The night: from the day's feeds to published values.

One task a step of `plan.NIGHT`, one after another: each reads what those before it wrote. A task that died is simply
run again, and so is a whole night: what was committed is not done twice. Two nights never run at once.
"""

from airflow.sdk import DAG, DeadlineAlert, DeadlineReference, chain

from airflow_dags import alerts, deployment, plan, tasks

with DAG(
    dag_id="facetmill_nightly",
    schedule=deployment.SCHEDULE,
    start_date=tasks.START,
    catchup=False,
    max_active_runs=1,
    params=tasks.CHOICES,
    default_args=tasks.DEFAULTS,
    deadline=DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, plan.DEADLINE, alerts.late()),
    tags=["facetmill"],
    doc_md=__doc__,
):
    steps = plan.steps(plan.NIGHT, deployment.MODELS)
    outlets = {step: [tasks.ATTRIBUTES] for step in steps if step.startswith("publish")}
    chain(*(tasks.submit(step, *tasks.CHOSEN, outlets=outlets.get(step, [])) for step in steps))
