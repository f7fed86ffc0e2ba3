"""Each embedding with something of its neighbours': attention then finds "the piece behind this one" in one layer.

B products, X text pieces, D model width.
"""

import torch
from torch import Tensor, nn


class Smear(nn.Module):
    """x_j += A E_(j-1) + B E_(j+1); A and B start at zero, so that at first nothing is changed. Not in S2."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.before = nn.Linear(width, width, bias=False)
        self.behind = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.before.weight)
        nn.init.zeros_(self.behind.weight)

    def forward(self, piece_BXD: Tensor, absent_BX: Tensor) -> Tensor:
        """[B, X, D]; absent neighbours, and those beyond the ends, add nothing."""
        present_BXD = piece_BXD.masked_fill(absent_BX[..., None], 0.0)
        from_BXD: Tensor = self.before(shifted(present_BXD, 1)) + self.behind(shifted(present_BXD, -1))
        return piece_BXD + from_BXD


def shifted(row_BXD: Tensor, by: int) -> Tensor:
    """Row j - `by` (1 or -1) in place of row j; zeros come in at the end that it leaves."""
    edge_B1D = torch.zeros_like(row_BXD[:, :1])
    parts = [edge_B1D, row_BXD[:, :-1]] if by == 1 else [row_BXD[:, 1:], edge_B1D]
    return torch.cat(parts, dim=1)
