"""Scores of all spans at once against one span after the other."""

import math

import torch
from torch.nn import functional as F

from extractor.nn.span_scores import Attributes, SpanScorer


def scorer():
    torch.manual_seed(0)
    return SpanScorer(word_dim=5, cls_dim=4, width=6, longest=3, num_features=2, dropout=0.0).double()


def test_every_span_is_scored_as_it_would_be_alone():
    net = scorer()
    word, cls = torch.randn(4, 5).double(), torch.randn(4).double()
    attribute = torch.randn(2, 6).double()
    string = torch.arange(12).view(4, 3)
    feature = torch.randn(12, 2, 2).double()

    score, silent = net(word[None], cls[None], attribute[None], string[None], feature[None])

    first, last, mean = net.parts(word).chunk(3, dim=-1)
    for start in range(4):
        for length in range(min(3, 4 - start)):
            end, size = start + length, net.length.weight[length]
            span = slice(start, end + 1)
            whole = F.gelu(first[start] + last[end] + mean[span].mean(0) + size)
            summed = (
                net.start(word[start]) + net.end(word[end]) + net.inside(word[span]).sum(0) + net.whole(whole) + size
            )
            for a in range(2):
                known = (
                    feature[string[start, length], a] * (net.weight_F + net.weight(attribute[a]) / math.sqrt(6))
                ).sum()
                expected = summed @ attribute[a] / math.sqrt(6) + known
                torch.testing.assert_close(score[0, start, length, a], expected)
    torch.testing.assert_close(silent[0], net.no_answer(cls) @ attribute.T / math.sqrt(6))


def test_an_attribute_without_a_name_is_its_question_and_nothing_else():
    torch.manual_seed(0)
    attributes = Attributes(question_dim=3, width=4, num_named=2, unnamed=0.0)
    question_GQ = torch.randn(3, 3)

    named = attributes(question_GQ, torch.tensor([1, 2, 0]), torch.tensor([[0, 2]]))

    torch.testing.assert_close(named[0, 0], attributes.question(question_GQ[0]) + attributes.name.weight[1])
    torch.testing.assert_close(named[0, 1], attributes.question(question_GQ[2]))


def test_in_training_some_products_know_their_attributes_by_question_alone():
    torch.manual_seed(0)
    attributes = Attributes(question_dim=3, width=4, num_named=1, unnamed=0.5)
    question_GQ, name_G, group_BA = torch.randn(1, 3), torch.tensor([1]), torch.zeros(64, 1, dtype=torch.long)

    trained = attributes(question_GQ, name_G, group_BA)[:, 0]
    asked = attributes.train(False)(question_GQ, name_G, group_BA)[:, 0]

    alone = (trained == attributes.question(question_GQ)).all(-1)
    assert 0 < int(alone.sum()) < 64
    torch.testing.assert_close(asked, (attributes.question(question_GQ) + attributes.name.weight[1]).expand(64, 4))
