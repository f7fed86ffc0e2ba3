"""Cutting enrich's work: ranges of keys, none larger than asked by more than one key."""

from itertools import pairwise

import pytest

from jobs import chunks, inputs
from jobs.chunks import Chunk, Size
from jobs.inputs import Range

PICTURES = "array<struct<tokens: array<int>>>"
ROWS = f"{inputs.ROUTE} string, asked array<int>, title string, bullets array<string>, pictures {PICTURES}"


def work(spark, pairs):
    rows: list[tuple[object, ...]] = [
        (key, [0] * num_pairs, "é" * num_bytes, [], []) for key, (num_pairs, num_bytes) in pairs.items()
    ]
    return spark.createDataFrame(rows, ROWS)


@pytest.mark.parametrize(
    ("pairs", "most", "ends"),
    [
        ({"a": (2, 0), "b": (2, 0), "c": (2, 0)}, Size(6, 99), [None, None]),
        ({"a": (2, 0), "b": (2, 0), "c": (2, 0)}, Size(3, 99), [None, "c", None]),
        ({"c": (2, 0), "a": (2, 0), "b": (2, 0)}, Size(2, 99), [None, "b", "c", None]),
        ({"a": (9, 0), "b": (1, 0)}, Size(2, 99), [None, "b", None]),  # one picture is never cut in two
        ({"a": (1, 5), "b": (1, 1), "c": (1, 1)}, Size(6, 10), [None, "b", None]),  # bytes close a chunk, too
    ],
)
def test_work_is_cut_by_route_into_chunks_of_about_the_size_asked(spark, pairs, most, ends):
    rows = work(spark, pairs)

    found = chunks.cut(rows, chunks.size(rows), most)

    assert [chunk.within for chunk in found] == [Range(*both) for both in pairwise(ends)]
    assert sum(chunk.size.num_pairs for chunk in found) == sum(num for num, _ in pairs.values())
    assert sum(chunk.size.text_bytes for chunk in found) == sum(2 * num for _, num in pairs.values())


def test_texts_and_words_are_counted_in_bytes(spark):
    row = ("a", [0], None, ["née", "b"], [{"tokens": [1, 2]}, {"tokens": []}])

    assert chunks.size(spark.createDataFrame([row], ROWS)) == Size(1, 4 + 1 + 2 * inputs.WORD_BYTES)
    assert chunks.size(spark.createDataFrame([], ROWS)) == Size(0, 0)


def test_a_chunk_is_a_range(spark):
    rows = work(spark, {"a": (1, 0)})

    assert chunks.cut(rows, Size(1, 0), Size(1, 0)) == [Chunk(inputs.WHOLE, Size(1, 0))]
