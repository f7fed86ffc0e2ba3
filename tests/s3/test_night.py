"""A whole night with everything on S3 says what it says on the file system."""

import pytest

from benchmarks import s3_night

pytestmark = pytest.mark.s3


def test_every_table_of_a_night_on_s3_has_the_rows_that_it_has_on_the_file_system(tmp_path):
    found = s3_night.compare(tmp_path, products=60, steps=60)

    assert {name: local for name, (local, _, _) in found["tables"].items() if local == 0} == {}
    assert {name: numbers for name, numbers in found["tables"].items() if len(set(numbers)) > 1} == {}
    assert found["leases"] >= len(s3_night.COMPARED)
