"""Two systems on the same cells: where they agree, who is right, and in which slice."""

import pytest

from extractor import evaluation, metrics
from extractor.evaluation import Cell, Slice


def cell(product_id: str, gold: tuple[str, ...], said: str | None, *, attribute="brand", stands="title"):
    return Cell(
        product_id=product_id, product_type="tea", attribute=attribute, stands=stands, gold=gold, said=said,
        score=None if said is None else 0.9, outcome=metrics.outcome(gold, said),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("gold", "one", "other", "expected"),
    [  # expected: agree, both right, both wrong, only the first right, only the second
        (("Alba",), "Alba", "alba", (1, 1, 0, 0, 0)),
        (("mint", "peppermint"), "mint", "peppermint", (1, 1, 0, 0, 0)),  # both right, in other words
        (("Alba",), "Oru", "ORU", (1, 0, 1, 0, 0)),
        (("Alba",), "Oru", "Nine", (0, 0, 1, 0, 0)),
        (("Alba",), None, None, (1, 0, 1, 0, 0)),
        ((), None, None, (1, 1, 0, 0, 0)),
        (("Alba",), "Alba", None, (0, 0, 0, 1, 0)),
        ((), "Alba", None, (0, 0, 0, 0, 1)),
    ],
)
def test_two_answers_agree_or_differ_and_are_right_or_wrong(gold, one, other, expected):
    [side, *_] = evaluation.side_by_side([cell("p", gold, one)], [cell("p", gold, other)])

    assert (side.agree, side.both_right, side.both_wrong, side.right.only_a, side.right.only_b) == expected
    assert side.num == 1


def test_every_slice_counts_its_own_cells_and_tests_them_alone():
    gold = ("Alba",)
    a = [cell(f"p{i}", gold, "Alba", stands="pack") for i in range(6)] + [cell("q", gold, None, attribute="maker")]
    b = [cell(f"p{i}", gold, "Oru", stands="pack") for i in range(6)] + [cell("q", gold, "Alba", attribute="maker")]

    sides = {side.of: (*side.right[:2], round(side.right.p, 9)) for side in evaluation.side_by_side(a, b)}

    assert sides == {
        Slice(): (6, 1, 0.125),  # twice the chance of at most 1 of 7
        Slice(slice="stands=pack"): (6, 0, 0.03125),
        Slice(slice="stands=title"): (0, 1, 1.0),
        Slice(attribute="brand"): (6, 0, 0.03125),
        Slice(attribute="maker"): (0, 1, 1.0),
    }
