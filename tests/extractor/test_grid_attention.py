"""The text looks at the cells of a picture: weights over cells, not words; and nothing but the text where none is."""

from dataclasses import replace

import pytest
import torch

from extractor.errors import ConfigError
from extractor.nn.grid_attention import Config, GridAttention
from tests.extractor import reference

SMALL = Config(width=8, heads=2, dropout=0.0)
HERE = torch.tensor([False, False])


def drawn(side=3, config=SMALL):
    """One that has learnt something: at first it adds nothing."""
    torch.manual_seed(0)
    attention = GridAttention(config, width=6, cell_dim=5, side=side)
    torch.nn.init.normal_(attention.out.weight)
    return attention


def seen(side=3):
    torch.manual_seed(1)
    return torch.randn(2, 4, 6), torch.randn(2, side * side, 5)


@torch.no_grad()
def test_what_is_seen_is_attention_over_cells_and_their_places():
    attention, (text_BXD, cell_BGV) = drawn(), seen()

    found = attention(text_BXD, cell_BGV, HERE)

    places = [attention.row[y] + attention.column[x] for y in range(3) for x in range(3)]
    cells = [(cell + place).tolist() for cell, place in zip(cell_BGV[0], places, strict=True)]
    queries, keys, values = (
        [[reference.dot(row, x) for row in layer.weight.tolist()] for x in rows]
        for layer, rows in ((attention.query, text_BXD[0].tolist()), (attention.key, cells), (attention.value, cells))
    )
    heads = [
        reference.attended(
            [query[half] for query in queries],
            [key[half] for key in keys],
            [value[half] for value in values],
            [[True] * 9] * 4,
        )
        for half in (slice(4), slice(4, 8))
    ]
    for x in range(4):
        saw = torch.tensor([*heads[0][x], *heads[1][x]])
        saw = saw / (saw.square().mean() + 1e-6).sqrt()
        expected = text_BXD[0, x] + attention.out.weight @ torch.cat([text_BXD[0, x], saw])
        assert found.state_BXD[0, x].tolist() == pytest.approx(expected.tolist(), abs=1e-4)


@torch.no_grad()
def test_weights_sum_to_one_over_cells_and_not_over_words():
    attention, (text_BXD, cell_BGV) = drawn(), seen()

    weight_BXG = attention(10 * text_BXD, cell_BGV, HERE).weight_BXG

    assert weight_BXG.shape == (2, 4, 9)
    assert torch.allclose(weight_BXG.sum(2), torch.ones(2, 4))
    assert (weight_BXG.sum(1) - 1).abs().max() > 0.1


@torch.no_grad()
def test_words_look_at_different_cells_of_a_grid_but_one_vector_shows_all_the_same():
    text_BXD, cell_BGV = seen()
    grid, single = drawn(side=3), drawn(side=1)

    of_grid, grid_weight = grid.look(text_BXD, cell_BGV, HERE)
    of_single, single_weight = single.look(text_BXD, cell_BGV[:, :1], HERE)

    assert torch.equal(single_weight, torch.ones(2, 4, 1))
    assert torch.equal(of_single, of_single[:, :1].expand_as(of_single))
    assert not torch.allclose(of_grid[:, 0], of_grid[:, 1], atol=1e-3)
    assert not torch.allclose(grid_weight[:, 0], grid_weight[:, 1], atol=1e-3)


@torch.no_grad()
def test_at_first_the_decoder_reads_the_text_and_nothing_else():
    torch.manual_seed(0)
    attention, (text_BXD, cell_BGV) = GridAttention(SMALL, width=6, cell_dim=5, side=3), seen()

    found = attention(text_BXD, cell_BGV, torch.tensor([False, True]))

    assert torch.equal(found.state_BXD, text_BXD)


@torch.no_grad()
def test_the_place_of_a_cell_counts():
    attention, (text_BXD, cell_BGV) = drawn(), seen()
    attention.row.normal_()

    found, turned = (attention(text_BXD, cells, HERE).state_BXD for cells in (cell_BGV, cell_BGV.flip(1)))

    assert not torch.allclose(found, turned, atol=1e-3)


@torch.no_grad()
def test_an_absent_picture_is_not_read_and_looked_at_nowhere():
    attention, (text_BXD, cell_BGV) = drawn(), seen()
    absent_B = torch.tensor([False, True])
    garbage_BGV = cell_BGV.clone()
    garbage_BGV[1] = torch.nan

    clean, dirty = (attention(text_BXD, cells, absent_B) for cells in (cell_BGV, garbage_BGV))

    assert all(torch.equal(a, b) for a, b in zip(clean, dirty, strict=True))
    assert not clean.weight_BXG[1].any()
    assert torch.allclose(clean.state_BXD[1], text_BXD[1] + text_BXD[1] @ attention.out.weight[:, :6].T, atol=1e-6)
    assert torch.equal(clean.state_BXD[0], attention(text_BXD, cell_BGV, HERE).state_BXD[0])


@pytest.mark.parametrize("absent", [False, True])
def test_gradients_are_finite_with_and_without_pictures(absent):
    attention, (text_BXD, cell_BGV) = drawn(), seen()
    text_BXD.requires_grad_(True)

    attention(text_BXD, 0 * cell_BGV, torch.tensor([absent, absent])).state_BXD.square().sum().backward()

    assert text_BXD.grad is not None
    assert text_BXD.grad.isfinite().all()
    for name, weight in attention.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
        assert absent or weight.grad.any(), name


def test_from_a_fresh_start_all_of_it_learns():
    torch.manual_seed(0)
    attention, (text_BXD, cell_BGV) = GridAttention(SMALL, width=6, cell_dim=5, side=3), seen()
    wanted_BXD = torch.randn_like(text_BXD)
    optimiser = torch.optim.SGD(attention.parameters(), lr=0.1)

    for _ in range(2):
        optimiser.zero_grad()
        (attention(text_BXD, cell_BGV, HERE).state_BXD - wanted_BXD).square().mean().backward()
        optimiser.step()

    for name, weight in attention.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.any(), name


@torch.no_grad()
def test_only_what_is_added_is_dropped():
    attention, (text_BXD, cell_BGV) = drawn(config=replace(SMALL, dropout=0.5)), seen()

    added_BXD = attention.train(True)(text_BXD, cell_BGV, HERE).state_BXD - text_BXD

    assert 0.2 < (added_BXD == 0).float().mean() < 0.8


@pytest.mark.parametrize("heads", [0, 3])
def test_heads_that_do_not_divide_the_width_are_refused(heads):
    with pytest.raises(ConfigError, match="heads"):
        replace(SMALL, heads=heads)
