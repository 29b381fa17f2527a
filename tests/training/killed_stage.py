"""A stage that trains eight steps, and is killed in steps of it as power cuts kill."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from forked_launch import processes_are_forked
from forked_recorder import recorders_are_forked
from training_rows import training, until_kept

from proofline.config import load_environment
from proofline.launch import launch
from proofline.tracking import track
from proofline.tracking.spool import Spool
from proofline.training.execution import Execution

SAID = Path("killed")
"""A point for each time."""


def stage(policy: Path, kill_at: Sequence[int], save_steps: int) -> None:
    """In this folder and process, which has no other use: train, and die once in each of these steps, one after the
    other, whether it is this process or one that it launches. `save_steps`: 0 for no checkpoints."""
    processes_are_forked()
    recorders_are_forked()
    checkpoints = Path("checkpoints").absolute() if save_steps else None
    execution = Execution(threads=1, micro_batch=4, save_steps=save_steps or 1, checkpoints=checkpoints)
    log_metrics: Any = Spool.log_metrics

    def cut(spool: Spool, metrics: Mapping[str, float], step: int | None = None) -> None:
        log_metrics(spool, metrics, step)
        kills = SAID.stat().st_size if SAID.exists() else 0
        if step and kills < len(kill_at) and step == kill_at[kills]:
            until_kept(execution, step)
            with open(SAID, "a") as file:
                file.write(".")
            spool.id()  # it has begun in the store
            os.kill(os.getpid(), signal.SIGKILL)

    Spool.log_metrics = cut  # type: ignore[method-assign]
    with track("train_sft", sections={"seed": 0}) as run:
        run.id()  # steps as short as these would be over before the store has it, and a checkpoint without it
        train = partial(training("sft", policy, epochs=2.0), 0, Path("sft"), execution=execution)
        run.log_metrics(launch(train, run, load_environment()))
