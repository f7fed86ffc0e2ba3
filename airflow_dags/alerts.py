"""Who hears of a night that is late."""

import logging
from typing import Any

from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.sdk import AsyncCallback

from airflow_dags import deployment, plan

HOURS = plan.DEADLINE.total_seconds() / 3600
LATE = f"Facetmill's night has not ended {HOURS:g} hours after its time"


async def log_late(**context: Any) -> None:  # whatever Airflow tells callbacks
    """A line in the triggerer's log."""
    logging.getLogger(__name__).error("%s: docs/runbook.md says where it may stand", LATE)


def late() -> AsyncCallback:
    """A mail to whoever is on call, or the log where nobody is."""
    if not deployment.ON_CALL:
        return AsyncCallback(log_late)
    content = {"subject": LATE, "html_content": f"{LATE}. docs/runbook.md says where to look."}
    return AsyncCallback(SmtpNotifier, kwargs={"to": deployment.ON_CALL, **content})
