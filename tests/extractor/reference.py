"""The paper's formulas as plain loops, one number at a time: what the tensor code is compared with."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from extractor.answers import Decoded
from extractor.models.pam import Network
from extractor.nn import span_inputs
from extractor.nn.allowed import forbidden
from extractor.nn.inputs import EOS, NUM_SPECIAL, UNKNOWN, Batch
from extractor.nn.transformer import written_visible

Vector = Sequence[float]


def affine(weight: Sequence[Vector], bias: Vector, x: Vector) -> list[float]:
    """W x + b."""
    return [sum(w * value for w, value in zip(row, x, strict=True)) + b for row, b in zip(weight, bias, strict=True)]


def dot(left: Vector, right: Vector) -> float:
    """The sum of products."""
    return sum(a * b for a, b in zip(left, right, strict=True))


def edit_ratio(left: str, right: str) -> float:
    """Normalised indel ratio, 0..100: 200 x longest common subsequence / both lengths."""
    common = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            common[i + 1][j + 1] = common[i][j] + 1 if a == b else max(common[i][j + 1], common[i + 1][j])
    return 200 * common[-1][-1] / (len(left) + len(right))


def softmax(scores: Vector) -> list[float]:
    """Over the scores that are not -inf."""
    top = max(scores)
    parts = [math.exp(score - top) for score in scores]
    return [part / sum(parts) for part in parts]


def merged(scores: Vector, outcomes: Sequence[int], how: str) -> list[float]:
    """Probability of each outcome, copies added (logsumexp) or the best copy taken (max), MODELS 0.4."""
    if how == "logsumexp":
        found = [0.0] * len(scores)
        for share, outcome in zip(softmax(scores), outcomes, strict=True):
            found[outcome] += share
        return found
    best = [-math.inf] * len(scores)
    for score, outcome in zip(scores, outcomes, strict=True):
        best[outcome] = max(best[outcome], score)
    return softmax(best)


def bce(scores: Vector, right: Sequence[bool]) -> float:
    """Binary cross-entropy, summed over candidates that are present (MODELS 4.6)."""
    loss = 0.0
    for score, is_right in zip(scores, right, strict=True):
        if score > -math.inf:
            chance = 1 / (1 + math.exp(-score))
            loss -= math.log(chance if is_right else 1 - chance)
    return loss


def marginal(scores: Vector, right: Sequence[bool]) -> float:
    """Minus the log of the softmax mass on right candidates (MODELS 4.6)."""
    return -math.log(sum(share for share, is_right in zip(softmax(scores), right, strict=True) if is_right))


def normalised(x: Vector, gain: Vector, shift: Vector, eps: float) -> list[float]:
    """Layer normalisation."""
    mean = sum(x) / len(x)
    spread = math.sqrt(sum((value - mean) ** 2 for value in x) / len(x) + eps)
    return [(value - mean) / spread * g + s for value, g, s in zip(x, gain, shift, strict=True)]


def gelu(x: float) -> float:
    """The exact form, as BERT's."""
    return x * 0.5 * (1 + math.erf(x / math.sqrt(2)))


def attended(
    queries: list[Vector], keys: list[Vector], values: list[Vector], visible: list[list[bool]]
) -> list[Vector]:
    """One head: softmax(q k / sqrt(width)) v over what each query may see."""
    found: list[Vector] = []
    for query, sees in zip(queries, visible, strict=True):
        scores = [
            dot(query, key) / math.sqrt(len(query)) if seen else -math.inf for key, seen in zip(keys, sees, strict=True)
        ]
        shares = softmax(scores)
        found.append(
            [sum(share * value[i] for share, value in zip(shares, values, strict=True)) for i in range(len(query))]
        )
    return found


def adapted(
    text: Vector, image: Vector, gate: tuple[list[Vector], Vector], linear: tuple[list[Vector], Vector], beta: float
) -> tuple[list[float], float]:
    """MAG's H of one word and its alpha (MODELS 10.2)."""
    opened = [max(value, 0.0) for value in affine(*gate, [*text, *image])]
    seen = [dot(row, image) for row in linear[0]]
    move = [g * value + b for g, value, b in zip(opened, seen, linear[1], strict=True)]
    length = math.sqrt(dot(move, move))
    return move, min(math.sqrt(dot(text, text)) / ((length or 1.0) + 1e-6) * beta, 1.0)


def smeared(
    pieces: list[Vector], absent: Sequence[bool], before: list[Vector], behind: list[Vector]
) -> list[list[float]]:
    """x_j + A E_(j-1) + B E_(j+1), over neighbours that are there."""
    found = [list(piece) for piece in pieces]
    for j in range(len(pieces)):
        for neighbour, weight in ((j - 1, before), (j + 1, behind)):
            if 0 <= neighbour < len(pieces) and not absent[neighbour]:
                found[j] = [x + dot(row, pieces[neighbour]) for x, row in zip(found[j], weight, strict=True)]
    return found


def mixed(
    scores: Vector, matches: Vector, source: Sequence[int], barred: Sequence[bool], gate: float
) -> tuple[list[float], list[float]]:
    """Chance of each piece, said or copied, and the shares of the copies (See et al. 2017, eq. 9)."""
    copies = [0.0] * len(source)
    share = 1.0
    if not all(barred):
        copies = softmax([-math.inf if shut else match for match, shut in zip(matches, barred, strict=True)])
        share = 1 / (1 + math.exp(-gate))
    chances = [share * chance for chance in softmax(scores)]
    for piece, copy in zip(source, copies, strict=True):
        chances[piece] += (1 - share) * copy
    return chances, copies


def decode(network: Network, batch: Batch) -> Decoded:
    """Decode as M4C's code does: the whole transformer over all rows again for every step, nothing kept."""
    input_BSD, absent_BS = network.embed(batch)
    num_S, num_Q = input_BSD.shape[1], batch.group_BQ.shape[1]
    num_M = batch.text_absent_BM.shape[1]
    nothing = network.remember(batch, input_BSD, input_BSD, absent_BS, ())
    written = [network.begin(nothing)]
    steps: list[Decoded] = []
    done_BQ = ~batch.asked_BQ
    copy_BQ1 = torch.zeros_like(batch.group_BQ)[..., None]
    memory = nothing
    for step in range(int(batch.prefix_BQ.max()) + network.config.reads.longest_answer + 1):
        if step > 0:  # a copied word is embedded by the encoder rows, which written rows never change
            written.append(network.said(memory, copy_BQ1, num_M, first_step=step))
        row_BRD = torch.cat([part_BQ1D[:, :, 0] for part_BQ1D in written], dim=1)
        visible = all_visible(absent_BS, num_Q, step)
        output_BSD, _ = network.transformer(torch.cat([input_BSD, row_BRD], dim=1), None, visible)
        memory = network.remember(batch, input_BSD, output_BSD[:, :num_S], absent_BS, ())
        score_BQC = network.selector(output_BSD[:, -num_Q:, None], memory.keys)[:, :, 0]
        score_BQC = score_BQC.masked_fill(forbidden(batch, step, step + 1)[:, :, 0], -math.inf)
        said_BQ = torch.zeros_like(batch.group_BQ)
        copy_BQ1 = torch.zeros_like(batch.group_BQ)[..., None]
        columns = torch.zeros(5, *said_BQ.shape)
        for b in range(len(said_BQ)):
            for q in range(num_Q):
                scores, outcomes = score_BQC[b, q].tolist(), batch.outcome_BQC[b, q].tolist()
                chances = merged(scores, outcomes, network.config.merge)
                first, second = sorted(range(len(chances)), key=lambda place: -chances[place])[:2]
                said = NUM_SPECIAL + step if step < batch.prefix_BQ[b, q] else first
                said_BQ[b, q] = said
                same = [place for place, outcome in enumerate(outcomes) if outcome == said]
                copy_BQ1[b, q, 0] = max(same, key=lambda place: scores[place])
                sigmoid = 1 / (1 + math.exp(-max(scores[place] for place in same)))
                columns[:, b, q] = torch.tensor([chances[first], chances[UNKNOWN], second, chances[second], sigmoid])
        steps.append(Decoded(said_BQ, columns[0], columns[1], columns[2].long(), columns[3], columns[4]))
        ended = (said_BQ == EOS) | (said_BQ == UNKNOWN)
        done_BQ = done_BQ | (ended & (step >= batch.prefix_BQ))
        if done_BQ.all():
            break
    return Decoded(*(torch.stack(column, dim=-1) for column in zip(*steps, strict=True)))


def all_visible(absent_BS: Tensor, num_questions: int, step: int) -> Tensor:
    """[B, 1, S + R, S + R]: read rows see read rows, written rows see them and their own past."""
    written_B1RS = written_visible(num_questions, 0, step, absent_BS)
    num_B, _, num_R, num_all = written_B1RS.shape
    read_BSS = (~absent_BS)[:, None].expand(-1, num_all - num_R, -1)
    read_BSS = torch.cat([read_BSS, torch.zeros(num_B, num_all - num_R, num_R, dtype=torch.bool)], dim=-1)
    return torch.cat([read_BSS[:, None], written_B1RS], dim=2)


def span_loss(score_BNLA: Tensor, silent_BA: Tensor, batch: span_inputs.Batch, *, joint_weight: float) -> float:
    """The span model's loss: one product, one question, one span after the other."""
    questions, products = [], []
    num_B, num_N, num_L, num_A = score_BNLA.shape
    places = [(start, length) for start in range(num_N) for length in range(num_L)]
    for b in range(num_B):
        held = 0.0
        for a in range(num_A):
            weight = {place: math.exp(score_BNLA[b, *place, a]) for place in places}
            strings = {place: int(batch.string_BNL[b, *place]) for place in places}
            right = sum(weight[place] for place in places if batch.right_BUA[b, strings[place], a])
            none = math.exp(silent_BA[b, a])
            if batch.asked_BA[b, a]:
                questions.append(math.log(sum(weight.values()) + none) - math.log(right or none))
            if right and batch.apart_BA[b, a]:
                held += math.log(right)
        sums = [1.0]  # over the segmentations of the first 0, 1, .. words
        for end in range(1, num_N + 1):
            last = (length for length in range(num_L) if end - length - 1 >= 0)
            ends = (sums[end - n - 1] * score_BNLA[b, end - n - 1, n].exp().sum().item() for n in last)
            sums.append(sums[-1] + sum(ends))
        products.append(math.log(sums[-1]) - held)
    return sum(questions) / len(questions) + joint_weight * sum(products) / len(products)
