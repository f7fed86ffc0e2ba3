"""A night against the nights before it: what stops it, what does not, and which runs count as nights."""

from datetime import UTC, date, datetime, timedelta

import pytest

from extractor.errors import ContractError
from jobs import limits
from jobs.config import Limits
from schemas.runs import RUNS

LIMITS = Limits(nights=7, least=3, volume=0.5, quarantined=0.05, unknown=0.15)
USUAL = {"requested": 1000, "quarantined": 20, "unknown": 300}
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"requested": 499}, "499 pairs, expected 50% more or less than the usual 1,000"),
        ({"requested": 1501}, "1,501 pairs"),
        ({"quarantined": 71}, "7.1% of 1,000 pairs quarantined, expected at most 7.0%"),
        ({"unknown": 451}, "45.1% of 1,000 pairs unknown, expected at most 45.0%"),
    ],
)
def test_a_night_far_from_the_last_ones_stops(change, says):
    with pytest.raises(ContractError) as stop:
        limits.check(USUAL | change, [USUAL] * 3, LIMITS)

    assert says in str(stop.value)
    assert "--set publish.limits.nights=0" in str(stop.value)


@pytest.mark.parametrize("change", [{}, {"requested": 501, "unknown": 150}, {"quarantined": 69}, {"unknown": 0}])
def test_a_night_like_the_last_ones_goes_on(change):
    limits.check(USUAL | change, [USUAL] * 3, LIMITS)


def test_the_usual_is_a_median_and_too_few_nights_say_nothing():
    odd = USUAL | {"requested": 1}

    limits.check(USUAL, [USUAL, odd, USUAL], LIMITS)
    limits.check(odd, [USUAL, USUAL], LIMITS)
    with pytest.raises(ContractError):
        limits.check(odd, [USUAL, odd, USUAL], LIMITS)


def test_nights_are_the_last_publish_of_each_day_before(tables):
    def run(day, hour, requested, change):
        at = NOON + timedelta(hours=hour)
        return {
            "run_id": f"{day}-{hour}", "job": "publish", "day": date(2026, 1, day), "code_version": "1", "config": "{}",
            "inputs": [], "counts": [("requested", requested)], "model_calls": 0, "status": "succeeded",
            "started_at": at, "finished_at": at, "seconds": 1.0,
        } | change  # fmt: skip

    rows = [
        run(12, 0, 12, {}), run(13, 0, 13, {}), run(14, 0, 1, {}), run(14, 1, 14, {}), run(15, 0, 15, {}),
        run(14, 2, 2, {"status": "failed"}), run(14, 3, 3, {"job": "publish --dry-run"}),
    ]  # fmt: skip
    tables.append(tables.rows(rows, RUNS), RUNS, txn="runs")

    assert limits.nights_before(tables.read(RUNS), date(2026, 1, 15), 2) == [{"requested": 14}, {"requested": 13}]
