"""Contracts hold together: keys exist and are required, meanings are written, names are the enumerations'."""

import pyarrow as pa
import pytest

from schemas.catalogue import WAREHOUSE
from schemas.model_inputs import MODEL_INPUTS
from schemas.predictions import PREDICTIONS
from schemas.truth import TRUTH

TABLES = [*WAREHOUSE.values(), TRUTH, MODEL_INPUTS]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_key_is_made_of_required_columns(table):
    for name in table.key:
        assert not table.schema.field(name).nullable


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_column_says_what_it_means(table):
    for field in table.schema:
        assert len(field.metadata[b"meaning"]) > 2


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_blobs_are_binary_columns_and_all_of_them(table):
    binary = {field.name for field in table.schema if pa.types.is_binary(field.type)}

    assert set(table.blobs) == binary


def test_a_subset_keeps_the_order_asked_and_refuses_a_column_that_is_not_there():
    assert PREDICTIONS.subset("score", "product_id").names == ["score", "product_id"]
    with pytest.raises(KeyError):
        PREDICTIONS.subset("colour")


def test_decisions_and_audits_carry_the_whole_key_of_a_prediction():
    for name in ("decisions", "audits"):
        assert set(PREDICTIONS.key) <= set(WAREHOUSE[name].columns)
