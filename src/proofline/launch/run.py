"""`launch` and `spread`: the two ways in which a stage uses more than its own process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, TypeVar

from proofline.config import Environment
from proofline.launch.work import Job, LaunchError, Shards, refuse_company, take_place, work
from proofline.tracking import NullRun, Run

__all__ = ["LaunchError", "launch", "spread"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def launch(function: Callable[..., Result], run: Run, environment: Environment) -> Result:
    """Call `function(run=...)` in every process that the environment asks for; returns what it gave in rank 0.

    The function finds its peers through torch.distributed. If processes die, all are started again, `restarts` times:
    a function that keeps checkpoints goes on from its last one. A ValueError is the user's and ends it at once.
    Raises LaunchError where fewer processes take part than were asked for, or they died too often.
    """
    refuse_company()
    job = Job(function, environment.processes, environment.threads_each, run)
    if environment.launcher == "ray":
        from proofline.launch.ray import run_workers

        return run_workers(job, environment)
    return _everywhere(job, environment)[0]


def spread(
    function: Callable[[Sequence[Item]], list[Result]],
    items: Sequence[Item],
    environment: Environment,
    *,
    shard_size: int,
    each: Literal["process", "machine"] = "process",
) -> Iterator[Result]:
    """The results of the items, in their order, computed in shards wherever the environment has processes.

    `function` gets a shard, at most `shard_size` consecutive items, and returns a result for each item or more. Shards
    do not depend on how many processes there are, and one process goes through the same shards: what comes out is the
    same to the bit wherever a shard was computed, as long as the hardware and the threads of a process are.
    `each`: what computes a shard; a `machine` for functions that start processes of their own.
    """
    refuse_company()
    shards = [items[start : start + shard_size] for start in range(0, len(items), shard_size)]
    if environment.launcher == "ray":
        from proofline.launch.ray_shards import map_shards

        yield from map_shards(function, shards, environment, each)
    elif environment.processes == 1 or each == "machine":
        if each == "process":
            take_place(environment.threads_each)
        for shard in shards:
            yield from function(shard)
    else:
        job = Job(Shards(function, shards), environment.processes, environment.threads_each, NullRun())
        done = {at: results for part in _everywhere(job, environment) for at, results in part.items()}
        for at in range(len(shards)):
            yield from done[at]


def _everywhere(job: Job, environment: Environment) -> list[Any]:
    """What the job gave in each process of this machine, by rank."""
    if environment.launcher == "accelerate":
        from proofline.launch.processes import run_processes

        return run_processes(job, environment.restarts)
    return [work(job)]
