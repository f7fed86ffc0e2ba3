"""The part of the job sample that runs on executors; it loads neither a model nor the settings."""

from collections.abc import Iterator

import pandas as pd
from pyspark import Accumulator

from extractor.synthetic.files import Plan, write_part

WRITTEN = "products long, pictures long"


def draw_parts(frames: Iterator[pd.DataFrame], *, plan: Plan, written: Accumulator[int]) -> Iterator[pd.DataFrame]:
    """Write the parts whose numbers stand in column `id`, for mapInPandas; a part written twice is the same part."""
    for frame in frames:
        for part in frame["id"]:
            counts = write_part(plan, int(part))
            written.add(counts.products)
            yield pd.DataFrame([counts])
