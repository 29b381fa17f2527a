"""How a training runs here. Nothing in it changes which rows make a step, so it is not part of the recipe."""

from __future__ import annotations

import ctypes
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from proofline.checkpoints.store import Keep
from proofline.config.environment import Environment, repository_root

KEEP = Keep()


@dataclass(frozen=True)
class Execution:
    """Execution settings of one training process."""

    threads: int | None = None
    """CPU threads; None: PyTorch's own choice."""
    micro_batch: int | None = None
    """Rows in one forward pass of one process; None: chosen."""
    checkpoints: Path | None = None
    """Folder under which resumable checkpoints are kept until the training is done; None: none are written."""
    bucket: str | None = None
    """`gs://bucket/prefix` under which they are kept instead; the folder then has their locks."""
    save_steps: int | None = None
    """Optimizer steps between two checkpoints; None: as often as they cost one per cent of the time."""
    keep: Keep = KEEP
    """Which of them stay."""
    put_off_seconds: float = Environment().put_off_seconds
    """How long the last one may take when the training is asked to end."""
    references: Path | None = None
    """Folder in which DPO keeps reference log-probabilities it has found; None: nowhere."""
    zero_stage: int = 0
    """What the processes of a training shard with DeepSpeed ZeRO; 0: nothing."""
    compile_layers: bool = False
    """Compile the decoder's layers (torch.compile): fuses what lies between matrix products, for a minute's wait."""

    @staticmethod
    def of(environment: Environment) -> Execution:
        """The settings of the environment.

        Checkpoints lie in the repository and not where the stage runs: the copy that `dvc exp run --temp` and the queue
        make goes with the experiment.
        """
        root = repository_root()
        return Execution(
            threads=environment.threads_each,
            micro_batch=environment.micro_batch,
            checkpoints=None if environment.checkpoints == "none" else environment.checkpoint_folder(root),
            bucket=environment.checkpoint_bucket,
            save_steps=environment.save_steps,
            keep=Keep(environment.keep_last, environment.keep_every),
            put_off_seconds=environment.put_off_seconds,
            references=root / "checkpoints/references",
            zero_stage=environment.zero_stage,
            compile_layers=environment.compile_layers,
        )


AS_IT_COMES = Execution()


def prepare_process(execution: Execution) -> None:
    """Settings of the process, made before the heavy imports, which they speed up."""
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_DISABLE", "1")
    keep_freed_memory()
    look_for_deepspeed(execution.zero_stage > 0)
    if execution.threads:
        import torch

        torch.set_num_threads(execution.threads)


def look_for_deepspeed(wanted: bool) -> None:
    """Whether Accelerate, when it unwraps a model, asks if DeepSpeed has wrapped it.

    It asks wherever DeepSpeed is installed, and imports all of it for that, MLflow included: 0.8 of the 4 s to a
    training's first step. It has no setting for this.
    """
    from accelerate.utils import imports, other

    other.is_deepspeed_available = imports.is_deepspeed_available if wanted else lambda: False


def keep_freed_memory() -> None:
    """Ask the C library to keep large freed blocks: every step frees and asks again for the same activations.

    By default glibc returns them to the system, which hands them out again zeroed, page by page. Keeping them takes
    10 to 30% off the time of a step of the tiny policy on one core (236 to 168 ms at 16 rows of 160 tokens).
    """
    trim_threshold, mmap_threshold = -1, -3  # mallopt(3)
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(mmap_threshold, 1 << 30)
        mallopt(trim_threshold, (1 << 31) - 1)
