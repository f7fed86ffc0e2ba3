"""T5 (Raffel et al. 2020), with the weight names of published checkpoints, so that those load by key.

B products, R decoder rows (B, or more where one product has many questions), X encoder pieces, T steps of this call,
S steps written so far, K keys, V pieces of the vocabulary, D model width, H heads, E width of a head.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self, TypeAlias, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from extractor.errors import ModelError
from extractor.nn.norm import RMSNorm
from extractor.nn.transformer import Seen

EPSILON = 1e-6
"""Of every RMSNorm: all published T5 have this one."""

Past: TypeAlias = Seen
"""Self-attention keys and values of what a decoder layer wrote; `with_room` lets later steps write in place."""

UNSAID: Mapping[str, object] = {
    "feed_forward_proj": "relu",
    "relative_attention_max_distance": 128,
    "tie_word_embeddings": True,
    "scale_decoder_outputs": True,
}
"""What a T5 config.json means where it is silent: the oldest, t5-small's among them, know none of these keys."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The shape of a T5; the defaults are t5-small's."""

    width: int = 512
    """Model width D."""
    feed: int = 2048
    """Width between the two layers of the feed-forward part."""
    heads: int = 8
    """Attention heads H."""
    head_width: int = 64
    """Width E of a head; H times E need not be D."""
    encoder_layers: int = 6
    """Blocks that read."""
    decoder_layers: int = 6
    """Blocks that write."""
    num_pieces: int = 32128
    """Rows V of the embedding table, which is the output table too."""
    dropout: float = 0.1
    """Share of activations dropped in training."""
    num_buckets: int = 32
    """Classes of distance that the relative bias tells apart."""
    max_distance: int = 128
    """From here on all distances are one class."""
    gated: bool = False
    """A feed-forward part of two factors, the first through GELU, in place of ReLU."""

    @classmethod
    def of(cls, config: Mapping[str, object]) -> Self:
        """What a published config.json says; ModelError where it names something that this T5 cannot do."""
        said = {**UNSAID, "num_decoder_layers": config.get("num_layers"), **config}
        for key, able in (
            ("model_type", ("t5",)),
            ("feed_forward_proj", ("relu", "gated-gelu")),
            ("layer_norm_epsilon", (EPSILON,)),
            ("tie_word_embeddings", (True,)),
            ("scale_decoder_outputs", (True,)),
        ):
            if said.get(key) not in able:
                raise ModelError(f"T5 setting {key!r}", repr(said.get(key)), " or ".join(map(repr, able)))
        dropout = said.get("dropout_rate")
        if not isinstance(dropout, int | float) or not 0 <= dropout < 1:
            raise ModelError("T5 setting 'dropout_rate'", repr(dropout), "a share from 0 to below 1")
        num_buckets, max_distance = (
            _count(said, f"relative_attention_{key}") for key in ("num_buckets", "max_distance")
        )
        if num_buckets < 4 or max_distance <= num_buckets // 2:
            expected = "at least 4, and a largest distance of more than half of them"
            raise ModelError("T5 settings of distance", f"{num_buckets} buckets up to {max_distance}", expected)
        return cls(
            width=_count(said, "d_model"),
            feed=_count(said, "d_ff"),
            heads=_count(said, "num_heads"),
            head_width=_count(said, "d_kv"),
            encoder_layers=_count(said, "num_layers"),
            decoder_layers=_count(said, "num_decoder_layers"),
            num_pieces=_count(said, "vocab_size"),
            dropout=float(dropout),
            num_buckets=num_buckets,
            max_distance=max_distance,
            gated=said["feed_forward_proj"] == "gated-gelu",
        )


def _count(said: Mapping[str, object], key: str) -> int:
    found = said.get(key)
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise ModelError(f"T5 setting {key!r}", repr(found), "a whole number above 0")
    return found


class Crossed(NamedTuple):
    """What one decoder layer sees of the encoder's states: computed once, used at every step."""

    key_BHXE: Tensor
    value_BHXE: Tensor


class Attention(nn.Module):
    """Attention without 1/sqrt(E), which T5 puts into the start of `q`; where `biased`, distance adds to the score."""

    def __init__(self, sizes: Sizes, *, biased: bool = False) -> None:
        super().__init__()
        inner = sizes.heads * sizes.head_width
        self.heads, self.dropout = sizes.heads, sizes.dropout
        self.q = nn.Linear(sizes.width, inner, bias=False)
        self.k = nn.Linear(sizes.width, inner, bias=False)
        self.v = nn.Linear(sizes.width, inner, bias=False)
        self.o = nn.Linear(inner, sizes.width, bias=False)
        if biased:
            self.relative_attention_bias = nn.Embedding(sizes.num_buckets, sizes.heads)

    def seen(self, row_RKD: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values [R, H, K, E] of some rows."""
        return self._split(self.k(row_RKD)), self._split(self.v(row_RKD))

    def forward(self, row_RTD: Tensor, key_RHKE: Tensor, value_RHKE: Tensor, mask_RHTK: Tensor) -> Tensor:
        """What each row reads [R, T, D]; a float mask is added, a boolean one says what is visible."""
        read_RHTE = F.scaled_dot_product_attention(
            self._split(self.q(row_RTD)),
            key_RHKE,
            value_RHKE,
            attn_mask=mask_RHTK,
            dropout_p=self.dropout if self.training else 0.0,
            scale=1.0,
        )
        read_RTD: Tensor = self.o(read_RHTE.transpose(1, 2).flatten(2))
        return read_RTD

    def _split(self, row_RTI: Tensor) -> Tensor:
        return row_RTI.view(*row_RTI.shape[:2], self.heads, -1).transpose(1, 2)


class SelfLayer(nn.Module):
    """Rows read rows of their own stack."""

    def __init__(self, sizes: Sizes, *, biased: bool) -> None:
        super().__init__()
        self.SelfAttention = Attention(sizes, biased=biased)
        self.layer_norm = RMSNorm(sizes.width, eps=EPSILON)
        self.dropout = nn.Dropout(sizes.dropout)

    def forward(self, row_RTD: Tensor, bias_RHTK: Tensor, past: Past | None) -> tuple[Tensor, Past]:
        """New states, and what later rows may see: `past` and these rows."""
        normed_RTD = self.layer_norm(row_RTD)
        key_RHTE, value_RHTE = self.SelfAttention.seen(normed_RTD)
        past = Past(key_RHTE, value_RHTE) if past is None else past.then(key_RHTE, value_RHTE)
        return row_RTD + self.dropout(self.SelfAttention(normed_RTD, *past[:2], bias_RHTK)), past


class CrossLayer(nn.Module):
    """Decoder rows read the encoder's states."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.EncDecAttention = Attention(sizes)
        self.layer_norm = RMSNorm(sizes.width, eps=EPSILON)
        self.dropout = nn.Dropout(sizes.dropout)

    def forward(self, row_RTD: Tensor, crossed: Crossed, visible_R11X: Tensor) -> Tensor:
        """New states."""
        read_RTD: Tensor = self.dropout(self.EncDecAttention(self.layer_norm(row_RTD), *crossed, visible_R11X))
        return row_RTD + read_RTD


class Feed(nn.Module):
    """wo ReLU(wi x), or wo (GELU(wi_0 x) * wi_1 x)."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gated = sizes.gated
        if sizes.gated:
            self.wi_0 = nn.Linear(sizes.width, sizes.feed, bias=False)
            self.wi_1 = nn.Linear(sizes.width, sizes.feed, bias=False)
        else:
            self.wi = nn.Linear(sizes.width, sizes.feed, bias=False)
        self.wo = nn.Linear(sizes.feed, sizes.width, bias=False)
        self.dropout = nn.Dropout(sizes.dropout)

    def forward(self, row_RTD: Tensor) -> Tensor:
        """[R, T, D]."""
        if self.gated:
            inner_RTF = F.gelu(self.wi_0(row_RTD), approximate="tanh") * self.wi_1(row_RTD)
        else:
            inner_RTF = F.relu(self.wi(row_RTD))
        fed_RTD: Tensor = self.wo(self.dropout(inner_RTF))
        return fed_RTD


class FeedLayer(nn.Module):
    """Each row by itself."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.DenseReluDense = Feed(sizes)
        self.layer_norm = RMSNorm(sizes.width, eps=EPSILON)
        self.dropout = nn.Dropout(sizes.dropout)

    def forward(self, row_RTD: Tensor) -> Tensor:
        """New states."""
        fed_RTD: Tensor = self.dropout(self.DenseReluDense(self.layer_norm(row_RTD)))
        return row_RTD + fed_RTD


class Block(nn.Module):
    """Self-attention, in the decoder cross-attention, feed-forward; each on normed input, added to what came in."""

    def __init__(self, sizes: Sizes, *, writes: bool, biased: bool) -> None:
        super().__init__()
        crossing = [CrossLayer(sizes)] if writes else []
        self.layer = nn.ModuleList([SelfLayer(sizes, biased=biased), *crossing, FeedLayer(sizes)])

    @property
    def own(self) -> Attention:
        """To rows of its own stack."""
        return cast("SelfLayer", self.layer[0]).SelfAttention

    @property
    def crossing(self) -> Attention:
        """To the encoder's states; only where the block writes."""
        return cast("CrossLayer", self.layer[1]).EncDecAttention

    def forward(
        self,
        row_RTD: Tensor,
        bias_RHTK: Tensor,
        past: Past | None,
        crossed: Crossed | None,
        visible_R11X: Tensor | None,
    ) -> tuple[Tensor, Past]:
        """New states, and keys and values of all rows so far."""
        row_RTD, past = self.layer[0](row_RTD, bias_RHTK, past)
        if crossed is not None:
            row_RTD = self.layer[1](row_RTD, crossed, visible_R11X)
        row_RTD = self.layer[-1](row_RTD)
        return row_RTD, past


class Stack(nn.Module):
    """Blocks of one kind; the first one's bias by distance serves all."""

    def __init__(self, sizes: Sizes, *, writes: bool) -> None:
        super().__init__()
        self.num_buckets, self.max_distance, self.writes = sizes.num_buckets, sizes.max_distance, writes
        num_blocks = sizes.decoder_layers if writes else sizes.encoder_layers
        self.block = nn.ModuleList(Block(sizes, writes=writes, biased=number == 0) for number in range(num_blocks))
        self.final_layer_norm = RMSNorm(sizes.width, eps=EPSILON)
        self.dropout = nn.Dropout(sizes.dropout)

    @property
    def blocks(self) -> list[Block]:
        """The same as `block`, with their type."""
        return cast("list[Block]", self.block)

    def bias(self, first: int, last: int) -> Tensor:
        """[1, H, T, K] what rows first..last-1 add to their scores of rows 0..last-1; -inf for what comes later."""
        table = self.blocks[0].own.relative_attention_bias
        key_K = torch.arange(last, device=table.weight.device)
        ahead_TK = key_K - key_K[first:, None]
        bucket_TK = bucket(
            ahead_TK, both_ways=not self.writes, num_buckets=self.num_buckets, max_distance=self.max_distance
        )
        bias_1HTK: Tensor = table(bucket_TK).permute(2, 0, 1)[None]
        return bias_1HTK.masked_fill(ahead_TK > 0, -math.inf) if self.writes else bias_1HTK

    def cross(self, state_BXD: Tensor) -> tuple[Crossed, ...]:
        """What each decoder layer will see of the encoder's states."""
        return tuple(Crossed(*block.crossing.seen(state_BXD)) for block in self.blocks)

    def forward(
        self,
        row_RTD: Tensor,
        bias_RHTK: Tensor,
        past: tuple[Past, ...] | None = None,
        crossed: tuple[Crossed, ...] | None = None,
        visible_R11X: Tensor | None = None,
    ) -> tuple[Tensor, tuple[Past, ...]]:
        """Normed states after the last block, and in the decoder every block's keys and values."""
        row_RTD, kept = self.dropout(row_RTD), []
        for number, block in enumerate(self.block):
            before = None if past is None else past[number]
            read = None if crossed is None else crossed[number]
            row_RTD, now = block(row_RTD, bias_RHTK, before, read, visible_R11X)
            if self.writes:
                kept.append(now)
        row_RTD = self.dropout(self.final_layer_norm(row_RTD))
        return row_RTD, tuple(kept)


class T5(nn.Module):
    """Encoder, decoder, and one table that embeds what is read and written and scores what is written next."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.shared = nn.Embedding(sizes.num_pieces, sizes.width)
        self.encoder = Stack(sizes, writes=False)
        self.decoder = Stack(sizes, writes=True)
        init_weights(self)

    def embed(self, piece_BX: Tensor) -> Tensor:
        """[B, X, D]; T5 adds no positions and does not scale."""
        embedded_BXD: Tensor = self.shared(piece_BX)
        return embedded_BXD

    def encode(self, input_BXD: Tensor, absent_BX: Tensor) -> Tensor:
        """States [B, X, D] behind the final norm, and in training behind T5's dropouts of input and output.

        Every product has a piece that is not absent: a row that sees nothing has no softmax.
        """
        bias_BHXX = self.encoder.bias(0, input_BXD.shape[1]).masked_fill(absent_BX[:, None, None], -math.inf)
        state_BXD: Tensor = self.encoder(input_BXD, bias_BHXX)[0]
        return state_BXD

    def cross(self, state_BXD: Tensor) -> tuple[Crossed, ...]:
        """What the decoder sees of the encoder's states, layer by layer: once a product."""
        return self.decoder.cross(state_BXD)

    def decode(
        self,
        input_RTD: Tensor,
        crossed: tuple[Crossed, ...],
        absent_RX: Tensor,
        past: tuple[Past, ...] | None = None,
        first_step: int = 0,
    ) -> tuple[Tensor, tuple[Past, ...]]:
        """States [R, T, D] of steps first_step.. that see each other's past only, and what the next call needs of them.

        `past` is what the call before returned, of all steps before `first_step`.
        """
        bias_1HTS = self.decoder.bias(first_step, first_step + input_RTD.shape[1])
        state_RTD, now = self.decoder(input_RTD, bias_1HTS, past, crossed, ~absent_RX[:, None, None])
        return state_RTD, now

    def score(self, state_RTD: Tensor) -> Tensor:
        """[R, T, V] float32: the tied table, after the scale that Mesh TensorFlow's T5 put before it."""
        return F.linear(state_RTD * self.sizes.width**-0.5, self.shared.weight).float()


def spread(crossed: tuple[Crossed, ...], row_R: Tensor) -> tuple[Crossed, ...]:
    """What decoder rows see when row r asks of product row_R[r]."""
    return tuple(Crossed(key.index_select(0, row_R), value.index_select(0, row_R)) for key, value in crossed)


def bucket(ahead_TK: Tensor, *, both_ways: bool, num_buckets: int, max_distance: int) -> Tensor:
    """Class of each distance: near ones have their own, far ones share theirs with ever more others.

    `ahead` is the key's place less the row's. Where both ways count, the upper half of the classes is for keys behind.
    """
    if both_ways:
        num_buckets //= 2
        side_TK = (ahead_TK > 0) * num_buckets
        distance_TK = ahead_TK.abs()
    else:
        side_TK = torch.zeros_like(ahead_TK)
        distance_TK = (-ahead_TK).clamp(min=0)
    num_exact = num_buckets // 2
    share_TK = (distance_TK.clamp(min=num_exact).float() / num_exact).log() / math.log(max_distance / num_exact)
    far_TK = (num_exact + (share_TK * (num_buckets - num_exact)).long()).clamp(max=num_buckets - 1)
    return side_TK + torch.where(distance_TK < num_exact, distance_TK, far_TK)


@torch.no_grad()
def init_weights(model: nn.Module) -> None:
    """Draw weights as T5's authors did, from torch's generator; the embeddings are N(0, 1)."""
    for part in model.modules():
        if isinstance(part, Attention):
            width, inner = part.q.in_features, part.q.out_features
            nn.init.normal_(part.q.weight, std=(width * inner / part.heads) ** -0.5)
            nn.init.normal_(part.k.weight, std=width**-0.5)
            nn.init.normal_(part.v.weight, std=width**-0.5)
            nn.init.normal_(part.o.weight, std=inner**-0.5)
            if hasattr(part, "relative_attention_bias"):
                nn.init.normal_(part.relative_attention_bias.weight, std=width**-0.5)
        elif isinstance(part, Feed):
            for layer in part.children():
                if isinstance(layer, nn.Linear):
                    nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
        elif isinstance(part, RMSNorm):
            nn.init.ones_(part.weight)
        elif isinstance(part, T5):
            nn.init.normal_(part.shared.weight)
