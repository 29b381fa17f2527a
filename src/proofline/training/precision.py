"""Arithmetic of the matrix products. Weights and optimizer state are fp32 in every mode; bf16 is autocast over them."""

from __future__ import annotations

from typing import Any, Literal

Precision = Literal["fp32", "bf16", "fp8"]


class PrecisionError(ValueError):
    """The hardware cannot compute in the recipe's precision."""


def precision_arguments(precision: Precision) -> dict[str, Any]:
    """The trainer arguments of a precision. A precision that cannot be had is refused, never replaced by another."""
    if precision == "fp8":
        raise PrecisionError(f"precision: fp8 {why_no_fp8()}. Set precision to bf16 or fp32 in params.yaml.")
    # Both fields are always set: TRL reads an unset bf16 as True.
    return {"bf16": precision == "bf16", "fp16": False}


def why_no_fp8() -> str:
    import torch

    if not torch.cuda.is_available():
        return "needs a GPU of compute capability 9.0 (Hopper) or later, and this machine has none"
    capability = torch.cuda.get_device_capability()
    if capability < (9, 0):
        name = torch.cuda.get_device_name()
        return f"needs compute capability 9.0 (Hopper) or later, and {name} has {capability[0]}.{capability[1]}"
    return "is not available in this version: the conversion of the layers is not built yet"
