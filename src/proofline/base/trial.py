"""Does the decoding loop compute what a model of this architecture computes? Tried out, not looked up in a list.

In: a configuration of transformers. A small model of it, with random weights, few layers and a window of a few tokens,
says something by the loop; each token's distribution has to be that of a forward pass of the same model over the whole
text. Whatever the loop does not know (biases by position, other caches, attention sinks) shows there, in seconds.
"""

from __future__ import annotations

import copy

import torch
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

from proofline.records import Decoding
from proofline.sampling.engine import Engine, prefill_attention, refuse_layers
from proofline.sampling.request import Request

VOCABULARY, WINDOW, WIDTH = 96, 5, 64
"""Of the small model: tokens, positions of a sliding window, inner width of its feed-forward layers."""
PROMPTS = ([5, 9, 11, 3], [7, 2, 8, 13, 21, 34, 55, 89, 4, 6, 1])
"""Token ids; shorter and longer than the window, and not alike, so that one of them is padded."""
TOLERANCE = 1e-3
"""Nats, in fp32. Rounding stays a hundred times below it, what is computed otherwise is far above."""


class ArchitectureError(ValueError):
    """The decoding loop cannot sample from this architecture."""


def try_architecture(config: PretrainedConfig) -> None:
    """Raises ArchitectureError with the reason, LayersError where a kind of layer is known not to work."""
    refuse_layers(config)
    try:
        model = small_model(config)
        gap = largest_gap(model)
    except Exception as error:  # whatever an unknown architecture raises is the answer that is looked for
        cause = " ".join(str(error).split())[:300]
        raise ArchitectureError(
            f"a small model of {config.model_type} cannot be sampled from ({type(error).__name__}: {cause}); take a "
            "decoder-only model of transformers whose layers attend to all tokens or to a sliding window"
        ) from error
    if not gap < TOLERANCE:
        raise ArchitectureError(
            f"the decoding loop does not compute what {config.model_type} computes: log-probabilities of a small model "
            f"of it are {gap:.2g} nats apart; take a model whose layers attend to all tokens or to a sliding window"
        )


def small_model(config: PretrainedConfig) -> PreTrainedModel:
    """A random model of the architecture, with a layer of every kind and at least two."""
    small = copy.deepcopy(config)
    kinds = getattr(config, "layer_types", None)
    layers = 2
    if kinds:
        layers = max([layers, *(kinds.index(kind) + 1 for kind in kinds)])
        small.layer_types = kinds[:layers]
    changed = {
        "num_hidden_layers": layers, "vocab_size": VOCABULARY, "intermediate_size": WIDTH,
        "moe_intermediate_size": WIDTH, "pad_token_id": None, "bos_token_id": None, "eos_token_id": None,
    }  # fmt: skip
    for name, value in changed.items():
        if hasattr(small, name):
            setattr(small, name, value)
    if getattr(small, "sliding_window", None):
        small.sliding_window = WINDOW
    generator = torch.Generator().manual_seed(0)
    model = AutoModelForCausalLM.from_config(small, dtype=torch.float32).eval()
    for parameter in model.parameters():
        if parameter.ndim > 1:
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.data += noise * parameter.shape[-1] ** -0.5
    return model


@torch.inference_mode()
def largest_gap(model: PreTrainedModel) -> float:
    """The largest distance (nats) between the loop's log-probabilities and those of a forward pass."""
    requests = [Request(str(at), ids, [at, at + 10]) for at, ids in enumerate(PROMPTS)]
    decoding = Decoding(temperature=1.0, top_p=1.0, max_new_tokens=2 * WINDOW)
    track = list(range(VOCABULARY))
    said = list(Engine(model, [], rows=3).generate(requests, decoding, track))
    model.set_attn_implementation(prefill_attention(model))
    gaps = []
    for completion in said:
        prompt = list(PROMPTS[int(completion.key)])
        logits = model(torch.tensor([prompt + completion.token_ids]), use_cache=False).logits[0, len(prompt) - 1 : -1]
        gaps.append(abs(logits.log_softmax(-1) - torch.from_numpy(completion.tracked)).max())
    return float(torch.stack(gaps).max())
