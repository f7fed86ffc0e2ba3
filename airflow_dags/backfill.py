"""A backfill: what a model version answers of some days' products or product types, beside the nights; by hand.

It goes on where it stopped when it is run again, and publishes nothing by itself.
"""

from datetime import timedelta

from airflow.sdk import DAG, Param

from airflow_dags import tasks

DAYS = {"type": ["null", "string"], "format": "date"}

with DAG(
    dag_id="facetmill_backfill",
    schedule=None,
    start_date=tasks.START,
    catchup=False,
    max_active_runs=1,
    params={
        "since": Param(None, **DAYS, description="Products that changed on this day or later; none: ever."),
        "until": Param(None, **DAYS, description="And on this day or before; none: ever."),
        "version": Param(
            "challenger", type="string", pattern=r"^[\w.-]+$", description="A version of the model, or an alias."
        ),
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
            f"--day={tasks.DAY}",
            "--version={{ params.version }}",
            "{% if params.since %}--since={{ params.since }}{% endif %}",
            "{% if params.until %}--until={{ params.until }}{% endif %}",
            "{% if params.product_types %}--product-types=['{{ params.product_types | join(\"', '\") }}']{% endif %}",
            "{% if params.model %}--model={{ params.model }}{% endif %}",
        ),
        confs=[],
        timeout=timedelta(days=14),
        retries=20,
        doc="`python -m jobs.backfill`: `python -m jobs.status` says how far it is.",
    )
