"""Resumable checkpoints of a training, outside DVC's outs (DVC deletes those before a stage runs).

A checkpoint counts when its marker is there; the marker is written last, so one that was cut off looks absent.
Its folder is named by what decides the trained weights, so another recipe, seed, start or set of rows never resumes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from proofline.config.schema import Training
from proofline.records import stable_id
from proofline.storage.weights import weights_hash

if TYPE_CHECKING:
    from transformers import TrainerCallback

MARKER = "complete"


def checkpoint_folder(
    root: Path | None, stage: str, section: Training, seed: int, policy_dir: Path, rows: Iterable[object]
) -> Path | None:
    """`<root>/<stage>/<identity>`; None where no checkpoints are wanted."""
    if root is None:
        return None
    digest = hashlib.sha256()
    for row in rows:
        digest.update(repr(row).encode())
    identity = stable_id(section.model_dump(), seed, weights_hash(policy_dir), digest.hexdigest())
    return root / stage / identity


def last_complete(folder: Path) -> Path | None:
    """The complete checkpoint of the most steps."""
    complete = [marker.parent for marker in folder.glob(f"checkpoint-*/{MARKER}")]
    return max(complete, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def marking_callback() -> TrainerCallback:
    """Marks each checkpoint once the trainer has finished writing it."""
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

    class MarkComplete(TrainerCallback):
        def on_save(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: object
        ) -> None:
            if state.is_world_process_zero:
                (Path(args.output_dir) / f"checkpoint-{state.global_step}" / MARKER).touch()

    return MarkComplete()
