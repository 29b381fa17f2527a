"""Resumable checkpoints of a training, outside DVC's outs (DVC deletes those before a stage runs).

A checkpoint counts when its marker is there; the marker is written last, so one that was cut off looks absent.
Its folder is named by what decides the trained weights, so another recipe, seed, start or set of rows never resumes it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from proofline.config.schema import Training
from proofline.records import stable_id
from proofline.storage.weights import weights_hash
from proofline.training.execution import Execution

if TYPE_CHECKING:
    from transformers import TrainerCallback

MARKER = "complete"


def checkpoint_folder(
    execution: Execution, stage: str, section: Training, seed: int, policy_dir: Path, rows: Iterable[object]
) -> Path | None:
    """`<root>/<stage>/<identity>`; None where no checkpoints are wanted.

    A shared-out optimizer (ZeRO) can only be read back by as many processes, so their number is part of its identity.
    """
    if execution.checkpoints is None:
        return None
    shards = [execution.zero_stage, os.environ.get("WORLD_SIZE", "1")] if execution.zero_stage else []
    digest = hashlib.sha256()
    for row in rows:
        digest.update(repr(row).encode())
    identity = stable_id(section.model_dump(), seed, weights_hash(policy_dir), digest.hexdigest(), *shards)
    return execution.checkpoints / stage / identity


def last_complete(folder: Path) -> Path | None:
    """The complete checkpoint of the most steps."""
    complete = [marker.parent for marker in folder.glob(f"checkpoint-*/{MARKER}")]
    return max(complete, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def marking_callback() -> TrainerCallback:
    """Marks each checkpoint once every process has finished writing its part."""
    from accelerate import PartialState
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

    class MarkComplete(TrainerCallback):
        def on_save(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: object
        ) -> None:
            PartialState().wait_for_everyone()
            if state.is_world_process_zero:
                (Path(args.output_dir) / f"checkpoint-{state.global_step}" / MARKER).touch()

    return MarkComplete()
