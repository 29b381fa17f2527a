"""A Ray cluster: launcher `ray`. Training through Ray Train, shards as tasks, on one node or many.

The nodes have to see the repository at the same path (NFS, Filestore, a ReadWriteMany volume): policies, checkpoints
and the package's sources are read and written there, and each process looks before it begins. What is killed with a
node, a worker of a training or a shard, is started again where there is room; a training goes on from its checkpoint.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from proofline.config import Environment
from proofline.launch.cluster import connect, needs, refuse_too_many
from proofline.launch.work import Job, LaunchError, take_place, work

IN_FLIGHT_PER_PROCESS = 2
"""Shards handed out at a time: one that is computed and one that waits, so that results never pile up."""


class Refusal:
    """A ValueError on its way to the stage: bad input stays bad, so it is no failure to Ray, which would try again."""

    def __init__(self, error: ValueError) -> None:
        self.error = error


def run_workers(job: Job, environment: Environment) -> list[Any]:
    """What the job gave in rank 0, as a list of one. Raises what the function refused with, or LaunchError."""
    connect(environment)
    from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
    from ray.train.torch import TorchConfig, TorchTrainer

    need = needs(environment, "process")
    refuse_too_many(need, environment.processes)
    # Ray Train keeps its own notes here, and the processes see by it that the folder is shared.
    shared = Path(tempfile.mkdtemp(prefix=".ray-", dir=Path.cwd()))
    trainer = TorchTrainer(
        _train,
        train_loop_config={"job": job, "folder": str(Path.cwd()), "shared": str(shared)},
        torch_config=TorchConfig(backend="nccl" if "GPU" in need else "gloo"),
        scaling_config=ScalingConfig(
            num_workers=environment.processes, use_gpu="GPU" in need, resources_per_worker=need
        ),
        run_config=RunConfig(
            storage_path=str(shared), name="training", failure_config=FailureConfig(max_failures=environment.restarts)
        ),
    )  # fmt: skip
    try:
        result = trainer.fit().return_value
    except TrainingFailedError as error:
        raise LaunchError(
            f"The {environment.processes} processes of this stage failed {environment.restarts + 1} times on the Ray "
            f"cluster (PROOFLINE_RESTARTS={environment.restarts}), last: {error}"
        ) from None
    finally:
        shutil.rmtree(shared, ignore_errors=True)
    if isinstance(result, Refusal):
        raise result.error
    return [result]


def map_shards(
    function: Callable[[Sequence[Any]], list[Any]], shards: Sequence[Sequence[Any]], environment: Environment, each: str
) -> Iterator[Any]:
    """The results of the shards in their order; a shard whose worker or node died is computed again."""
    ray = connect(environment)
    need = needs(environment, each)
    processes = environment.processes if each == "process" else len(ray.nodes())
    refuse_too_many(need, 1)
    task = ray.remote(_shard).options(
        num_cpus=need["CPU"],
        num_gpus=need.get("GPU", 0),
        max_retries=environment.restarts,
        scheduling_strategy="SPREAD",
    )
    sent = ray.put((function, environment.threads_each if each == "process" else None, str(Path.cwd())))
    waiting, flying = deque(shards), deque[Any]()
    while waiting or flying:
        while waiting and len(flying) < IN_FLIGHT_PER_PROCESS * processes:
            flying.append(task.remote(sent, waiting.popleft()))
        try:
            result = ray.get(flying.popleft())
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayError as error:
            raise LaunchError(f"A shard was lost with its worker {environment.restarts + 1} times: {error}") from None
        if isinstance(result, Refusal):
            raise result.error
        yield from result


def _train(config: dict[str, Any]) -> Any:
    """One process of a training. Ray Train has brought the processes together already."""
    try:
        _enter(config["folder"], config["shared"])
        return work(config["job"])
    except ValueError as error:
        return Refusal(error)


def _shard(sent: tuple[Callable[[Sequence[Any]], list[Any]], int | None, str], shard: Sequence[Any]) -> Any:
    function, threads, folder = sent
    try:
        _enter(folder, folder)
        if threads is not None:
            take_place(threads)
        return function(shard)
    except ValueError as error:
        return Refusal(error)


def _enter(folder: str, shared: str) -> None:
    """Work in the stage's folder. Raises SharedFolderError on a node that does not see it."""
    if not Path(shared).is_dir():
        raise SharedFolderError(
            f"Node {os.uname().nodename} does not see {folder}, where the stage runs. Mount the repository at the "
            "same path on every node of the Ray cluster (NFS, Filestore, a ReadWriteMany volume)."
        )
    os.chdir(folder)


class SharedFolderError(ValueError):
    """A node of the cluster does not see the repository."""
