"""Stop answers from being published, or let them out again; the next publish takes values back, or restores them.

    python -m jobs.kill --conf conf/local.yaml --day 2026-01-15 --attribute flavor --product-type tea --reason "why"
    python -m jobs.kill --conf conf/local.yaml --day 2026-01-15 --attribute flavor --product-type tea --undo --reason ok
    python -m jobs.publish --conf conf/local.yaml --day 2026-01-15

What is killed is named by any of product type, attribute, model version and the run of enrich that computed the
answers; all that is named must fit. --undo names the same. Nothing is deleted: `switches` and `decisions` keep it all.
"""

import hashlib
import json
from collections.abc import Sequence

from extractor.errors import ConfigError
from jobs import runs, switches
from jobs.config import Kill
from schemas.switches import SWITCHES

SHORTHANDS = {
    "--product-type": "kill.product_type",
    "--attribute": "kill.attribute",
    "--model-version": "kill.model_version",
    "--answered-by": "kill.answered_by",
    "--reason": "kill.reason",
    "--undo": "kill.undo",
}


def main(argv: Sequence[str] | None = None) -> None:
    """The story of the job."""
    with runs.job("kill", argv, doc=__doc__, shorthands=SHORTHANDS) as job:
        turn(job, job.conf.kill)


def turn(job: runs.Job, kill: Kill) -> None:
    """Append one turn of the switch, unless it stands there already.

    Raises:
        ConfigError: nothing is named, no reason is given, or --undo names what is not killed.
    """
    scope = {name: getattr(kill, name) or None for name in switches.SCOPE}
    if not any(scope.values()):
        raise ConfigError("kill", "nothing", "a product type, an attribute, a model version or a run")
    if not kill.reason.strip():
        raise ConfigError("kill.reason", kill.reason, "why: the history of every value will say it")
    switch_id = hashlib.sha256(json.dumps(scope, sort_keys=True).encode()).hexdigest()[:12]
    killed = {row.switch_id for row in switches.in_force(job.tables.read_or_empty(SWITCHES)).collect()}
    if kill.undo and switch_id not in killed:
        named = ", ".join(f"{name} {value}" for name, value in scope.items() if value)
        raise ConfigError("kill.undo", named, "what was killed, named as it was then")
    job.counts |= {"turned": 0, "killed": len(killed)}
    if kill.undo != (switch_id in killed):
        job.say("it is killed already: nothing to turn")
        return
    row = {"switch_id": switch_id, **scope, "killed": not kill.undo, "reason": kill.reason.strip()}
    row |= {"turned_at": job.started_at, "run_id": job.id}
    job.tables.append(job.tables.rows([row], SWITCHES), SWITCHES, txn=job.id)
    job.counts |= {"turned": 1, "killed": len(killed) + (-1 if kill.undo else 1)}
    job.say("publish takes back what is killed and restores what is not: run it now")


if __name__ == "__main__":
    main()
