"""FP8 layers by rounding (torchao): the numerics of Transformer Engine's current scaling, on any machine and slowly.

Operands are rounded to e4m3 forwards and gradients to e5m2 backwards, with one scale a tensor from its largest
magnitude, and multiplied in fp32. Parameters have the names that Transformer Engine gives them.
"""

from __future__ import annotations

import torch
from torch.nn import functional
from torchao.float8.config import Float8LinearConfig
from torchao.float8.float8_linear import Float8Linear

CONFIG = Float8LinearConfig(emulate=True)


class EmulatedLinear(Float8Linear):
    """A Linear whose three products (output, input gradient, weight gradient) are those of rounded operands."""

    def __init__(self, weight: torch.nn.Parameter, bias: torch.nn.Parameter | None) -> None:
        super().__init__(weight.shape[1], weight.shape[0], bias=False, device="meta", config=CONFIG)
        self.weight, self.bias = weight, bias

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        # torchao looks at CUDA's autocast alone.
        device = input.device.type
        if torch.is_autocast_enabled(device):
            input = input.to(torch.get_autocast_dtype(device))
        return super().forward(input)


class EmulatedNormLinear(EmulatedLinear):
    """RMSNorm, then such a Linear."""

    def __init__(
        self,
        weight: torch.nn.Parameter,
        bias: torch.nn.Parameter | None,
        layer_norm_weight: torch.nn.Parameter,
        eps: float,
    ) -> None:
        super().__init__(weight, bias)
        self.layer_norm_weight, self.eps = layer_norm_weight, eps

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        norm = self.layer_norm_weight
        return super().forward(functional.rms_norm(input.float(), norm.shape, norm.float(), self.eps))
