"""Low-rank adapters in place of all weights (Hu et al. 2021, "LoRA"), and the way back to a plain folder.

peft puts an adapter beside each Linear layer that the recipe names: a product of two small matrices, one random, one
zero, so that the training starts at the policy it was given. Only these are trained, kept in checkpoints and sharded;
the weights stay as they are, in fp32. What is exported is the sum, so nothing behind a training knows of adapters.
The names of peft (0.21) are written out in `merged_weights` alone.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from proofline.config.schema import ALL_LINEAR, Lora, Training
from proofline.records import stable_id
from proofline.training.execution import Execution

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

BASE, DOWN, UP = ".base_layer.", ".lora_A.default.weight", ".lora_B.default.weight"
"""In the name of an adapted layer's own weight or bias, and behind the layer's name for its adapter's two halves."""


class AdapterError(ValueError):
    """Adapters that this model, or this execution, cannot have."""


def add_adapters(model: PreTrainedModel, section: Training, seed: int, execution: Execution) -> PreTrainedModel:
    """The model with the recipe's adapters, for the trainer; itself where the recipe has none. Raises AdapterError.

    Their random halves are those of the recipe's seed and section, whatever the number of processes.
    """
    if section.lora is None:
        return model
    import torch
    from peft import LoraConfig, inject_adapter_in_model

    if execution.zero_stage == 3 and section.activation_checkpointing:
        raise AdapterError(
            "lora with activation_checkpointing is not to be had under ZeRO stage 3, which loses the frozen weights "
            "when a layer is computed again. Set PROOFLINE_ZERO_STAGE to 2 or less, or activation_checkpointing: false "
            "in params.yaml."
        )
    names = adapted_layers(model, section.lora)
    # The trainer seeds anew; A's of one seed alone would be the same in every training of the study.
    torch.manual_seed(int(stable_id("adapters", type(section).__name__, seed), 16))
    adapters = LoraConfig(
        r=section.lora.rank, lora_alpha=section.lora.alpha, lora_dropout=section.lora.dropout, target_modules=names
    )
    adapted: PreTrainedModel = inject_adapter_in_model(adapters, model)
    return adapted


def adapted_layers(model: PreTrainedModel, lora: Lora) -> list[str]:
    """The names of the layers that get an adapter. Raises AdapterError for a name that is none of theirs.

    The embedding and the head, which may be one matrix, are none of them: the head would come untied.
    """
    import torch

    head = model.get_output_embeddings()
    linear = [
        name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear) and module is not head
    ]
    kinds = sorted({name.rpartition(".")[2] for name in linear})
    if not linear:
        raise AdapterError(
            f"lora: {type(model).__name__} has no Linear layers to adapt. Set lora: null in params.yaml, which trains "
            "all its weights."
        )
    if lora.target == (ALL_LINEAR,):
        return linear
    for kind in lora.target:
        if kind not in kinds:
            near = difflib.get_close_matches(kind, kinds, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"there are: {', '.join(kinds)}"
            raise AdapterError(f"lora.target: {type(model).__name__} has no Linear layers {kind!r}; {remedy}")
    return [name for name in linear if name.rpartition(".")[2] in lora.target]


def merged_weights(weights: Mapping[str, torch.Tensor], lora: Lora | None) -> Mapping[str, torch.Tensor]:
    """A model's weights with their adapters added, under the names of a plain folder and in the number format that they
    are trained in (fp32)."""
    if lora is None:
        return weights
    merged = {}
    for name, tensor in weights.items():
        if name.endswith((DOWN, UP)):
            continue
        layer, base, kind = name.partition(BASE)
        if base and kind == "weight":
            tensor = tensor + lora.alpha / lora.rank * (weights[layer + UP] @ weights[layer + DOWN])
        merged[f"{layer}.{kind}" if base else name] = tensor
    return merged
