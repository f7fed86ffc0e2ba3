"""Read what auditors said: every line is checked, and a file with a wrong line is refused whole unless asked otherwise.

A line names its item, who looked, the verdict and, where it is wrong and known, the right value. Lines that were
recorded before change nothing, so a file may grow and be recorded again.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from extractor.errors import ContractError
from jobs import runs
from schemas.audit_items import AUDIT_ITEMS
from schemas.audits import AUDITS
from schemas.enums import Verdict

NEEDED = ("item_id", "verdict", "auditor")
COLUMNS = (*NEEDED, "right_value", "audited_at")
"""What is read of a file; a work sheet's other columns are for the eye."""
MOST_SHOWN = 20


class Line(NamedTuple):
    """One line of a file, as text."""

    number: int
    """Counted as an editor does, the header is line 1."""
    fields: Mapping[str, str]


class Said(NamedTuple):
    """A line that may be recorded."""

    number: int
    item_id: str
    verdict: Verdict
    auditor: str
    right_value: str | None
    audited_at: datetime


def record(job: runs.Job, file: Path, *, auditor: str, keep_good: bool) -> None:
    """Check a file of verdicts and append what is new.

    Raises:
        ContractError: a line is wrong and `keep_good` is not asked, or the file cannot be read at all.
    """
    lines = list(read(file))
    items = {row.item_id: row for row in named(job.tables.read_or_empty(AUDIT_ITEMS), lines).collect()}
    good, problems = checked(lines, set(items), auditor=auditor, now=job.started_at)
    for problem in problems[:MOST_SHOWN]:
        job.say(problem)
    if problems and not keep_good:
        raise ContractError(
            f"verdicts in {file}", f"{len(problems)} wrong lines of {len(lines)}", "none; mend them, or --keep-good"
        )
    known = newest(job.tables.read_or_empty(AUDITS), items)
    new = [said for said in good if known.get((said.item_id, said.auditor)) != (said.verdict, said.right_value)]
    rows = [row_of(said, items[said.item_id].asDict(), job.id) for said in new]
    if rows:
        job.tables.append(job.tables.rows(rows, AUDITS), AUDITS, txn=job.id)
    job.counts |= {"lines": len(lines), "recorded": len(rows), "known": len(good) - len(rows), "refused": len(problems)}


def read(file: Path) -> Iterator[Line]:
    """The lines that have a verdict: an item that nobody judged yet is not an error.

    Raises:
        ContractError: no such file, no UTF-8, no readable Parquet, or columns are missing.
    """
    if not file.is_file():
        raise ContractError(f"verdicts at {file}", "no file", "a CSV or Parquet file of verdicts")
    rows = _parquet(file) if file.suffix == ".parquet" else _csv(file)
    for number, row in rows:
        fields = {name: str(row.get(name) or "").strip() for name in COLUMNS}
        if fields["verdict"]:
            yield Line(number, fields)


def checked(lines: Sequence[Line], items: set[str], *, auditor: str, now: datetime) -> tuple[list[Said], list[str]]:
    """Lines that may be recorded, and what is wrong with the others, each with its number."""
    good: list[Said] = []
    problems: list[str] = []
    seen: dict[tuple[str, str], int] = {}
    for line in lines:
        try:
            said = _said(line, items, auditor=auditor, now=now)
            _once(seen, said)
        except ContractError as error:
            problems.append(f"line {line.number}: {error}")
        else:
            good.append(said)
    return good, problems


def newest(audits: DataFrame, items: Mapping[str, Any]) -> dict[tuple[str, str], tuple[str, str | None]]:
    """The last verdict and right value that each auditor gave of some items."""
    last = F.max_by(F.struct("verdict", "right_value"), "audited_at").alias("last")
    mine = audits.where(F.col("item_id").isin(sorted(items))).groupBy("item_id", "auditor").agg(last)
    return {(row.item_id, row.auditor): (row.last.verdict, row.last.right_value) for row in mine.collect()}


def named(items: DataFrame, lines: Sequence[Line]) -> DataFrame:
    """The items that lines speak of."""
    wanted = {line.fields["item_id"] for line in lines}
    return items.where(F.col("item_id").isin(sorted(wanted)))


def row_of(said: Said, item: Mapping[str, Any], run_id: str) -> dict[str, Any]:  # a row of AUDITS
    """What is appended."""
    of_item = {name: item[name] for name in AUDITS.columns if name in AUDIT_ITEMS.columns}
    return of_item | {
        "auditor": said.auditor,
        "verdict": str(said.verdict),
        "right_value": said.right_value,
        "audited_at": said.audited_at,
        "run_id": run_id,
    }


def _said(line: Line, items: set[str], *, auditor: str, now: datetime) -> Said:
    fields = line.fields
    if fields["item_id"] not in items:
        raise ContractError("item_id", fields["item_id"], "an item of a sample; did a spreadsheet change it?")
    if fields["verdict"] not in list(Verdict):
        raise ContractError("verdict", fields["verdict"], f"one of {', '.join(Verdict)}")
    who = fields["auditor"] or auditor
    if not who:
        raise ContractError("auditor", "", "who looked, here or by --auditor")
    right_value = fields["right_value"] or None
    if right_value is not None and fields["verdict"] != Verdict.WRONG:
        raise ContractError("right_value", right_value, f"nothing where the verdict is {fields['verdict']}")
    if "\N{REPLACEMENT CHARACTER}" in (right_value or ""):
        raise ContractError("right_value", right_value, "text in UTF-8; a spreadsheet has mangled it")
    return Said(line.number, fields["item_id"], Verdict(fields["verdict"]), who, right_value, _time(fields, now))


def _once(seen: dict[tuple[str, str], int], said: Said) -> None:
    first = seen.setdefault((said.item_id, said.auditor), said.number)
    if first != said.number:
        raise ContractError("item_id", said.item_id, f"once an auditor; line {first} has it already")


def _time(fields: Mapping[str, str], now: datetime) -> datetime:
    if not fields["audited_at"]:
        return now
    try:
        at = datetime.fromisoformat(fields["audited_at"])
    except ValueError:
        raise ContractError("audited_at", fields["audited_at"], "a time as 2026-01-15T12:30:00+00:00") from None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    if at > now:
        raise ContractError("audited_at", fields["audited_at"], "no time to come")
    return at


def _csv(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ContractError(f"verdicts at {file}", str(error), "text in UTF-8: save it as `CSV UTF-8`") from error
    # Spreadsheets of some countries write semicolons.
    head = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if head.count(";") > head.count(",") else ",")
    _has_columns(file, reader.fieldnames or ())
    for row in reader:
        yield reader.line_num, row


def _parquet(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        table = pq.read_table(file)
    except (OSError, ValueError) as error:
        raise ContractError(f"verdicts at {file}", str(error), "readable Parquet") from error
    _has_columns(file, table.column_names)
    yield from enumerate(table.to_pylist(), start=2)


def _has_columns(file: Path, found: Sequence[str]) -> None:
    missing = [name for name in ("item_id", "verdict") if name not in found]
    if missing:
        raise ContractError(f"verdicts at {file}", f"columns {', '.join(found)}", f"also {', '.join(missing)}")
