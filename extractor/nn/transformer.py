"""The transformer that reads a product once and then writes answers on top of what it kept (M4C's, MODELS 0.5 and 2).

B products, R rows of this call, S rows that may be seen, D model width, H heads, E = D / H.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Norm = Literal["pre", "post"]


class Seen(NamedTuple):
    """Keys and values of one layer, kept so that rows once computed are never computed again."""

    key_BHSE: Tensor
    value_BHSE: Tensor
    room: tuple[Tensor, Tensor] | None = None
    """Buffers that begin with these keys and values: later rows are written behind them, not copied together."""

    def with_room(self, num_rows: int) -> "Seen":
        """The same with room for rows to come; only where no gradient is asked."""
        B, H, S, E = self.key_BHSE.shape
        room = (self.key_BHSE.new_empty(B, H, S + num_rows, E), self.value_BHSE.new_empty(B, H, S + num_rows, E))
        for buffer, part in zip(room, self[:2], strict=True):
            buffer[:, :, :S] = part
        return Seen(room[0][:, :, :S], room[1][:, :, :S], room)

    def then(self, key_BHRE: Tensor, value_BHRE: Tensor) -> "Seen":
        """With the rows behind these."""
        if self.room is None:
            return Seen(torch.cat([self.key_BHSE, key_BHRE], 2), torch.cat([self.value_BHSE, value_BHRE], 2))
        first, last = self.key_BHSE.shape[2], self.key_BHSE.shape[2] + key_BHRE.shape[2]
        for buffer, part in zip(self.room, (key_BHRE, value_BHRE), strict=True):
            buffer[:, :, first:last] = part
        return Seen(self.room[0][:, :, :last], self.room[1][:, :, :last], self.room)


class Block(nn.Module):
    """BERT's layer; `pre` moves the norms to the inputs, which trains from scratch at higher rates."""

    def __init__(self, width: int, heads: int, dropout: float, norm: Norm) -> None:
        super().__init__()
        self.heads = heads
        self.norm_first = norm == "pre"
        self.dropout = dropout
        self.attention_in = nn.Linear(width, 3 * width)
        self.attention_out = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, eps=1e-12)
        self.feed_in = nn.Linear(width, 4 * width)
        self.feed_out = nn.Linear(4 * width, width)
        self.feed_norm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, row_BRD: Tensor, seen: Seen | None, visible_B1RS: Tensor) -> tuple[Tensor, Seen]:
        """New states of the rows, and what later rows may see: `seen` and these rows."""
        read_BRD = self.attention_norm(row_BRD) if self.norm_first else row_BRD
        mixed_BRD, seen = self._attend(read_BRD, seen, visible_B1RS)
        row_BRD = row_BRD + self._drop(self.attention_out(mixed_BRD))
        if not self.norm_first:
            row_BRD = self.attention_norm(row_BRD)

        read_BRD = self.feed_norm(row_BRD) if self.norm_first else row_BRD
        row_BRD = row_BRD + self._drop(self.feed_out(F.gelu(self.feed_in(read_BRD))))
        if not self.norm_first:
            row_BRD = self.feed_norm(row_BRD)
        return row_BRD, seen

    def _attend(self, row_BRD: Tensor, seen: Seen | None, visible_B1RS: Tensor) -> tuple[Tensor, Seen]:
        query_BHRE, key_BHRE, value_BHRE = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.attention_in(row_BRD).chunk(3, dim=-1)
        )
        seen = Seen(key_BHRE, value_BHRE) if seen is None else seen.then(key_BHRE, value_BHRE)
        mixed_BHRE = F.scaled_dot_product_attention(
            query_BHRE, *seen[:2], attn_mask=visible_B1RS, dropout_p=self.dropout if self.training else 0.0
        )
        return mixed_BHRE.transpose(1, 2).flatten(2), seen

    def _drop(self, row_BRD: Tensor) -> Tensor:
        return F.dropout(row_BRD, self.dropout, self.training)


class Transformer(nn.Module):
    """One stack for reading and for writing: a row sees what `visible` says, so read rows never see written ones."""

    def __init__(self, *, width: int, layers: int, heads: int, dropout: float, norm: Norm) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Block(width, heads, dropout, norm) for _ in range(layers))
        self.last_norm = nn.LayerNorm(width, eps=1e-12) if norm == "pre" else nn.Identity()

    def forward(
        self, row_BRD: Tensor, seen: tuple[Seen, ...] | None, visible_B1RS: Tensor
    ) -> tuple[Tensor, tuple[Seen, ...]]:
        """States of the rows after the last layer, and every layer's keys and values."""
        kept = []
        for number, layer in enumerate(self.layers):
            row_BRD, now = layer(row_BRD, None if seen is None else seen[number], visible_B1RS)
            kept.append(now)
        return self.last_norm(row_BRD), tuple(kept)


def written_visible(num_questions: int, first_step: int, last_step: int, absent_BS: Tensor) -> Tensor:
    """[B, 1, R, S]: what the rows of steps first..last may see: all present slots, and their own question's past.

    Written rows lie step by step, in each step question by question.
    """
    row = torch.arange((last_step + 1) * num_questions, device=absent_BS.device)
    step, question = row // num_questions, row % num_questions
    new = step >= first_step
    own_RS = (question[new, None] == question) & (step <= step[new, None])
    slots_BRS = (~absent_BS)[:, None, :].expand(-1, len(own_RS), -1)
    return torch.cat([slots_BRS, own_RS.expand(len(absent_BS), -1, -1)], dim=-1)[:, None]
