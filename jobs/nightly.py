"""Run the jobs of a night one after another, in one process and one Spark session: the schedule without a scheduler.

    python -m jobs.nightly --conf conf/local.yaml --day 2026-01-15
    python -m jobs.nightly --conf conf/local.yaml --day 2026-01-15 --plan both
    python -m jobs.nightly --conf conf/local.yaml --day 2026-01-15 enrich calibrate publish

Every job can be run twice, so a night that stopped is simply started again. What follows a step's name after colons
are its own settings: `train:conf/models/word_matching.yaml` adds a conf file to that step alone.
"""

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from pyspark.sql import functions as F

from airflow_dags import plan
from extractor.errors import CatalogError, ConfigError, ContractError
from jobs import config, progress, runs
from jobs.session import open_session
from jobs.tables import Tables
from schemas.attributes import ATTRIBUTES
from schemas.runs import RUNS

PLANS: Mapping[str, Sequence[str]] = {
    "night": plan.NIGHT,
    **{model: plan.steps(plan.DEMO, model) for model in plan.VARIANTS},
}
"""The default steps by name of the plan, in order: a night with the model there is, or a demo that trains its own."""
FATES = ("published", "confirmed", "review", "abstained", "quarantined")
"""What publish made of every pair that was requested."""


class Took(NamedTuple):
    """A step that was run."""

    step: str
    seconds: float
    code: int


def main(argv: Sequence[str] | None = None) -> None:
    """Run the steps; the first that fails ends the night with its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m jobs.nightly", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--conf", action="append", default=[], metavar="FILE", help="as every job has it")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as every job has it")
    parser.add_argument("--day", required=True, type=date.fromisoformat, help="the day to process, YYYY-MM-DD")
    parser.add_argument("--plan", choices=PLANS, default="pam", help="whose default steps (default: pam)")
    parser.add_argument("steps", nargs="*", help="jobs in order; none: those of the plan")
    asked = parser.parse_args(argv)
    asked.steps = asked.steps or PLANS[asked.plan]
    try:
        conf = config.load([config.BASE, *asked.conf], asked.set)
        check(asked.steps)
        took = list(run_all(asked.steps, asked.conf, asked.set, asked.day))
        for line in table(took):
            progress.say("nightly", line)
        if took[-1].code:
            raise SystemExit(took[-1].code)
        for line in ending(asked.steps, conf, Tables(open_session("nightly", conf.spark), conf.warehouse)):
            progress.say("nightly", line)
    except CatalogError as error:
        progress.say("nightly", str(error))
        raise SystemExit(2) from error


def check(steps: Sequence[str]) -> None:
    """Refuse a step that is no job, or a conf file that is none, before the first one runs."""
    jobs = {
        file.stem for file in Path(__file__).parent.glob("*.py") if "\ndef main(" in file.read_text(encoding="utf-8")
    }
    for step in steps:
        name, *files = step.split(":")
        if name not in jobs - {"nightly"}:
            raise ConfigError("steps", step, f"one of {', '.join(sorted(jobs - {'nightly'}))}")
        if not all(Path(file).is_file() for file in files):
            raise ConfigError("steps", step, "an existing conf file after each colon")


def run_all(steps: Sequence[str], confs: Sequence[str], overrides: Sequence[str], day: date) -> Iterator[Took]:
    """Step after step, up to the first that fails."""
    for step in steps:
        took = run(step, confs, overrides, day)
        yield took
        if took.code:
            return


def run(step: str, confs: Sequence[str], overrides: Sequence[str], day: date) -> Took:
    """One step, as if it were started alone."""
    name, *own = step.split(":")
    argv = [part for conf in (*confs, *own) for part in ("--conf", conf)]
    argv += [part for override in overrides for part in ("--set", override)]
    began = time.monotonic()
    code = 0
    try:
        import_module(f"jobs.{name}").main([*argv, "--day", str(day)])
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    return Took(step, time.monotonic() - began, code)


def table(took: Sequence[Took]) -> list[str]:
    """The steps with their seconds, one line each, and their sum."""
    width = max(len(step.step) for step in took)
    lines = [
        f"{one.step:<{width}} {one.seconds:>8.1f} s{f'  stopped with {one.code}' if one.code else ''}" for one in took
    ]
    return [*lines, f"{'all':<{width}} {sum(one.seconds for one in took):>8.1f} s"]


def ending(steps: Sequence[str], conf: config.Conf, tables: Tables) -> list[str]:
    """Where the night's work lies, as far as its steps made any, and what became of every pair."""
    made = {step.partition(":")[0] for step in steps}
    lines = [f"report: {conf.report.out}"] if "report" in made else []
    if "publish" in made:
        lines = [f"published values: {tables.path(ATTRIBUTES)}", *lines, fates(tables)]
    return lines


def fates(tables: Tables) -> str:
    """What became of every pair: the counts of the newest publish, which must add up."""
    published = runs.succeeded(tables.read(RUNS), "publish")
    [newest] = published.orderBy(F.desc("started_at")).select("counts").limit(1).collect()
    counts = dict(newest.counts)
    missing = [name for name in ("requested", *FATES) if name not in counts]
    if missing:
        raise ContractError(
            f"table {RUNS.name}, counts of publish", f"no {', '.join(missing)}", "requested and every fate"
        )
    parts = " + ".join(f"{counts[name]:,} {name}" for name in FATES)
    if counts["requested"] != sum(counts[name] for name in FATES):
        raise ContractError(
            f"table {RUNS.name}, counts of publish", f"{counts['requested']:,} and {parts}", "equal sums"
        )
    return f"{counts['requested']:,} requested = {parts}"


if __name__ == "__main__":
    main()
