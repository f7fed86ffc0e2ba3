"""What auditors' files may hold: every wrong line is named with its number, every good one is read as it was meant."""

from datetime import UTC, datetime

import pytest

from extractor.errors import ContractError
from jobs.auditing import record
from jobs.auditing.record import Line
from schemas.enums import Verdict

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
GOOD = {"item_id": "a1", "verdict": "right", "right_value": "", "auditor": "ann", "audited_at": "2026-01-15T11:00:00Z"}


def check(*rows: dict, auditor=""):
    lines = [Line(number, GOOD | row) for number, row in enumerate(rows, start=2)]
    return record.checked(lines, {"a1", "b2"}, auditor=auditor, now=NOW)


BAD = {
    "an item that nobody drew": ({"item_id": "1.2E+11"}, "found 1.2E+11, expected an item of a sample"),
    "another word": ({"verdict": "ok"}, "expected one of right, wrong, cannot_tell, not_applicable"),
    "nobody": ({"auditor": ""}, "expected who looked"),
    "a right value of a right answer": ({"right_value": "Alba"}, "expected nothing where the verdict is right"),
    "mangled": ({"verdict": "wrong", "right_value": "Caf\N{REPLACEMENT CHARACTER}"}, "expected text in UTF-8"),
    "a time to come": ({"audited_at": "2031-01-01T00:00:00+00:00"}, "expected no time to come"),
    "a spreadsheet's date": ({"audited_at": "15/01/26 12:00"}, "expected a time as"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_line_is_named_with_its_number_and_the_others_are_read(case):
    change, expected = BAD[case]

    good, [problem] = check({}, {"item_id": "b2"} | change)

    assert [said.item_id for said in good] == ["a1"]
    assert problem.startswith("line 3: ")
    assert expected in problem


def test_an_auditor_judges_an_item_once_a_file_and_two_auditors_both():
    good, [problem] = check({}, {"auditor": "ben"}, {"verdict": "wrong"})

    assert [(said.auditor, said.verdict) for said in good] == [("ann", Verdict.RIGHT), ("ben", Verdict.RIGHT)]
    assert problem == "line 4: item_id: found a1, expected once an auditor; line 2 has it already"


def test_what_a_line_leaves_out_comes_from_the_command():
    [said], problems = check({"auditor": "", "audited_at": ""}, auditor="carla")

    assert problems == []
    assert (said.auditor, said.audited_at) == ("carla", NOW)


@pytest.mark.parametrize(
    "content",
    [
        "item_id,verdict,auditor\na1,right,ann\nb2,,ann\n",
        "item_id;verdict;auditor\r\na1;right;ann\r\n",
        "\ufeffitem_id,product_id,verdict,auditor\na1,p,right ,ann\n",
    ],
)
def test_files_are_read_as_spreadsheets_write_them_and_lines_without_a_verdict_are_left_out(tmp_path, content):
    file = tmp_path / "verdicts.csv"
    file.write_bytes(content.encode())

    [line] = record.read(file)

    assert line.number == 2
    assert (line.fields["item_id"], line.fields["verdict"], line.fields["auditor"]) == ("a1", "right", "ann")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("verdicts.csv", "item_id,verdict\nx,r\xefght\n".encode("latin-1"), "text in UTF-8"),
        ("verdicts.csv", b"product,verdict\nx,right\n", "also item_id"),
        ("verdicts.parquet", b"item_id,verdict\n", "readable Parquet"),
    ],
)
def test_a_file_that_is_none_says_what_is_wrong(tmp_path, name, content, expected):
    file = tmp_path / name
    file.write_bytes(content)

    with pytest.raises(ContractError, match=expected):
        list(record.read(file))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ContractError, match="nowhere"):
        list(record.read(tmp_path / "nowhere.csv"))
