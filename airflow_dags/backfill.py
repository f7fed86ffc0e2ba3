"""A backfill: days, product types or a model anew, beside the nights; started by hand.

It goes on where it stopped when it is run again, and never replaces what a newer night published.
"""

from datetime import timedelta

from airflow.sdk import DAG, Param

from airflow_dags import tasks

DAYS = {"type": "string", "format": "date"}

with DAG(
    dag_id="facetmill_backfill",
    schedule=None,
    start_date=tasks.START,
    catchup=False,
    max_active_runs=1,
    params={
        "from": Param(**DAYS, description="The first day."),
        "to": Param(**DAYS, description="The last day."),
        **tasks.CHOICES,
    },
    default_args=tasks.DEFAULTS,
    tags=["facetmill"],
    doc_md=__doc__,
):
    tasks.task(
        "backfill",
        "backfill",
        (
            "--from={{ params['from'] }}",
            "--to={{ params.to }}",
            "{% if params.product_types %}--product-types={{ params.product_types | join(',') }}{% endif %}",
            "{% if params.model %}--model={{ params.model }}{% endif %}",
        ),
        confs=[],
        timeout=timedelta(days=14),
        retries=20,
        doc="`python -m jobs.backfill`: its own ledger says how far it is and how long it still takes.",
    )
