"""What differs between deployments, from the environment of Airflow's processes; no secret is among it."""

import os
from pathlib import Path

HOME = Path(os.environ.get("FACETMILL_HOME", Path(__file__).resolve().parent.parent))
"""A checkout, where Airflow's workers start jobs."""
CONF = tuple(filter(None, os.environ.get("FACETMILL_CONF", "conf/local.yaml").split(":")))
"""Conf files, as paths or relative to HOME, the last wins."""
MODELS = os.environ.get("FACETMILL_MODELS", "")
"""Which of `plan.VARIANTS` a night and a training run; empty: every job once, with CONF alone."""
JARS = os.environ.get("FACETMILL_JARS", "jars/*.jar")
"""Jars that spark-submit is told of, as a glob within HOME; empty where the cluster has them."""
SCHEDULE = os.environ.get("FACETMILL_SCHEDULE", "0 2 * * *") or None
"""When nights begin, cron, UTC; the day of a night is the date on which it begins. Empty: by hand alone."""
TRAINING_SCHEDULE = os.environ.get("FACETMILL_TRAINING_SCHEDULE", "0 8 * * 6") or None
"""When training begins, in the same way."""
MAINTENANCE_SCHEDULE = os.environ.get("FACETMILL_MAINTENANCE_SCHEDULE", "0 12 * * 0") or None
"""When maintenance begins, in the same way."""
RETRY_SECONDS = float(os.environ.get("FACETMILL_RETRY_SECONDS", "300"))
"""Before a task is tried again for the first time; doubled each time."""
SPARK = os.environ.get("FACETMILL_SPARK", "spark_default")
"""Airflow connection that names master, queue and deploy mode. Airflow takes `yarn` for one that is missing."""
ON_CALL = os.environ.get("FACETMILL_ON_CALL", "")
"""Mail address (Airflow's connection smtp_default) that hears of a late night; empty: the log alone."""


def jars() -> str:
    """The jars by their paths, comma-separated."""
    return ",".join(str(path) for path in sorted(HOME.glob(JARS))) if JARS else ""
