"""Inside the tree nothing can be said but the values, each to its end."""

import pytest

from extractor.prefix_tree import ROOT, PrefixTree

END = 0


def spelt(tree, node=ROOT):
    """Every sequence that the tree permits."""
    return [
        (piece, *rest)
        for piece, after in tree.permitted(node).items()
        for rest in (spelt(tree, after) if tree.permitted(after) else [()])
    ]


@pytest.mark.parametrize(
    "sequences",
    [
        [(5, END)],
        [(5, 6, END), (5, 7, END), (8, END)],  # a beginning that two share
        [(5, END), (5, 6, END)],  # a value that begins another
        [(5, 5, END), (5, END)],  # a piece said twice
    ],
)
def test_exactly_the_values_can_be_said(sequences):
    assert sorted(spelt(PrefixTree(sequences))) == sorted(sequences)


def test_behind_a_shared_beginning_both_ends_are_open():
    tree = PrefixTree([(5, END), (5, 6, END)])

    after = tree.permitted(ROOT)[5]

    assert set(tree.permitted(after)) == {END, 6}


def test_a_value_given_twice_is_one():
    assert spelt(PrefixTree([(5, END), (5, END)])) == [(5, END)]


def test_a_tree_of_nothing_permits_nothing():
    assert not PrefixTree([]).permitted(ROOT)
