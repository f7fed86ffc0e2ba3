"""Maintenance: tables are compacted, and files that no reader needs are deleted, beside whatever runs."""

from airflow.sdk import DAG, chain

from airflow_dags import deployment, plan, tasks

with DAG(
    dag_id="facetmill_maintenance",
    schedule=deployment.MAINTENANCE_SCHEDULE,
    start_date=tasks.START,
    catchup=False,
    max_active_runs=1,
    default_args=tasks.DEFAULTS,
    tags=["facetmill"],
    doc_md=__doc__,
):
    chain(*(tasks.submit(step) for step in plan.MAINTENANCE))
