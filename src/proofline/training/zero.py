"""DeepSpeed ZeRO (Rajbhandari et al. 2020): the processes of a training share out what each would hold a copy of.

Stage 1 shards the optimizer's state, 2 the gradients too, 3 the weights too. That is execution: the rows of a step and
the arithmetic stay the recipe's. So DeepSpeed's own bf16 mode, which rounds the weights that are computed with, is left
off; the weights stay fp32, bf16 is the same autocast over them as without ZeRO, and gradients are summed in fp32.
"""

from __future__ import annotations

from typing import Any

from proofline.config.schema import Training


def zero_arguments(stage: int, section: Training) -> dict[str, Any]:
    """Trainer arguments of a recipe's precision under a ZeRO stage."""
    compile_nothing()
    config: dict[str, Any] = {
        "zero_optimization": {"stage": stage, "stage3_gather_16bit_weights_on_model_save": True},
        "torch_autocast": {
            "enabled": section.precision != "fp32",
            "dtype": "bfloat16",
            # Layers named here would sum their gradients in bf16.
            "lower_precision_safe_modules": [],
        },
        "bf16": {"enabled": False},
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "gradient_clipping": "auto",
    }
    return {"deepspeed": config, "bf16": False, "fp16": False}


def compile_nothing() -> None:
    """Let DeepSpeed (0.19) believe that no kernel of its own can be compiled here, when it asks that as it connects.

    Without GPUs it would then compile one that only its inference calls: with a C++ compiler, for 70 s on both cores,
    wherever that has not been done yet. Killed in the middle it leaves a lock that every later training waits for.
    """
    import deepspeed.ops

    deepspeed.ops.__compatible_ops__ = {}
