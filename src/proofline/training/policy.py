"""A policy folder in and out: a plain Hugging Face folder (config, safetensors, tokenizer, chat template).

Weights are trained in fp32 and written in the number format of the folder that training started from, with what
adapters have learnt in them. A tied output head is stored once. The folder is written beside its place and renamed into
it: it is either absent or whole.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proofline.config.schema import Lora
from proofline.storage.space import room_for
from proofline.storage.weights import weight_files
from proofline.training.adapters import merged_weights
from proofline.training.execution import AS_IT_COMES, Execution
from proofline.training.fp8_names import plain_weights

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer


class PolicyError(ValueError):
    """A folder is not a policy."""


@dataclass(frozen=True)
class Policy:
    """A policy in memory, ready to train."""

    folder: Path
    model: PreTrainedModel
    """In fp32, whatever the folder holds."""
    tokenizer: PreTrainedTokenizerBase
    stored: torch.dtype
    """Number format of the folder."""


def load_policy(folder: Path, execution: Execution = AS_IT_COMES) -> Policy:
    """Load for training on this machine."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    if not (folder / "config.json").is_file():
        raise PolicyError(
            f"{folder} is not a policy: it has no config.json. Run the stage that makes it (`dvc repro`)."
        )
    # On a CPU plain attention is faster than the fused kernel, whose backward pass is slow: 12.6k against 8.1k tokens/s
    # on one core at 16 rows of 96 tokens, 10.1k against 7.4k at 256 tokens.
    attention = "sdpa" if torch.cuda.is_available() else "eager"
    # Whole, even where a training before this one in the process has left its ZeRO-3 settings to transformers.
    unset_hf_deepspeed_config()
    weight_files(folder)
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype="auto", attn_implementation=attention, use_safetensors=True, trust_remote_code=False
    )
    if execution.compile_layers:
        # Layer by layer and in place: names of the weights stay, and one compiled program serves all layers.
        for layer in model.base_model.layers:
            layer.compile()
    stored, tokenizer = model.dtype, AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    return Policy(folder, model.to(torch.float32), tokenizer, stored)


def export_policy(trainer: Trainer, policy: Policy, lora: Lora | None, out_dir: Path) -> None:
    """Write the trained weights to `out_dir`, from the first process; all processes return when it is there.

    Raises DiskFullError where there is no room.
    """
    weights = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if trainer.is_world_process_zero():
        model = trainer.accelerator.unwrap_model(trainer.model)
        once = {
            name: tensor.to(policy.stored)
            for name, tensor in plain_weights(merged_weights(weights, lora), model.config).items()
            if name not in model.all_tied_weights_keys
        }
        size = sum(tensor.nbytes for tensor in once.values())
        shutil.rmtree(partial(out_dir), ignore_errors=True)
        with room_for(partial(out_dir), size, f"Make room and start the stage again; {out_dir} is not there yet."):
            model.to(policy.stored).save_pretrained(partial(out_dir), state_dict=once)
            policy.tokenizer.save_pretrained(partial(out_dir))
        shutil.rmtree(out_dir, ignore_errors=True)
        os.replace(partial(out_dir), out_dir)
    trainer.accelerator.wait_for_everyone()


def partial(out_dir: Path) -> Path:
    """Where an output is made before it takes its place."""
    return out_dir.with_name(out_dir.name + ".partial")
