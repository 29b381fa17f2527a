"""What a recipe's number formats ask of the trainer and of the machine; the one door to Transformer Engine.

A format that cannot be had is refused, never replaced by another. Weights and optimizer state are fp32 unless
`optimizer_state` says otherwise, and bf16 is autocast over them; FP8 layers (fp8.py) lie within that autocast.
Written against Transformer Engine 2.20.2.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import ModuleType
from typing import Any

from proofline.config.schema import Training

FP8_MULTIPLE = 16
"""Rows and columns of an FP8 operand: the tensor cores' tile, which Transformer Engine and cuBLAS insist on."""


class PrecisionError(ValueError):
    """The machine cannot compute in the recipe's number formats, or the model not in them."""


def precision_arguments(section: Training) -> dict[str, Any]:
    """The trainer arguments of a recipe's number formats. Raises PrecisionError where the machine cannot have them."""
    if needs_transformer_engine(section):
        transformer_engine(section)
    # Both fields are always set: TRL reads an unset bf16 as True.
    arguments = {
        "bf16": section.precision != "fp32",
        "fp16": False,
        "activation_checkpointing": section.activation_checkpointing,
    }
    # Tokens are the rows of an activation: padding every sequence keeps any number of them a multiple.
    return arguments | ({"pad_to_multiple_of": FP8_MULTIPLE} if section.precision == "fp8" else {})


def needs_transformer_engine(section: Training) -> bool:
    return not section.fp8.emulate and (section.precision == "fp8" or section.optimizer_state != "fp32")


def transformer_engine(section: Training) -> ModuleType:
    """`transformer_engine.pytorch`, on a machine that can do what the recipe asks of it. Raises PrecisionError."""
    if section.precision == "fp8" and (lack := why_no_fp8()):
        raise PrecisionError(
            f"precision: fp8 {lack}. In params.yaml set precision: bf16, or fp8.emulate: true to ask on this machine "
            "what FP8 does to the loss."
        )
    try:
        import transformer_engine.pytorch as te
        from transformer_engine.pytorch import optimizers  # noqa: F401
    except Exception as error:  # it looks itself over on import, and raises what it likes
        asks = "precision: fp8" if section.precision == "fp8" else f"optimizer_state: {section.optimizer_state}"
        raise PrecisionError(
            f"{asks} needs Transformer Engine, which cannot be imported ({error}). Install it on a machine with CUDA "
            "(`pip install --no-build-isolation '.[fp8]'`), or in params.yaml set fp8.emulate: true, or precision: "
            "bf16 with optimizer_state: fp32."
        ) from error
    return te


def current_scaling(te: ModuleType) -> Callable[[], AbstractContextManager[None]]:
    """Opens regions in which Transformer Engine computes in FP8: e4m3 forwards, e5m2 backwards, current scales."""
    from transformer_engine.common.recipe import Float8CurrentScaling

    recipe = Float8CurrentScaling()
    return lambda: te.autocast(enabled=True, recipe=recipe)


def why_no_fp8() -> str | None:
    """What this machine lacks for FP8 products."""
    import torch

    if not torch.cuda.is_available():
        return "needs a GPU of compute capability 9.0 (Hopper) or later, and this machine has none"
    capability = torch.cuda.get_device_capability()
    if capability < (9, 0):
        name = torch.cuda.get_device_name()
        return f"needs compute capability 9.0 (Hopper) or later, and {name} has {capability[0]}.{capability[1]}"
    return None
