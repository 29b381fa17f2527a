"""DeepSpeed ZeRO (Rajbhandari et al. 2020): the processes of a training share out what each would hold a copy of.

Stage 1 shards the optimizer's state, 2 the gradients too, 3 the weights too. That is execution: the rows of a step and
the arithmetic stay the recipe's. So DeepSpeed's own bf16 mode, which rounds the weights that are computed with, is left
off; the weights stay fp32, bf16 is the same autocast over them as without ZeRO, and gradients are summed in fp32.
"""

from __future__ import annotations

from typing import Any

from proofline.training.precision import Precision


def zero_arguments(stage: int, precision: Precision) -> dict[str, Any]:
    """Trainer arguments of a precision under a ZeRO stage."""
    config: dict[str, Any] = {
        "zero_optimization": {"stage": stage, "stage3_gather_16bit_weights_on_model_save": True},
        "torch_autocast": {
            "enabled": precision == "bf16",
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
