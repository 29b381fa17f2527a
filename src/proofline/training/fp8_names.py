"""Names of an FP8 model's weights, and the way back to those of a plain Hugging Face folder.

In a converted decoder layer each norm and the Linears that read it are one module in the norm's place:

    input_layernorm            norm weight (h,), q, k and v rows one below the other (q+k+v, h), biases
    post_attention_layernorm   norm weight (h,), gate and up rows (2f, h)
    self_attn.o_proj, mlp.down_proj    as they were

Everything here is a function of names and tensors: no model, no Transformer Engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig

NORM_WEIGHT = "layer_norm_weight"
"""Transformer Engine's name of a fused norm's weight."""
EXTRA_STATE = "_extra_state"
"""Transformer Engine's entry in every state dict; empty with current scaling."""
FUSED = {
    "input_layernorm": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "post_attention_layernorm": ("mlp.gate_proj", "mlp.up_proj"),
}
"""A decoder layer's norms, each with the Linears that read its output."""
SINGLE = ("self_attn.o_proj", "mlp.down_proj")

Weights = dict[str, "torch.Tensor"]


def rows_of_parts(config: PretrainedConfig) -> dict[str, int]:
    """Output features of each Linear that is fused, by its name within a decoder layer."""
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    queries, keys = config.num_attention_heads * head_dim, config.num_key_value_heads * head_dim
    rows = (queries, keys, keys, config.intermediate_size, config.intermediate_size)
    return dict(zip([part for parts in FUSED.values() for part in parts], rows, strict=True))


def plain_weights(weights: Mapping[str, torch.Tensor], config: PretrainedConfig) -> Weights:
    """Under the names of a plain folder; weights that already have them stay. Parts are copies, no views."""
    plain: Weights = {}
    for name, tensor in weights.items():
        owner, _, kind = name.rpartition(".")
        layer, _, norm = owner.rpartition(".")
        if kind == EXTRA_STATE:
            continue
        if f"{owner}.{NORM_WEIGHT}" not in weights:
            plain[name] = tensor
        elif kind == NORM_WEIGHT:
            plain[f"{owner}.weight"] = tensor
        else:
            parts, rows = FUSED[norm], rows_of_parts(config)
            for part, piece in zip(parts, tensor.split([rows[part] for part in parts]), strict=True):
                plain[f"{layer}.{part}.{kind}"] = piece.clone()
    return plain


def fused_weights(weights: Mapping[str, torch.Tensor]) -> Weights:
    """Under the names of a converted model: the inverse of `plain_weights`."""
    import torch

    fused = dict(weights)
    for name in weights:
        owner, _, kind = name.rpartition(".")
        layer, _, norm = owner.rpartition(".")
        if norm not in FUSED or kind != "weight" or f"{owner}.{NORM_WEIGHT}" in weights:
            continue
        fused[f"{owner}.{NORM_WEIGHT}"] = fused.pop(name)
        for of_linear in ("weight", "bias"):
            parts = [f"{layer}.{part}.{of_linear}" for part in FUSED[norm]]
            if parts[0] in fused:
                fused[f"{owner}.{of_linear}"] = torch.cat([fused.pop(part) for part in parts])
    return fused
