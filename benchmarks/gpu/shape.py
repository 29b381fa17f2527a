"""The shape of Qwen2.5-0.5B with random weights, as a policy folder: nothing is downloaded."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

from proofline.base.source import BUNDLED

SELF_CHECK = "SELF-CHECK on a CPU at toy size: it shows that the script runs, and measures nothing."
FULL = {
    "vocab_size": 151_936, "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24,
    "num_attention_heads": 14, "num_key_value_heads": 2, "rope_theta": 1e6,
}  # fmt: skip
TOY = {
    "vocab_size": 4096, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2,
}  # fmt: skip


def write_policy(folder: Path, *, toy: bool) -> Path:
    """A folder with random bf16 weights, a tied head and the project's own tokenizer, whose ids are fewer."""
    torch.manual_seed(0)
    config = Qwen2Config(**(TOY if toy else FULL), tie_word_embeddings=True, max_position_embeddings=32_768)
    Qwen2ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    AutoTokenizer.from_pretrained(BUNDLED).save_pretrained(folder)
    return folder


def need_a_gpu(self_check: bool) -> None:
    """End with a remedy where a measurement is asked of a machine that has no GPU."""
    if not self_check and not torch.cuda.is_available():
        raise SystemExit("This measures a GPU and finds none. `--self-check` runs the script at toy size on a CPU.")


def matmul_parameters(config: Qwen2Config) -> int:
    """Weights that a token is multiplied with: the layers' Linears and the head (the embedding is a look-up)."""
    head_dim = config.hidden_size // config.num_attention_heads
    attention = config.hidden_size * head_dim * (2 * config.num_attention_heads + 2 * config.num_key_value_heads)
    mlp = 3 * config.hidden_size * config.intermediate_size
    return config.num_hidden_layers * (attention + mlp) + config.vocab_size * config.hidden_size
