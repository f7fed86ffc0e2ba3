"""Embeddings with something of their neighbours', of those that are there."""

import pytest
import torch

from extractor.nn.smear import Smear
from tests.extractor import reference

ABSENT = torch.tensor([[False, False, False, True, True], [False, False, False, False, False]])


@torch.no_grad()
def test_each_piece_takes_from_the_neighbours_that_are_there():
    torch.manual_seed(0)
    smear, piece_BXD = Smear(4), torch.randn(2, 5, 4)
    smear.before.weight.normal_()
    smear.behind.weight.normal_()

    found = smear(piece_BXD, ABSENT)

    for b in range(2):
        expected = reference.smeared(
            piece_BXD[b].tolist(), ABSENT[b].tolist(), smear.before.weight.tolist(), smear.behind.weight.tolist()
        )
        assert found[b].tolist() == [pytest.approx(row, abs=1e-5) for row in expected]


def test_at_first_nothing_is_changed_but_both_sides_learn():
    torch.manual_seed(0)
    smear, piece_BXD = Smear(4), torch.randn(2, 5, 4)

    found = smear(piece_BXD, ABSENT)
    found.square().sum().backward()

    assert torch.equal(found, piece_BXD)
    assert smear.before.weight.grad is not None
    assert smear.before.weight.grad.any()
    assert smear.behind.weight.grad is not None
    assert smear.behind.weight.grad.any()
