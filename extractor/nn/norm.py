"""The norm of T5 and of what stands beside it."""

from torch import Tensor, nn


class RMSNorm(nn.RMSNorm):
    """Root-mean-square norm (Zhang and Sennrich, NeurIPS 2019) in float32 under bfloat16 too, as T5 has it."""

    def forward(self, x: Tensor) -> Tensor:
        """[..., D] of [..., D]."""
        return super().forward(x.float())
