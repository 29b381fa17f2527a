"""Adam with its state in fewer bits (`optimizer_state`), and weight decay on the weights that it is meant for.

`fp32` is the trainer's own AdamW. `bf16` and `fp8` are Transformer Engine's FusedAdam over bf16 weights: the optimizer
keeps the 16 bits that each weight lost to rounding, so the weight it updates is an exact fp32 number
(`store_param_remainders`), and the moments in the recipe's formats. `fp8.emulate` keeps fp32 weights, which are the
same numbers, and rounds the moments after every step as FusedAdam stores them: only the gradients, fp32 here and bf16
there, differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from proofline.config.schema import Training
from proofline.training.fp8_names import NORM_WEIGHT
from proofline.training.precision import PrecisionError, transformer_engine

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import Trainer


def arrange_optimizer(trainer: Trainer, section: Training) -> None:
    """Give the trainer the recipe's optimizer, before it trains."""
    decayed = trainer.get_decay_parameter_names
    trainer.get_decay_parameter_names = lambda model: decayed(model) + fused_weight_names(model)
    if section.optimizer_state == "fp32":
        return
    if trainer.is_deepspeed_enabled:
        raise PrecisionError(
            f"optimizer_state: {section.optimizer_state} is not to be had with DeepSpeed, whose ZeRO keeps an fp32 "
            "state of its own and shards it. Unset the ZeRO stage, or set optimizer_state: fp32 in params.yaml."
        )
    trainer.optimizer = build_optimizer(
        trainer.model, trainer.get_decay_parameter_names(trainer.model), section, trainer.args
    )


def fused_weight_names(model: nn.Module) -> list[str]:
    """Weights that stand in a norm's place (fp8_names.py): by their names the trainer takes them for the norm's."""
    return [f"{name}.weight" for name, module in model.named_modules() if hasattr(module, NORM_WEIGHT)]


def build_optimizer(
    model: nn.Module, decayed: Iterable[str], section: Training, arguments: Any
) -> torch.optim.Optimizer:
    """Adam in the recipe's formats, with the trainer's learning rate, betas, epsilon and weight decay."""
    import torch

    hyper = {
        "lr": arguments.learning_rate,
        "betas": (arguments.adam_beta1, arguments.adam_beta2),
        "eps": arguments.adam_epsilon,
    }
    groups = parameter_groups(model, set(decayed), arguments.weight_decay)
    if section.fp8.emulate:
        from proofline.training.rounded_adam import RoundedAdamW

        return RoundedAdamW(groups, section.optimizer_state, **hyper)
    first, second = {"bf16": (torch.bfloat16, torch.bfloat16), "fp8": (torch.uint8, torch.float16)}[
        section.optimizer_state
    ]
    return transformer_engine(section).optimizers.FusedAdam(
        groups, adam_w_mode=True, master_weights=True, store_param_remainders=True, exp_avg_dtype=first,
        exp_avg_sq_dtype=second, **hyper,
    )  # fmt: skip


def parameter_groups(model: nn.Module, decayed: set[str], weight_decay: float) -> list[dict[str, Any]]:
    """A group for each decoder layer and each strength of decay.

    FusedAdam widens the FP8 and fp16 state of a whole group to fp32 at once: 8 bytes a parameter, which in one group
    would cost more than the small state saves.
    """
    groups: dict[tuple[str, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        layer = re.search(r"\.layers\.\d+\.", name)
        decay = weight_decay if name in decayed else 0.0
        groups.setdefault((layer[0] if layer else "", decay), []).append(parameter)
    return [{"params": parameters, "weight_decay": decay} for (_, decay), parameters in groups.items()]
