"""FP8 in the decoder's Linear layers: our own conversion of a Hugging Face model.

Only the products of the decoder layers are in FP8; embeddings, attention, the last norm and the output head stay out,
so that a tied head stays tied. Each norm and the Linears that read it become one module (fp8_names.py), because that
is clearly better: q, k and v share one rounded copy of their input (1 byte an element kept for the backward pass,
where three separate FP8 layers keep 3 and bf16 keeps 2), two modules take the place of seven, and Transformer Engine's
norm keeps its bf16 input where Hugging Face's keeps two fp32 tensors. Hugging Face's own forward code runs unchanged:
the fused module stands where the norm was, and `q_proj` and its like only cut their columns out of its output.

Scaling is current, not delayed: one scale a tensor from the tensor itself (Float8CurrentScaling, e4m3 forwards, e5m2
backwards). It has no history, so a checkpoint needs nothing more than the weights, ranks need not agree on anything,
and a layer computed again by activation checkpointing rounds as it did before. For that to hold under PyTorch's
checkpointing, which computes again outside any region that surrounded the model, every FP8 module enters Transformer
Engine's autocast by itself; so it does not matter who calls it: DDP, DeepSpeed, TRL's tiled head, or a checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from proofline.config.schema import Training
from proofline.training.fp8_audit import audit
from proofline.training.fp8_names import FUSED, SINGLE, fused_weights, plain_weights
from proofline.training.precision import FP8_MULTIPLE, PrecisionError, current_scaling, transformer_engine

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PreTrainedModel

Build = Callable[..., "nn.Module"]
"""(weight, bias, norm weight or None, epsilon) -> an FP8 module that holds these parameters."""


def apply_formats(model: PreTrainedModel, section: Training) -> PreTrainedModel:
    """The model in the recipe's number formats, for the trainer. FP8 replaces modules of `model` itself."""
    import torch

    if section.optimizer_state != "fp32" and not section.fp8.emulate:
        model.to(torch.bfloat16)
    if section.precision == "fp8":
        convert(model, builder(section))
        audit(model, section)
    return model


def convert(model: PreTrainedModel, build: Build) -> None:
    """Put the decoder layers' products into modules made by `build`. Weights are carried over bit by bit."""
    refuse_odd_sizes(model)
    for layer in model.base_model.layers:
        for norm, parts in FUSED.items():
            fuse(layer, norm, parts, build)
        for name in SINGLE:
            linear = layer.get_submodule(name)
            layer.set_submodule(name, build(linear.weight, linear.bias, None, 0.0))

    def to_plain(module: nn.Module, state: dict[str, Any], prefix: str, local_metadata: object) -> None:
        plain = plain_weights(state, model.config)
        state.clear()
        state.update(plain)

    def to_fused(module: nn.Module, state: dict[str, Any], *others: object) -> None:
        fused = fused_weights(state)
        state.clear()
        state.update(fused)

    # What leaves the model is plain, and plain is what enters: checkpoints and exports load without Transformer Engine.
    model.register_state_dict_post_hook(to_plain)
    model.register_load_state_dict_pre_hook(to_fused)


def fuse(layer: nn.Module, norm: str, parts: tuple[str, ...], build: Build) -> None:
    """One module for a norm and its readers, in the norm's place; each reader then cuts out its columns."""
    import torch

    linears = [layer.get_submodule(part) for part in parts]
    weight = torch.nn.Parameter(torch.cat([linear.weight.detach() for linear in linears]))
    biases = [linear.bias.detach() for linear in linears if linear.bias is not None]
    bias = torch.nn.Parameter(torch.cat(biases)) if biases else None
    old = layer.get_submodule(norm)
    layer.set_submodule(norm, build(weight, bias, old.weight, old.variance_epsilon))
    start = 0
    for part, linear in zip(parts, linears, strict=True):
        layer.set_submodule(part, columns(start, start + linear.out_features))
        start += linear.out_features


def columns(start: int, stop: int) -> nn.Module:
    """A module without weights: (..., all) -> (..., stop - start)."""
    import torch

    class Columns(torch.nn.Module):
        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return features[..., start:stop]

    return Columns()


def refuse_odd_sizes(model: PreTrainedModel) -> None:
    """Raises PrecisionError for a Linear that FP8 cannot take, before anything is changed."""
    for index, layer in enumerate(model.base_model.layers):
        for name in (*(part for parts in FUSED.values() for part in parts), *SINGLE):
            linear = layer.get_submodule(name)
            if linear.weight.shape != (linear.out_features, linear.in_features):
                raise PrecisionError(
                    f"precision: fp8: layer {index}'s {name} holds {tuple(linear.weight.shape)} of its "
                    f"{linear.out_features} x {linear.in_features} weights: it is sharded already. Load the model "
                    "whole, before a ZeRO-3 configuration is in force; the trainer shards it after the conversion."
                )
            if linear.in_features % FP8_MULTIPLE or linear.out_features % FP8_MULTIPLE:
                raise PrecisionError(
                    f"precision: fp8: layer {index}'s {name} is {linear.out_features} x {linear.in_features}; FP8 "
                    f"products need multiples of {FP8_MULTIPLE}. Set precision: bf16 in params.yaml for this model."
                )


def builder(section: Training) -> Build:
    """How an FP8 module is made here: emulated, or by Transformer Engine."""
    if section.fp8.emulate:
        from proofline.training.fp8_emulated import EmulatedLinear, EmulatedNormLinear

        def emulated(weight: Any, bias: Any, norm: Any, eps: float) -> nn.Module:
            return EmulatedLinear(weight, bias) if norm is None else EmulatedNormLinear(weight, bias, norm, eps)

        return emulated
    te = transformer_engine(section)
    region = current_scaling(te)

    def engine(weight: Any, bias: Any, norm: Any, eps: float) -> nn.Module:
        # On the meta device nothing is allocated: the module takes the parameters that are there.
        shape = {"in_features": weight.shape[1], "out_features": weight.shape[0], "bias": bias is not None}
        place = {"params_dtype": weight.dtype, "device": "meta"}
        if norm is None:
            module = te.Linear(**shape, **place)
        else:
            module = te.LayerNormLinear(**shape, **place, eps=eps, normalization="RMSNorm")
            module.layer_norm_weight = norm
        module.weight = weight
        if bias is not None:
            module.bias = bias
        return in_region(module, region)

    return engine


def in_region(module: nn.Module, region: Callable[[], AbstractContextManager[None]]) -> nn.Module:
    """The module, computing in FP8 wherever it is called from."""
    forward = module.forward

    def forward_in_fp8(features: torch.Tensor) -> torch.Tensor:
        with region():
            return forward(features)

    module.forward = forward_in_fp8
    return module
