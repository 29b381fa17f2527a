"""AdamW whose moments are rounded after every step as Transformer Engine's FusedAdam stores them, on any machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import torch

FP8_LARGEST = 448.0
FP16_LARGEST = torch.finfo(torch.float16).max / 2
"""Half the largest number, as FusedAdam has it."""


class RoundedAdamW(torch.optim.AdamW):
    """`fp32`: not rounded. `bf16`: both moments in bf16. `fp8`: the first in e4m3, the second in fp16, each scaled by a
    tensor's largest magnitude."""

    def __init__(self, groups: Iterable[dict[str, Any]], formats: Literal["fp32", "bf16", "fp8"], **hyper: Any) -> None:
        super().__init__(groups, fused=True, **hyper)
        self.formats = formats

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        loss = super().step(closure)
        for state in self.state.values():
            if self.formats == "bf16":
                for name in ("exp_avg", "exp_avg_sq"):
                    state[name].copy_(state[name].bfloat16())
            elif self.formats == "fp8":
                round_scaled(state["exp_avg"], torch.float8_e4m3fn, FP8_LARGEST)
                round_scaled(state["exp_avg_sq"], torch.float16, FP16_LARGEST)
        return loss


def round_scaled(tensor: torch.Tensor, number_format: torch.dtype, largest: float) -> None:
    """Round in place to a format whose range is scaled to the tensor's largest magnitude."""
    scale = tensor.abs().amax() / largest
    if scale > 0:
        tensor.copy_((tensor / scale).to(number_format).to(tensor.dtype) * scale)
