"""Small rows and recipes for the trainings."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from proofline.config.schema import Dpo, Genrm, Lora, Prompts, Sft
from proofline.data.synthetic import demonstrations as write_demonstrations
from proofline.data.synthetic import generate_problems
from proofline.records import Decoding, Demonstration, Grade, Origin, PreferencePair, VerificationTrace
from proofline.tracking import Run
from proofline.training.dpo import train_dpo
from proofline.training.execution import AS_IT_COMES, Execution
from proofline.training.genrm import train_genrm
from proofline.training.sft import train_sft

PROMPTS = Prompts(solution="{question}", verification="{question}\nSolution:\n{candidate}\nVerify.")
COMMON = {
    "epochs": 1.0, "learning_rate": 1e-3, "warmup_ratio": 0.0, "batch_size": 8, "max_length": 512,
    "weight_decay": 0.0, "max_grad_norm": 1.0, "precision": "fp32",
    "fp8": {"emulate": True, "min_flops_share": 0.6}, "optimizer_state": "fp32", "activation_checkpointing": False,
}  # fmt: skip
SFT = Sft.model_validate(COMMON)
DPO = Dpo.model_validate(COMMON | {"beta": 0.1, "loss": "sigmoid", "sft_weight": 0.0})
GENRM = Genrm.model_validate(COMMON | {"solution_weight": 0.25})
LORA = Lora(rank=4, alpha=8.0, dropout=0.0, target="all-linear")
Train = Callable[..., dict[str, float]]


def until_kept(execution: Execution, step: int) -> None:
    """Wait for the last checkpoint of a training that is at this step: it is written while the steps go on."""
    if execution.checkpoints is None or execution.save_steps is None:
        return
    last = (step - 1) // execution.save_steps * execution.save_steps
    while last and not list(execution.checkpoints.glob(f"*/*/step-{last:08d}/manifest.json")):
        time.sleep(0.01)


class Recorded:
    """A run that keeps what it is told, and can end its process at a step, as a power cut does.

    At minus a step, as somebody does who asks for it: SIGTERM.
    """

    def __init__(
        self, kill_at: int | None = None, trace: Path | None = None, execution: Execution = AS_IT_COMES
    ) -> None:
        self.curves: list[tuple[int | None, dict[str, float]]] = []
        self.tags: dict[str, str] = {}
        self.kill_at = kill_at
        self.trace = trace
        self.execution = execution

    def id(self) -> None: ...

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.curves.append((step, dict(metrics)))
        if step is not None and step == self.kill_at:
            until_kept(self.execution, step)
            if self.trace:
                self.trace.parent.mkdir(parents=True, exist_ok=True)
                self.trace.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if step is not None and self.kill_at is not None and step == -self.kill_at:
            os.kill(os.getpid(), signal.SIGTERM)

    def log_params(self, params: Mapping[str, object]) -> None: ...

    def log_artifact(self, path: Path | str, folder: str = "") -> None: ...

    def set_tag(self, name: str, value: str) -> None:
        self.tags[name] = value

    def at(self, step: int) -> dict[str, float]:
        return next(metrics for logged, metrics in self.curves if logged == step)


class Stopped(ValueError):
    """As a person stops a training."""


class Stops(Recorded):
    """Stopped at the fourth step: with a checkpoint a step, two of them lie there."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        if step == 4:
            raise Stopped
        super().log_metrics(metrics, step)


def some_demonstrations(count: int = 32) -> list[Demonstration]:
    return list(write_demonstrations(generate_problems("train", count, seed=0), seed=0))[:count]


def origin(solution_id: str, row: Demonstration) -> Origin:
    grade = Grade(
        solution_id=solution_id, problem_id=row.problem_id, verdict="wrong" if solution_id == "wrong" else "correct",
        extracted=None, reason="", grader="test",
    )  # fmt: skip
    decoding = Decoding(temperature=0.7, top_p=1.0, max_new_tokens=64)
    return Origin(policy="sft", weights="w", decoding=decoding, sample_index=0, seed=0, num_tokens=9, grade=grade)


def some_pairs(count: int = 32) -> list[PreferencePair]:
    return [
        PreferencePair(
            id=row.id, problem_id=row.problem_id, question=row.question, chosen_id="right", rejected_id="wrong",
            chosen=row.solution, rejected=row.solution.replace("=", "= 7"), rule="random", settings={"per_problem": 1},
            chosen_from=origin("right", row), rejected_from=origin("wrong", row), on_policy=True,
        )
        for row in some_demonstrations(count)
    ]  # fmt: skip


def some_traces(count: int = 32) -> list[VerificationTrace]:
    return [
        VerificationTrace(
            id=row.id, problem_id=row.problem_id, solution_id="s", question=row.question, candidate=row.solution,
            chain=f"{row.solution}\nVerification: Is the answer correct (Yes/No)? Yes", label=True, origin="program",
            candidate_from=origin("s", row), layout="1 steps in 32 characters",
        )
        for row in some_demonstrations(count)
    ]  # fmt: skip


def training(name: str, policy_dir: Path, **changes: object) -> Train:
    """A training that waits for (seed, out_dir, run, execution=...); `changes` are to its section of the recipe."""
    if name == "adapters":
        return training("sft", policy_dir, **{"lora": LORA} | changes)
    if name == "sft":
        return partial(train_sft, policy_dir, some_demonstrations(), PROMPTS, SFT.model_copy(update=changes))
    if name == "dpo":
        return partial(train_dpo, policy_dir, some_pairs(), PROMPTS, DPO.model_copy(update=changes))
    section = GENRM.model_copy(update=changes)
    train = partial(train_genrm, policy_dir, some_traces(), some_demonstrations(), PROMPTS, section)
    return partial(train, mute_traces=True) if name == "solutions" else train


def train_all(
    names: Sequence[str],
    policy_dir: Path,
    out_dir: Path,
    execution: Execution,
    run: Run,
    *,
    kill_once_at: int = 0,
    **changes: object,
) -> None:
    """Several trainings one after the other, into `out_dir/<name>`, for a launcher.

    With `kill_once_at` the process of rank 0 ends at that step as a power cut ends it, the first time only.
    """  # fmt: skip
    killed = out_dir / "killed"
    if kill_once_at and not killed.exists():
        run = Recorded(kill_once_at, killed, execution)
    for name in names:
        training(name, policy_dir, **changes)(0, out_dir / name, run, execution=execution)


def train_sharded(
    names: Sequence[str],
    policy_dir: Path,
    out_dir: Path,
    execution: Execution,
    zero_stages: Sequence[int],
    run: Run,
    **changes: Any,
) -> None:
    """`train_all` under one ZeRO stage after the other, into `out_dir/<stage>`, in processes that import once.

    What an earlier start has made is not made again, so that `kill_once_at` kills once under each stage.
    """
    for stage in zero_stages:
        if not (out_dir / str(stage) / names[-1]).exists():
            under = replace(execution, zero_stage=stage)
            train_all(names, policy_dir, out_dir / str(stage), under, run, **changes)


def difference(one: Path, other: Path, start: Path) -> float:
    """How far two trained weights are apart, as a share of how far training has moved them."""
    from safetensors.torch import load_file

    a, b, origin = (load_file(folder / "model.safetensors") for folder in (one, other, start))
    assert set(a) == set(b) == set(origin)
    apart = sum(float((a[name] - b[name]).double().square().sum()) for name in a)
    moved = sum(float((a[name] - origin[name]).double().square().sum()) for name in a)
    return (apart / moved) ** 0.5
