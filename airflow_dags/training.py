"""Training: examples from what sellers say today, and a challenger that learnt from them.

The same examples, features and settings are not trained twice. A challenger publishes nothing until it is promoted
(docs/runbook.md, "A new model").
"""

from airflow.sdk import DAG, chain

from airflow_dags import deployment, plan, tasks

with DAG(
    dag_id="facetmill_training",
    schedule=deployment.TRAINING_SCHEDULE,
    start_date=tasks.START,
    catchup=False,
    max_active_runs=1,
    default_args=tasks.DEFAULTS,
    tags=["facetmill"],
    doc_md=__doc__,
):
    steps = plan.steps(plan.TRAINING, deployment.MODELS)
    outlets = {step: [tasks.MODEL] for step in steps if step.startswith("train")}
    chain(*(tasks.submit(step, outlets=outlets.get(step, [])) for step in steps))
