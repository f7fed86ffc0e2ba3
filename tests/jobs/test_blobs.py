"""Feature blobs: what is stored, what is refused, and in which words."""

import numpy as np
import pyarrow as pa
import pytest

from jobs.feeds.blobs import examine
from jobs.feeds.imports import FEATURE, SEEN

NOT_FINITE = np.full((2, 3), np.nan, np.float16).tobytes()
OUTSIDE = np.array([[0, 0, 1, 1], [0, 0, 2, 1]], np.float32).tobytes()


def features(**other: object) -> dict[str, object]:
    boxes, regions = np.array([[0, 0, 1, 1]] * 2, np.float32), np.ones((2, 3), np.float16)
    row = {"image_hash": "h", "feature_schema": "f", "num_regions": 2, "dim": 3, "num_tokens": 0, "problem": None}
    return row | {"boxes": boxes.tobytes(), "regions": regions.tobytes(), "token_vectors": b""} | other


def seen(row: dict[str, object]) -> dict[str, object]:
    [batch] = examine(iter([pa.RecordBatch.from_pylist([row], schema=FEATURE)]), SEEN)
    return dict(batch.to_pylist()[0])


def test_sound_features_have_a_content_hash_that_changes_with_them():
    other = np.zeros((2, 3), np.float16).tobytes()

    hashes = {seen(row)["content_hash"] for row in (features(), features(), features(regions=other))}

    assert len(hashes) == 2
    assert None not in hashes


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        ({"regions": b"12"}, "regions: found 2 bytes, expected 12 bytes for 2 x 3 <f2"),
        ({"boxes": b""}, "boxes: found 0 bytes, expected 32 bytes for 2 x 4 <f4"),
        ({"num_tokens": 1}, "token_vectors: found 0 bytes, expected 6 bytes for 1 x 3 <f2"),
        ({"regions": NOT_FINITE}, "regions: found NaN or infinity, expected finite numbers"),
        ({"boxes": OUTSIDE}, "boxes: found 2, expected shares of the picture, 0 to 1"),
    ],
)
def test_bad_features_say_what_was_found_and_what_was_expected(other, problem):
    row = seen(features(**other))

    assert (row["problem"], row["content_hash"]) == (problem, None)


def test_a_problem_that_was_seen_before_stays_the_problem():
    assert seen(features(problem="no schema", regions=None))["problem"] == "no schema"
