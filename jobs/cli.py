"""One command line for every job: --conf (repeatable), --set, --day, and a job's own few shorthands."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from jobs import config


@dataclass(frozen=True, kw_only=True)
class Command:
    """What was asked for: settings, checked, and the day to process."""

    conf: config.Conf
    day: date


def parse(
    name: str, argv: Sequence[str] | None, *, doc: str | None, shorthands: Mapping[str, str] | None = None
) -> Command:
    """Read the command line; `shorthands` maps a flag such as --products to the conf key that it sets."""
    parser = argparse.ArgumentParser(
        prog=f"python -m jobs.{name}", description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--conf",
        action="append",
        metavar="FILE",
        help="settings, YAML; repeatable, later files win key by key (conf/base.yaml is always read first)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="one setting by dotted key, YAML; wins over files; a value that is no valid YAML, such as SQL, stays text",
    )
    parser.add_argument("--day", required=True, type=date.fromisoformat, help="the day to process, YYYY-MM-DD")
    for flag, key in (shorthands or {}).items():
        parser.add_argument(flag, help=f"short for --set {key}=...", metavar="VALUE", nargs="?", const="true")
    parsed = vars(parser.parse_args(argv))
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)  # somewhere it is tomorrow already
    if parsed["day"] > tomorrow:
        parser.error(f"argument --day: found {parsed['day']}, expected {tomorrow} at most, by this machine's clock")
    short = [
        f"{key}={parsed[flag.removeprefix('--').replace('-', '_')]}"
        for flag, key in (shorthands or {}).items()
        if parsed[flag.removeprefix("--").replace("-", "_")] is not None
    ]
    conf = config.load([config.BASE, *(parsed["conf"] or [])], [*parsed["set"], *short])
    return Command(conf=conf, day=parsed["day"])
