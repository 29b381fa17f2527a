"""What of a model really computes in FP8, held against the recipe: no silent bf16."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proofline.config.schema import Training
from proofline.training.precision import PrecisionError, transformer_engine

if TYPE_CHECKING:
    from torch import nn
    from transformers import TrainerCallback


def audit(model: nn.Module, section: Training, *, has_run: bool = False) -> dict[str, float]:
    """Count what is in FP8 and raise PrecisionError where that is short of the recipe; empty for other precisions.

    `fp8_layers`: decoder layers with all their products in FP8. `fp8_flops_share`: of the forward products with
    weights, the head's included. `has_run`: Transformer Engine's modules also have to have computed in FP8.
    """
    if section.precision != "fp8":
        return {}
    from torch import nn

    classes = fp8_classes(section)

    def in_fp8(module: nn.Module) -> bool:
        return isinstance(module, classes) and (not has_run or getattr(module, "fp8", True))

    products: list[Any] = [module for module in model.modules() if isinstance(module, (nn.Linear, *classes))]
    flops = {module: module.in_features * module.out_features for module in products}
    share = sum(flops[module] for module in products if in_fp8(module)) / sum(flops.values())
    layers = decoder_layers(model)
    whole = sum(all(in_fp8(module) for module in layer.modules() if module in flops) for layer in layers)
    if whole < len(layers) or share < section.fp8.min_flops_share:
        raise PrecisionError(
            f"precision: fp8: {whole} of {len(layers)} decoder layers and {share:.1%} of the forward FLOPs are in FP8; "
            f"the recipe wants all layers and fp8.min_flops_share = {section.fp8.min_flops_share:.1%}. Lower that in "
            "params.yaml if the model's head is that large; a missing layer is an error in the conversion."
        )
    return {"fp8_layers": whole, "fp8_flops_share": share}


def fp8_classes(section: Training) -> tuple[type, ...]:
    if section.fp8.emulate:
        from proofline.training.fp8_emulated import EmulatedLinear

        return (EmulatedLinear,)
    te = transformer_engine(section)
    return (te.Linear, te.LayerNormLinear)


def decoder_layers(model: nn.Module) -> list[nn.Module]:
    """The decoder layers of a model, which the trainer may have wrapped: what holds both a norm and an attention."""
    return [module for module in model.modules() if hasattr(module, "input_layernorm") and hasattr(module, "self_attn")]


def auditing_callback(section: Training) -> TrainerCallback:
    """The audit of the model as the trainer prepared it, before the first step, and of what ran, after it."""
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

    class Audit(TrainerCallback):
        done = False

        def on_train_begin(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: nn.Module,
            **others: object,
        ) -> None:  # fmt: skip
            audit(model, section)

        def on_step_end(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: nn.Module,
            **others: object,
        ) -> None:  # fmt: skip
            if not self.done:
                audit(model, section, has_run=True)
                self.done = True

    return Audit()
