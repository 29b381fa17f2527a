"""Functions for launched processes: they say who they are, refuse, and die as power cuts make them die."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from training_rows import Recorded, train_sharded, training, until_kept

from proofline.grading import grade_all
from proofline.records import Grade, Problem, Solution
from proofline.tracking import Run
from proofline.training.execution import Execution


def who(run: Run) -> tuple[str, str, str]:
    """RANK, WORLD_SIZE and working directory of rank 0."""
    return os.environ["RANK"], os.environ["WORLD_SIZE"], os.getcwd()


def refuse(calls: Path, run: Run) -> None:
    """Rank 0 refuses its input, while the others wait for it as they would in a training's first step."""
    if os.environ["RANK"] == "0":
        with open(calls, "a") as lines:
            lines.write("called\n")
        raise ValueError("found 7; expected 8")
    import torch.distributed

    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group("gloo")
    torch.distributed.barrier()


def die(run: Run) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def squares(shard: Sequence[int]) -> list[int]:
    if -1 in shard:
        raise ValueError("found -1; expected a natural number")
    return [number * number for number in shard]


def squares_noted(trace: Path, shard: Sequence[int]) -> list[int]:
    with open(trace, "a") as lines:
        lines.write("".join(f"{number}\n" for number in shard))
    return squares(shard)


def squares_dying_once(trace: Path, shard: Sequence[int]) -> list[int]:
    """The process that gets number 5 dies with it, the first time."""
    if 5 in shard and not trace.exists():
        trace.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return squares(shard)


def grade_shard(problems: dict[str, Problem], solutions: Sequence[Solution]) -> list[Grade]:
    return grade_all(solutions, problems, workers=1)


class NodeLost(Recorded):
    """At a step of rank 0 the raylet above it is killed, once, and with it everything that ran on its node."""

    def __init__(self, step: int, trace: Path, execution: Execution) -> None:
        super().__init__(execution=execution)
        self.step, self.lost = step, trace

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        if step == self.step and not self.lost.exists():
            until_kept(self.execution, step)
            self.lost.touch()
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)


def train_through_losses(policy_dir: Path, out_dir: Path, execution: Execution, run: Run) -> None:
    """At step 3 rank 0 dies; when it comes there again its node does; the third time it is left alone, and the training
    follows that shards over the processes, into `out_dir/2`."""
    killed, lost = out_dir / "killed", out_dir / "lost"
    dying = NodeLost(3, lost, execution) if killed.exists() else Recorded(3, killed, execution)
    training("sft", policy_dir)(0, out_dir / "sft", dying, execution=execution)
    train_sharded(["sft"], policy_dir, out_dir, replace(execution, checkpoints=None), (2,), run)
