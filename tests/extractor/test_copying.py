"""Saying and copying are one distribution, whatever is barred, however sure the scores are."""

import math

import pytest
import torch

from extractor.nn.copying import CopyGate
from extractor.nn.smear import shifted
from tests.extractor import reference

NEVER = -math.inf
SOURCE = torch.tensor([[3, 5, 3, 6, 0], [4, 4, 2, 0, 0], [3, 5, 3, 6, 0]])
BARRED = torch.tensor(
    [[True, False, False, False, True], [False, False, True, True, True], [True, True, True, True, True]]
)


def inputs():
    """Three rows of two steps over five source pieces and eight pieces of the vocabulary; the last copies nothing."""
    torch.manual_seed(0)
    gate = CopyGate(4)
    state_RTD, encoded_RXD, embedded_RXD = torch.randn(3, 2, 4), torch.randn(3, 5, 4), torch.randn(3, 5, 4)
    score_RTV = torch.randn(3, 2, 8)
    score_RTV[..., 0] = NEVER  # padding is never said
    score_RTV[..., 6] = NEVER  # nor is this piece, but row 0 may copy it
    return gate, state_RTD, encoded_RXD, embedded_RXD, score_RTV


@torch.no_grad()
def test_saying_and_copying_mix_as_the_paper_says():
    gate, state_RTD, encoded_RXD, embedded_RXD, score_RTV = inputs()

    found = gate(state_RTD, gate.keys(encoded_RXD, embedded_RXD), score_RTV, SOURCE, BARRED)

    behind_RXD = torch.zeros_like(embedded_RXD)
    for x in range(1, 5):
        behind_RXD[:, x] = embedded_RXD[:, x - 1]
    for r in range(3):
        keys = [
            (gate.state.weight @ encoded_RXD[r, x] + gate.previous.weight @ behind_RXD[r, x]).tolist() for x in range(5)
        ]
        for t in range(2):
            state = state_RTD[r, t].tolist()
            query = reference.affine(gate.query.weight.tolist(), gate.query.bias.tolist(), state)
            [open_by] = reference.affine(gate.generate.weight.tolist(), gate.generate.bias.tolist(), state)
            chances, copies = reference.mixed(
                score_RTV[r, t].tolist(),
                [reference.dot(query, key) / 2 for key in keys],
                SOURCE[r].tolist(),
                BARRED[r].tolist(),
                open_by,
            )
            assert found.log_prob_RTV[r, t].exp().tolist() == pytest.approx(chances, abs=1e-6)
            assert found.copy_RTX[r, t].tolist() == pytest.approx(copies, abs=1e-6)
            share = 1.0 if r == 2 else 1 / (1 + math.exp(-open_by))
            assert found.generate_RT[r, t] == pytest.approx(share, abs=1e-6)
    assert torch.allclose(found.log_prob_RTV.logsumexp(-1), torch.zeros(3, 2), atol=1e-5)


@torch.no_grad()
def test_what_is_neither_scored_nor_open_to_copies_is_never_said():
    gate, state_RTD, encoded_RXD, embedded_RXD, score_RTV = inputs()

    found = gate(state_RTD, gate.keys(encoded_RXD, embedded_RXD), score_RTV, SOURCE, BARRED).log_prob_RTV

    assert (found[..., 0] == NEVER).all()
    assert found[0, :, 6].isfinite().all()  # copied
    assert (found[1:, :, 6] == NEVER).all()


@torch.no_grad()
def test_a_piece_copied_once_can_be_barred_at_the_next_step():
    gate, state_RTD, encoded_RXD, embedded_RXD, score_RTV = inputs()
    score_RTV[..., 5] = NEVER
    keys_RXD = gate.keys(encoded_RXD, embedded_RXD)
    copied_RX = torch.zeros_like(BARRED)
    copied_RX[0, 1] = True  # the only 5

    before = gate(state_RTD, keys_RXD, score_RTV, SOURCE, BARRED)
    after = gate(state_RTD, keys_RXD, score_RTV, SOURCE, BARRED | copied_RX)

    assert before.log_prob_RTV[0, :, 5].isfinite().all()
    assert (after.log_prob_RTV[0, :, 5] == NEVER).all()
    assert (after.copy_RTX[0, :, 2:4] > before.copy_RTX[0, :, 2:4]).all()
    assert torch.equal(before.log_prob_RTV[1], after.log_prob_RTV[1])


@torch.no_grad()
def test_a_row_with_nothing_to_copy_is_the_softmax_of_its_scores():
    gate, state_RTD, encoded_RXD, embedded_RXD, score_RTV = inputs()

    found = gate(state_RTD, gate.keys(encoded_RXD, embedded_RXD), score_RTV, SOURCE, BARRED)

    assert torch.allclose(found.log_prob_RTV[2], score_RTV[2].log_softmax(-1), atol=1e-6)
    assert torch.equal(found.generate_RT[2], torch.ones(2))
    assert not found.copy_RTX[2].any()


@torch.no_grad()
def test_garbage_in_barred_slots_changes_nothing():
    gate, state_RTD, encoded_RXD, embedded_RXD, score_RTV = inputs()
    key_RXD = gate.keys(encoded_RXD, embedded_RXD)
    other_RX = torch.where(BARRED, (SOURCE + 3) % 8, SOURCE)

    clean = gate(state_RTD, key_RXD, score_RTV, SOURCE, BARRED)
    dirty = gate(state_RTD, torch.where(BARRED[..., None], 1e4, key_RXD), score_RTV, other_RX, BARRED)

    for a, b in zip(clean, dirty, strict=True):
        assert torch.allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("size", [1.0, 100.0])
def test_losses_and_gradients_are_finite_however_sure_the_scores_are(size):
    gate, state_RTD, encoded_RXD, embedded_RXD, score_RTV = inputs()
    sources = [tensor.requires_grad_(True) for tensor in (state_RTD, encoded_RXD, embedded_RXD)]
    score_RTV.requires_grad_(True)
    gold_RT1 = torch.tensor([[6, 5], [4, 4], [7, 1]])[..., None]  # 6 can be copied only, 7 and 1 be said only

    found = gate(size * state_RTD, gate.keys(size * encoded_RXD, embedded_RXD), size * score_RTV, SOURCE, BARRED)
    loss = -found.log_prob_RTV.gather(-1, gold_RT1).sum()
    with torch.autograd.set_detect_anomaly(True):  # not even where a mask hides it
        loss.backward()

    assert loss.isfinite()
    for tensor in (*sources, score_RTV, *gate.parameters()):
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()
    assert score_RTV.grad is not None
    assert score_RTV.grad[2].any()
    assert all(weight.grad is not None and weight.grad.any() for weight in gate.parameters())


def test_gradients_are_those_of_the_probabilities():
    gate, state_RTD, encoded_RXD, embedded_RXD, score_RTV = inputs()
    gate.double()
    gold_RT1 = torch.tensor([[3, 5], [4, 2], [7, 1]])[..., None]

    def chance(state, encoded, score):
        mixed = gate(state, gate.keys(encoded, embedded_RXD.double()), score, SOURCE, BARRED)
        return mixed.log_prob_RTV.gather(-1, gold_RT1).double()

    rows = [tensor.double().requires_grad_(True) for tensor in (state_RTD, encoded_RXD, score_RTV.clamp(min=-5))]

    # Scores become float32 on the way, so steps and tolerances are those of float32.
    assert torch.autograd.gradcheck(chance, rows, eps=1e-2, atol=1e-2, rtol=1e-2)


def test_bfloat16_gives_float32_that_sums_to_one():
    gate, state_RTD, encoded_RXD, embedded_RXD, score_RTV = inputs()

    with torch.autocast("cpu", torch.bfloat16):
        found = gate(state_RTD, gate.keys(encoded_RXD, embedded_RXD), score_RTV, SOURCE, BARRED)

    assert found.log_prob_RTV.dtype == torch.float32
    assert torch.allclose(found.log_prob_RTV.logsumexp(-1), torch.zeros(3, 2), atol=1e-5)


@pytest.mark.parametrize(("by", "expected"), [(1, [0, 1, 2]), (-1, [2, 3, 0])])
def test_rows_move_by_one_and_zeros_come_in(by, expected):
    assert shifted(torch.tensor([[[1.0], [2.0], [3.0]]]), by)[0, :, 0].tolist() == expected
