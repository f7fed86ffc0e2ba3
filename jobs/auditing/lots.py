"""Chance that can be drawn again: hashes in place of random numbers, and the names that drawn answers get."""

from pyspark.sql import Column
from pyspark.sql import functions as F

from schemas.predictions import PREDICTIONS

BETWEEN = "\u0000"


def lot(salt: str, *columns: str) -> Column:
    """A hash of some columns that nobody foresees who lacks the salt."""
    return F.sha2(F.concat_ws(BETWEEN, F.lit(salt), *columns), 256)


def share(start: int) -> Column:
    """Eight digits of the column `lot` from `start` (1 is the first, -8 the last eight) as a number from 0, below 1."""
    return F.conv(F.substring("lot", start, 8), 16, 10).cast("double") / 2**32


def item_id() -> Column:
    """How work sheets name an answer of a sample."""
    return F.substring(F.sha2(F.concat_ws(BETWEEN, "sample_id", *PREDICTIONS.key), 256), 1, 12)
