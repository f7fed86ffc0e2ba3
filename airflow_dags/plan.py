"""The night as data: which jobs, in which order, how long they may take, how often they are tried again.

The standard library alone, for both who run it: airflow_dags/nightly.py and `python -m jobs.nightly`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True)
class Step:
    """One job, and what a scheduler must know of it."""

    job: str
    """Its file in jobs/."""
    timeout: timedelta
    """Longer than any good run of it takes."""
    retries: int = 2
    """Every job may be run twice, so trying again is always right; what conf has wrong stays wrong."""
    doc: str
    """For whoever is woken by it."""


STEPS: Sequence[Step] = (
    Step(
        job="sample",
        timeout=timedelta(hours=1),
        doc="Draws the sample catalogue: the same files for the same seed.",
    ),
    Step(
        job="ingest",
        timeout=timedelta(hours=2),
        doc="Feeds into tables. Bad rows are in `quarantine` with a reason; if all are, it fails and names one.",
    ),
    Step(
        job="read_images",
        timeout=timedelta(hours=8),
        doc="Words and regions of new pictures. One that a service did not answer for is read the next night.",
    ),
    Step(
        job="label",
        timeout=timedelta(hours=2),
        doc="Training examples from the sellers' own values.",
    ),
    Step(
        job="train",
        timeout=timedelta(hours=24),
        doc="Learns and registers a challenger. Killed, it goes on from its last state.",
    ),
    Step(
        job="combine",
        timeout=timedelta(hours=1),
        doc="Makes one model of two that were trained; the same two are combined once.",
    ),
    Step(
        job="enrich",
        timeout=timedelta(hours=12),
        doc="Asks the model whatever it has not answered yet, chunk by chunk; committed chunks are not asked again.",
    ),
    Step(
        job="calibrate",
        timeout=timedelta(hours=2),
        doc="Confidences and thresholds of every gate.",
    ),
    Step(
        job="publish",
        timeout=timedelta(hours=2),
        doc="Decides what goes out. It refuses when pairs have no answer: enrich has not ended well then.",
    ),
    Step(
        job="verify",
        timeout=timedelta(hours=1),
        doc="Holds the tables against what must always be true. If it fails, do not trust what was published.",
    ),
    Step(
        job="audit",
        timeout=timedelta(hours=1),
        doc="Draws what people should judge next.",
    ),
    Step(
        job="evaluate",
        timeout=timedelta(hours=2),
        doc="Measures against the truth, where there is one.",
    ),
    Step(
        job="report",
        timeout=timedelta(hours=1),
        doc="One HTML file for people.",
    ),
    Step(
        job="maintain",
        timeout=timedelta(hours=12),
        doc="Compacts files and deletes those that no reader needs. Whatever it leaves it does the next time.",
    ),
)
"""Every job that runs by the clock, in the only order there is: each reads what those before it wrote."""
ORDER = tuple(step.job for step in STEPS)

MAINTENANCE = ("maintain",)
"""Once a week, beside whatever runs."""
DEMO = tuple(job for job in ORDER if job not in ("audit", *MAINTENANCE))
"""From a drawn catalogue to a report, with a model trained on the way."""
TRAINING = ("label", "train", "combine")
"""Has a rhythm of its own: a model lives for weeks, and its certificates hold for it alone."""
NIGHT = tuple(job for job in ORDER if job not in ("sample", *TRAINING, "evaluate", *MAINTENANCE))
"""What a night does, with the model that there is."""

DEADLINE = timedelta(hours=8)
"""After the night's time, when its table should be there; whoever is on call hears of it where it is not."""
POOL = "facetmill"
"""Its slots are how many jobs may run at once, over all DAGs."""

WHERE_ASKED = ("combine",)
"""Runs only where a model names it."""

BASELINE = "conf/models/word_matching.yaml"
"""Teaches and asks Word Matching under a name of its own: the report compares with it."""
MXT = "conf/models/mxt.yaml"
"""Teaches and asks MXT under a name of its own, of pictures read as it wants them."""
SPANS = "conf/models/spans.yaml"
"""Teaches and asks the span model under a name of its own."""
COMBINED = "conf/models/combined.yaml"
"""Asks the combination of PAM and the span model under a name of its own."""
BOTH = "conf/both.yaml"
"""Lets PAM and MXT publish."""
ITSELF = ""
"""A job with the settings of the whole night and none of its own."""
VARIANTS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "pam": {"train": (ITSELF, BASELINE), "enrich": (ITSELF, BASELINE)},
    "mxt": {
        "read_images": (MXT,),
        "train": (MXT, f"{MXT}:{BASELINE}"),
        "enrich": (MXT, f"{MXT}:{BASELINE}"),
        **dict.fromkeys(("calibrate", "publish", "evaluate", "report"), (MXT,)),
    },
    "both": {
        "read_images": (ITSELF, MXT),
        "train": (ITSELF, MXT, BASELINE),
        "enrich": (ITSELF, MXT, BASELINE),
        "calibrate": (ITSELF, MXT),
        **dict.fromkeys(("publish", "evaluate", "report"), (BOTH,)),
    },
    "combined": {
        "train": (ITSELF, SPANS, BASELINE),
        "combine": (ITSELF,),
        "enrich": (ITSELF, SPANS, COMBINED, BASELINE),
        **dict.fromkeys(("calibrate", "publish", "evaluate", "report"), (COMBINED,)),
    },
}
"""By model, the conf files that a job is run with, once for each entry; a job that is not named runs by itself."""


def steps(jobs: Sequence[str], model: str) -> tuple[str, ...]:
    """The steps of jobs with a model, e.g. `train` and `train:conf/models/word_matching.yaml`, in order.

    An empty model runs every job once, with the settings of the night alone.
    """
    variants = {
        **dict.fromkeys(jobs, (ITSELF,)),
        **dict.fromkeys(WHERE_ASKED, ()),
        **(VARIANTS[model] if model else {}),
    }
    return tuple(f"{job}:{confs}".rstrip(":") for job in jobs for confs in variants[job])
