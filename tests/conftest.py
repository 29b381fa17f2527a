"""What several rooms' tests share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# What is tested is this checkout, whatever is installed: here and in the processes that tests start.
SOURCE = str(Path(__file__).parents[1] / "src")
sys.path.insert(0, SOURCE)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [SOURCE, os.environ.get("PYTHONPATH")]))

# On a busy machine an example takes as long as it takes: that says nothing about the code.
settings.register_profile("proofline", deadline=None)
settings.load_profile("proofline")


@pytest.fixture(scope="session")
def tiny_policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A randomly initialised tiny Qwen2 with the project's own tokenizer, as a Hugging Face folder."""
    from proofline.base.pretraining import build_model, build_tokenizer
    from proofline.config.schema import Pretraining, Prompts

    section = Pretraining(
        hidden_size=64, num_layers=2, num_heads=4, num_kv_heads=2, intermediate_size=128, vocab_size=512,
        sequence_length=128, batch_size=2, max_steps=1, learning_rate=1e-3, warmup_steps=0,
    )  # fmt: skip
    prompts = Prompts(solution="{question}", verification="{question}\nSolution:\n{candidate}\nVerify.")
    folder = tmp_path_factory.mktemp("tiny") / "policy"
    tokenizer = build_tokenizer(section, prompts, seed=0)
    build_model(section, tokenizer, seed=0).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
