"""Ask people whether answers are right: draw what is worth judging, and record what they say.

    python -m jobs.audit sample --conf conf/local.yaml --day 2026-01-15 --budget 500
    python -m jobs.audit record --conf conf/local.yaml --day 2026-01-15 --verdicts FILE [--auditor NAME] [--keep-good]

`sample` writes a work sheet (CSV) and a page with pictures whose buttons make the same file; `record` checks verdicts
line by line and appends them to `audits`. A share of what certified gates let out (audit.watch) is on the sheets, too.
What verdicts prove is calibrate's to say.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from jobs import choosing, runs
from jobs.auditing import draw, record, sheet, watch

SAMPLE = {"--budget": "audit.budget", "--out": "audit.out"}
RECORD = {
    "--verdicts": "audit.verdicts",
    "--auditor": "audit.auditor",
    "--keep-good": "audit.keep_good",
}


def main(argv: Sequence[str] | None = None) -> None:
    """The story of both halves; a step of the night samples."""
    asked = list(sys.argv[1:] if argv is None else argv)
    what = asked.pop(0) if asked and not asked[0].startswith("-") else "sample"
    if what not in HALVES:
        print(f"audit: found {what!r}, expected one of {', '.join(HALVES)}", file=sys.stderr)  # noqa: T201  # for the operator
        raise SystemExit(2)
    HALVES[what](asked)


def sample(argv: Sequence[str]) -> None:
    """Draw, and write the work sheets of all samples that lack verdicts."""
    with runs.job("audit", argv, doc=__doc__, shorthands=SAMPLE) as job:
        models = choosing.models(choosing.candidates(job.conf))
        job.model_version = choosing.versions(models)
        asked = choosing.asked(job.tables, models)
        answered = {model: draw.auditable(job, model, asked[model.version]) for model in models}
        watch.draw(job, answered)
        if draw.draw(job, answered) is None:
            job.say("no further gate is worth auditing: certified, waiting for verdicts, too small, or too unsure")
        for sample_id in draw.unfinished(job, models):
            sheet.write(job, sample_id)


def record_file(argv: Sequence[str]) -> None:
    """Check and append."""
    with runs.job("audit", argv, doc=__doc__, shorthands=RECORD) as job:
        audit = job.conf.audit
        record.record(job, Path(audit.verdicts), auditor=audit.auditor, keep_good=audit.keep_good)


HALVES = {"sample": sample, "record": record_file}


if __name__ == "__main__":
    main()
