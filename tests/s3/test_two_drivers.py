"""Two real drivers write to one table on S3 at once: under leases no commit is lost."""

import pytest

from benchmarks import two_drivers

pytestmark = pytest.mark.s3


def test_no_commit_of_two_drivers_is_lost_or_made_twice(store):
    outcome = two_drivers.compete(store, "lease", commits=6)

    assert (outcome.reported, outcome.failed) == (12, 0)
    assert (outcome.lost_rows, outcome.double_rows) == (0, 0)
