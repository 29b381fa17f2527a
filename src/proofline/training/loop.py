"""From rows to a trained folder, for all three trainings: TRL's arguments, the run of the trainer, the export.

TRL and transformers own the loop. Decided here is what they would otherwise take from their defaults or from the
number of processes: the rows of every step, the learning-rate schedule, the arithmetic, what is saved and reported.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from proofline.config.schema import Training
from proofline.training.batching import BatchError, Schedule
from proofline.training.checkpoints import Checkpoints
from proofline.training.execution import Execution
from proofline.training.fp8_audit import audit, auditing_callback
from proofline.training.optimizer import arrange_optimizer
from proofline.training.policy import Policy, export_policy
from proofline.training.precision import precision_arguments
from proofline.training.zero import zero_arguments

if TYPE_CHECKING:
    from transformers import Trainer

    from proofline.tracking import Run

POINTS_ON_A_CURVE = 50
CPU_TILE = 2048
"""Words of the vocabulary whose logits are there at a time. TRL's 32,768 are a GPU's: with 1,200 tokens its temporaries
take 1.3 GB, and are in no cache."""


class DivergenceError(ValueError):
    """The training left the numbers."""


def trl_arguments(
    section: Training, schedule: Schedule, seed: int, execution: Execution, work_dir: Path
) -> dict[str, Any]:
    """The arguments that all TRL configurations share. Nothing is written to `work_dir`."""
    import torch

    on_cpu = not torch.cuda.is_available()
    return {
        "output_dir": str(work_dir),
        # Ours (saving.py).
        "save_strategy": "no",
        "seed": seed,
        "max_steps": schedule.steps,
        "per_device_train_batch_size": schedule.batch.micro_batch,
        "gradient_accumulation_steps": schedule.batch.accumulation,
        "train_sampling_strategy": "sequential",
        "max_length": None,
        "optim": "adamw_torch_fused",
        "learning_rate": section.learning_rate,
        # The one of transformers' schedules whose warm-up starts at its first fraction and not at 0, at which a step
        # would train nothing: a training of one step, all of it.
        "lr_scheduler_type": "cosine_warmup_with_min_lr",
        "lr_scheduler_kwargs": {"min_lr_rate": 0.1},
        "warmup_steps": math.ceil(section.warmup_ratio * schedule.steps),
        "weight_decay": section.weight_decay,
        "max_grad_norm": section.max_grad_norm,
        "use_cpu": on_cpu,
        "dataloader_pin_memory": not on_cpu,
        # Written into the exported config; the trainers turn the cache off by themselves.
        "use_cache": True,
        "logging_steps": max(1, schedule.steps // POINTS_ON_A_CURVE),
        "logging_nan_inf_filter": False,
        "report_to": "none",
        "disable_tqdm": not sys.stderr.isatty(),
        **precision_arguments(section),
        **(zero_arguments(execution.zero_stage, section) if execution.zero_stage else {}),
    }


def fit(
    trainer: Trainer,
    section: Training,
    schedule: Schedule,
    policy: Policy,
    checkpoints: Checkpoints | None,
    out_dir: Path,
    run: Run,
    curves: Sequence[str],
) -> dict[str, float]:
    """Train, resuming where there is a checkpoint, and export to `out_dir`. Returns where the `curves` ended."""
    import trl.trainer.utils
    from transformers import PrinterCallback

    from proofline.tracking.callback import TrackingCallback
    from proofline.training.host_memory import GivesBack
    from proofline.training.resuming import kept_checkpoints

    if trainer.args.world_size != schedule.batch.world_size:
        raise BatchError(
            f"The launcher promised {schedule.batch.world_size} processes (WORLD_SIZE), but {trainer.args.world_size} "
            "take part. Start the stage by itself and set PROOFLINE_LAUNCHER and PROOFLINE_PROCESSES."
        )
    trained = trainer.model.num_parameters(only_trainable=True)
    trainer.remove_callback(PrinterCallback)  # the progress line has the loss, the run everything
    trainer.add_callback(auditing_callback(section))
    trainer.add_callback(GivesBack())
    arrange_optimizer(trainer, section)
    tile = CPU_TILE if trainer.args.use_cpu else trl.trainer.utils._CHUNKED_LOGPROB_CHUNK_SIZE
    with (
        patch.object(trl.trainer.utils, "_CHUNKED_LOGPROB_CHUNK_SIZE", tile),
        kept_checkpoints(trainer, checkpoints) as saving,
    ):
        tracking = TrackingCallback(run, trainer, checkpoints.folder if saving and checkpoints else None)
        trainer.add_callback(tracking)
        began = time.perf_counter()
        trainer.train(resume_from_checkpoint=saving.trainer_folder if saving else None)
        seconds = tracking.earlier_seconds + time.perf_counter() - began
        last = next(point for point in reversed(trainer.state.log_history) if "loss" in point)
        if not math.isfinite(last["loss"]):
            raise DivergenceError(
                f"The loss is {last['loss']} at step {last['step']} of {schedule.steps}; nothing was written to "
                f"{out_dir}. Lower the learning rate ({trainer.args.learning_rate}) or lengthen the warm-up in "
                "params.yaml."
            )
        export_policy(trainer, policy, section.lora, out_dir)
    tokens = next(point["num_tokens"] for point in reversed(trainer.state.log_history) if "num_tokens" in point)
    costs = {
        "trainable_parameters": trained, "steps": schedule.steps, "tokens": tokens, "seconds": seconds,
        "mean_tokens_per_second": tokens / seconds,
    }  # fmt: skip
    return {f"final_{curve}": last[curve] for curve in curves} | costs | audit(trainer.model, section)
