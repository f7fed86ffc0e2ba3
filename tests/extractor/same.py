"""When two lists of predictions say the same: kernels may round differently where equal weights lie elsewhere."""

from collections.abc import Sequence
from dataclasses import fields

import pytest

from extractor.records import Prediction

SHARES = ("score", "sigmoid_score", "unknown_probability", "min_token_probability", "margin")
OTHERS = tuple(field.name for field in fields(Prediction) if field.name not in SHARES)


def assert_same(found: Sequence[Prediction], expected: Sequence[Prediction]) -> None:
    """All but the shares are equal, and those within 1e-5."""
    told, wanted = ([tuple(getattr(p, name) for name in OTHERS) for p in given] for given in (found, expected))
    assert told == wanted
    for name in SHARES:
        shares, wanted_shares = ([getattr(p, name) for p in given] for given in (found, expected))
        assert shares == pytest.approx(wanted_shares, abs=1e-5)
