"""The picture moves embeddings as S2 says, never further than allowed, and not at all where there is none."""

from dataclasses import replace

import pytest
import torch

from extractor.errors import ConfigError
from extractor.nn.mag import AdaptationGate, Config, rms
from extractor.nn.t5 import T5, Sizes
from tests.extractor import reference

STILL = Config(dropout=0.0)
HERE, GONE = torch.tensor([False]), torch.tensor([True])


def golden(beta):
    """The gate of MODELS 10.2's example."""
    gate = AdaptationGate(replace(STILL, beta=beta), width=4, image_dim=3, embed_rms=1.0)
    with torch.no_grad():
        gate.gate.weight.copy_(torch.arange(28).view(4, 7) / 20 - 0.5)
        gate.gate.bias.fill_(0.1)
        gate.image.weight.copy_(torch.arange(12).view(4, 3) / 10 - 0.4)
        gate.bias.fill_(0.05)
    return gate


def drawn(config=STILL):
    torch.manual_seed(0)
    return AdaptationGate(config, width=6, image_dim=5, embed_rms=1.0)


TEXT = torch.tensor([[[1.0, 2, 3, 4], [0.5, -0.5, 0, 1]]])
IMAGE = torch.tensor([[1.0, -1, 0.5]])


@torch.no_grad()
def test_the_worked_example_comes_out():
    moved = TEXT + golden(1.0).move(TEXT, IMAGE, HERE)
    small = golden(0.001).move(TEXT, IMAGE, HERE)
    whole = golden(1e9).move(TEXT, IMAGE, HERE)

    expected = [[1.05, 2.05, 3.38, 5.79375], [0.55, -0.455, 0.1125, 1.3375]]
    assert moved[0].tolist() == [pytest.approx(row, abs=1e-5) for row in expected]
    alpha = small.norm(dim=-1) / whole.norm(dim=-1)
    assert alpha[0].tolist() == pytest.approx([0.0029850, 0.0033827], abs=1e-7)


@pytest.mark.parametrize("beta", [0.001, 0.3, 1.0])
@torch.no_grad()
def test_words_move_as_the_equations_say(beta):
    gate = drawn(replace(STILL, beta=beta))
    gate.bias.normal_()
    text_BXD, image_BV = torch.randn(2, 3, 6), torch.randn(2, 5)

    found = gate.move(text_BXD, image_BV, torch.tensor([False, False]))

    opens = (gate.gate.weight.tolist(), gate.gate.bias.tolist())
    moves = (gate.image.weight.tolist(), gate.bias.tolist())
    for b in range(2):
        for x in range(3):
            move, alpha = reference.adapted(text_BXD[b, x].tolist(), image_BV[b].tolist(), opens, moves, beta)
            assert found[b, x].tolist() == pytest.approx([alpha * value for value in move], abs=1e-5)


@pytest.mark.parametrize("beta", [0.0, 0.001, 1.0])
@torch.no_grad()
def test_no_word_moves_further_than_beta_times_its_length(beta):
    gate = drawn(replace(STILL, beta=beta))
    text_BXD, image_BV = torch.randn(4, 9, 6), 100 * torch.randn(4, 5)

    moved_BX = gate.move(text_BXD, image_BV, torch.zeros(4, dtype=torch.bool)).norm(dim=-1)

    assert (moved_BX <= beta * text_BXD.norm(dim=-1) + 1e-5).all()
    assert beta == 0 or moved_BX.max() > 0.5 * beta  # and the bound is reached


@torch.no_grad()
def test_what_comes_out_is_normed_and_in_training_dropped():
    gate = drawn(Config(dropout=0.5))
    text_BXD, image_BV = torch.randn(1, 50, 6), torch.randn(1, 5)

    kept = gate.train(False)(text_BXD, image_BV, HERE)
    dropped = gate.train(True)(text_BXD, image_BV, HERE)

    moved_BXD = text_BXD + gate.move(text_BXD, image_BV, HERE)
    expected = reference.normalised(moved_BXD[0, 7].tolist(), [1.0] * 6, [0.0] * 6, gate.norm.eps)
    assert kept[0, 7].tolist() == pytest.approx(expected, abs=1e-5)
    assert 0.3 < (dropped == 0).float().mean() < 0.7


@torch.no_grad()
def test_at_first_a_product_without_picture_is_its_text():
    gate = drawn().train(False)
    text_BXD, garbage_BV = torch.randn(1, 4, 6), torch.full((1, 5), torch.nan)

    found = gate(text_BXD, garbage_BV, GONE)

    assert not gate.move(text_BXD, garbage_BV, GONE).any()
    assert torch.equal(found, gate.norm(text_BXD))


def test_what_stands_for_no_picture_is_learnt_and_then_used():
    gate = drawn()
    text_BXD, image_BV = torch.randn(1, 4, 6), torch.randn(1, 5)

    gate(text_BXD, image_BV, GONE)[..., 0].sum().backward()
    assert gate.no_image.grad is not None
    assert gate.no_image.grad.any()
    with torch.no_grad():
        gate.no_image.copy_(image_BV[0])
        assert torch.equal(gate(text_BXD, 0 * image_BV, GONE), gate(text_BXD, image_BV, HERE))


def test_without_a_move_the_bound_still_holds_for_what_is_learnt():
    gate = drawn(replace(STILL, beta=0.001))
    text_BXD = torch.randn(1, 4, 6)

    gate.move(text_BXD, torch.zeros(1, 5), GONE).sum().backward()

    # 1 in place of |H| = 0: alpha is beta |T| there, not 1
    assert gate.bias.grad is not None
    assert gate.bias.grad.tolist() == pytest.approx([0.001 * float(text_BXD.norm(dim=-1).sum())] * 6, rel=1e-4)


@pytest.mark.parametrize("absent", [HERE, GONE])
def test_zero_rows_have_finite_values_and_gradients(absent):
    gate = drawn()
    text_BXD = torch.zeros(1, 3, 6, requires_grad=True)

    found = gate(text_BXD, torch.zeros(1, 5), absent)
    (found * torch.randn_like(found)).sum().backward()

    assert found.isfinite().all()
    assert text_BXD.grad is not None
    assert text_BXD.grad.isfinite().all()
    for name, weight in gate.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name


@pytest.mark.parametrize(("gain", "expected"), [("embed_rms", 3.0), ("one", 1.0)])
@torch.no_grad()
def test_the_norm_starts_at_the_size_that_the_blocks_expect(gain, expected):
    table_PD = 3 * torch.randn(500, 6)

    gate = AdaptationGate(replace(STILL, gain=gain), width=6, image_dim=5, embed_rms=rms(table_PD))

    assert gate.norm.weight.tolist() == pytest.approx([expected] * 6, rel=0.05)
    assert not gate.norm.bias.any()


@torch.no_grad()
def test_with_the_gate_off_the_encoder_is_plain_t5():
    torch.manual_seed(0)
    model = T5(Sizes(width=64, feed=96, heads=4, head_width=16, encoder_layers=2, decoder_layers=1, num_pieces=50))
    model.train(False).shared.weight.mul_(5.0)  # published tables are nowhere near 1
    gate = AdaptationGate(STILL, width=64, image_dim=5, embed_rms=rms(model.shared.weight))
    gate.image.weight.zero_()
    input_BXD = model.embed(torch.randint(50, (2, 12)))
    absent_BX = torch.zeros(2, 12, dtype=torch.bool)

    gated_BXD = gate(input_BXD, torch.zeros(2, 5), torch.tensor([False, False]))
    plain, gated = (model.encode(rows, absent_BX) for rows in (input_BXD, gated_BXD))

    normed = input_BXD - input_BXD.mean(-1, keepdim=True)
    normed = normed / normed.square().mean(-1, keepdim=True).sqrt() * rms(model.shared.weight)
    assert torch.allclose(gated_BXD, normed, atol=1e-4)
    assert torch.cosine_similarity(plain, gated, dim=-1).min() >= 0.95


def test_a_negative_beta_is_refused():
    with pytest.raises(ConfigError, match="beta"):
        Config(beta=-1.0)
