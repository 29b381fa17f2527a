"""Whose next token the decoding loop computes: tried out on small models, also those with layers it does not know."""

from __future__ import annotations

from typing import Any

import pytest
import transformers

from proofline.base.trial import TOLERANCE, ArchitectureError, largest_gap, small_model, try_architecture
from proofline.sampling.engine import LayersError

SIZES = {
    "hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 64, "vocab_size": 300, "pad_token_id": None, "bos_token_id": None, "eos_token_id": None,
}  # fmt: skip
ALIKE: dict[str, tuple[str, dict[str, Any]]] = {
    "full attention, one mask": ("LlamaConfig", {"tie_word_embeddings": False}),
    "other names for its parts": ("GPTNeoXConfig", {"num_key_value_heads": None}),
    "a window in every layer": ("MistralConfig", {"sliding_window": 4096}),
    "a window in every other layer, capped scores and logits": ("Gemma2Config", {"head_dim": 8}),
    "a window in the last layers": (
        "Qwen2Config", {"use_sliding_window": True, "sliding_window": 64, "max_window_layers": 2}
    ),
    "scaled logits": ("GraniteConfig", {"logits_scaling": 4.0}),
    "learned positions": ("GPT2Config", {"num_key_value_heads": None, "intermediate_size": None}),
}  # fmt: skip


def config(kind: str, **changes: Any) -> Any:
    sizes = {name: value for name, value in (SIZES | changes).items() if name in ("pad_token_id",) or value is not None}
    return getattr(transformers, kind)(**sizes)


@pytest.mark.parametrize("what", ALIKE)
def test_the_loop_computes_what_the_model_computes(what: str) -> None:
    kind, changes = ALIKE[what]
    assert largest_gap(small_model(config(kind, **changes))) < TOLERANCE / 10


@pytest.mark.parametrize("kind", ["JambaConfig", "Qwen3NextConfig", "MambaConfig"])
def test_layers_that_keep_a_state_are_refused(kind: str) -> None:
    with pytest.raises(LayersError, match=r"layers of the kind linear_attention.*take a model"):
        try_architecture(getattr(transformers, kind)())


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("GptOssConfig", "does not compute what gpt_oss computes"), ("BloomConfig", "cannot be sampled from")],
)
def test_what_the_loop_does_not_know_shows_in_a_trial(kind: str, reason: str) -> None:
    changes = {"num_local_experts": 2, "num_experts_per_tok": 1, "head_dim": 8} if kind == "GptOssConfig" else {}
    with pytest.raises(ArchitectureError, match=reason):
        try_architecture(config(kind, **changes))
