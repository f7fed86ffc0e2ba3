"""Keep certificates honest: a small random share of what certified gates let out is checked by people afterwards.

Which values are checked follows from a hash of product, attribute and value, so a night that runs twice asks for the
same. `calibrate` closes a gate when the verdicts speak against its promise, by a bound that may be looked at nightly.
"""

import hashlib
import json
from collections.abc import Mapping

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from jobs import runs
from jobs.answers import GROUP
from jobs.auditing import lots, verdicts
from jobs.pinned import Pinned
from schemas.attributes import ATTRIBUTES
from schemas.audit_items import AUDIT_ITEMS
from schemas.audits import AUDITS
from schemas.enums import GateState
from schemas.predictions import PREDICTIONS


def draw(job: runs.Job, answered: Mapping[Pinned, DataFrame]) -> str | None:
    """Draw of what is published now and was not drawn before; the sample's id, None where nothing is to check.

    `answered` is what each model's gates would publish, from `draw.auditable`.
    """
    sample_id = hashlib.sha256(json.dumps(["watch", job.tables.versions], sort_keys=True).encode()).hexdigest()[:12]
    known = job.tables.read_or_empty(AUDIT_ITEMS).where("gate_id IS NOT NULL").select(*verdicts.VALUE)
    judged = verdicts.verdicts(job.tables.read_or_empty(AUDITS)).select(*verdicts.VALUE)
    certified = F.col("gate_state") == GateState.CERTIFIED
    out = job.tables.read_or_empty(ATTRIBUTES).where(certified).select(*PREDICTIONS.key, "gate_id")
    num = 0
    for model, answers in answered.items():
        drawn = (
            answers.drop("gate_state")
            .withColumn("lot", lots.lot(f"{job.conf.audit.salt}:watch", *verdicts.VALUE))
            .where(lots.share(1) < job.conf.audit.watch)
            .join(out, on=list(PREDICTIONS.key), how="inner")
            .join(known.unionByName(judged).distinct(), on=list(verdicts.VALUE), how="left_anti")
        )
        items = items_of(drawn, sample_id, second=job.conf.audit.second).persist()
        if found := items.count():
            job.tables.append(items, AUDIT_ITEMS, txn=f"watch:{sample_id}:{model.version}")
        num += found
        items.unpersist()
    job.counts["to_check"] = num
    return sample_id if num else None


def items_of(drawn: DataFrame, sample_id: str, *, second: float) -> DataFrame:
    """Rows of AUDIT_ITEMS; a share of them is for a second auditor, too."""
    place = F.row_number().over(Window.partitionBy(*GROUP).orderBy("lot"))
    of_sample = drawn.withColumns({"sample_id": F.lit(sample_id), "place": place})
    made = {"item_id": lots.item_id(), "second": lots.share(9) < second}
    return of_sample.withColumns(made).select(*AUDIT_ITEMS.columns)
