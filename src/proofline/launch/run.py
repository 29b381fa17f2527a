"""`launch` and `spread`: the two ways in which a stage uses more than its own process."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import pairwise
from typing import Literal, TypeVar

from proofline.config import Environment
from proofline.config.processor import has_gpu
from proofline.launch.instructions import settle
from proofline.launch.kept import Part
from proofline.launch.pool import map_shards
from proofline.launch.work import Job, LaunchError, refuse_company, take_place, work
from proofline.tracking import Run
from proofline.tracking.progress import doing, drawing

__all__ = ["LaunchError", "launch", "spread"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def launch(function: Callable[..., Result], run: Run, environment: Environment, precision: str = "fp32") -> Result:
    """Call `function(run=...)` in every process that the environment asks for; returns what it gave in rank 0.

    The function finds its peers through torch.distributed. If processes die, all are started again, `restarts` times:
    a function that keeps checkpoints goes on from its last one. A ValueError is the user's and ends it at once.
    `precision`: the number format it multiplies in; SlowFormatError where a process has no instructions for it and the
    environment does not allow that. Raises LaunchError where fewer processes take part than were asked
    for, or they died too often.
    """
    refuse_company()
    settle(environment, precision)
    held_to = "fp32" if environment.slow_formats else precision
    job = Job(function, environment.processes, environment.threads_each, run, held_to)
    if environment.launcher == "ray":
        from proofline.launch.ray import run_workers

        return run_workers(job, environment)
    if environment.launcher == "accelerate":
        from proofline.launch.processes import run_processes

        return run_processes(job, environment.restarts, environment.grace_seconds)[0]
    return work(job)


def spread(
    function: Callable[[Sequence[Item]], list[Result]],
    items: Sequence[Item],
    environment: Environment,
    *,
    shard_size: int,
    each: Literal["core", "process", "machine"] = "process",
    draws: int = 1,
    kept: Part[Result] | None = None,
) -> Iterator[Result]:
    """The results of the items, in their order, computed in shards wherever the environment has processes.

    `function` gets a shard, at most `shard_size` consecutive items, and returns a result for each item or more. Shards
    do not depend on how many processes there are, and one process goes through the same shards: what comes out is the
    same to the bit wherever a shard was computed, as long as the hardware and the threads of a process are.
    `each`: what computes a shard. A `core` for work that threads would have to wait for each other in: launcher local
    then starts a process of one thread on each; a `machine` for functions that start processes of their own.
    `draws`: samples that the function draws for an item, which is what progress is counted in.
    `kept`: where finished shards are kept, and those taken from that an interrupted stage has finished.
    """
    refuse_company()
    settle(environment)
    shards = evenly_cut(items, shard_size)
    multiplying = {"core": 1, "process": environment.threads_each, "machine": 0}[each]
    taken = kept.taken(shards, multiplying) if kept else {}
    missing = {at: shard for at, shard in enumerate(shards) if at not in taken}
    doing(drawing(len(items) * draws, (len(items) - sum(map(len, missing.values()))) * draws))
    ahead: dict[int, list[Result]] = {}
    with closing(_computed(function, missing, environment, each)) as finished:
        for at in range(len(shards)):
            if kept and at in taken:
                yield from kept.take(taken[at])
                continue
            while at not in ahead:
                now, results = next(finished)
                ahead[now] = results
                if kept:
                    kept.put(shards[now], multiplying, results)
            yield from ahead.pop(at)
        next(finished, None)  # it ends by itself: closed before, it takes its processes for unwanted and kills them


def _computed(
    function: Callable[[Sequence[Item]], list[Result]],
    shards: Mapping[int, Sequence[Item]],
    environment: Environment,
    each: Literal["core", "process", "machine"],
) -> Generator[tuple[int, list[Result]], None, None]:
    """The shards' numbers and results, as they are finished."""
    if not shards:
        return
    if environment.launcher == "ray":
        from proofline.launch.ray_shards import map_shards as map_over_cluster

        yield from map_over_cluster(function, shards, environment, each)
        return
    processes, threads = environment.processes, environment.threads_each
    if each == "core":
        processes, threads = (threads, 1) if environment.launcher == "local" and not has_gpu() else (processes, 1)
    if each == "machine" or min(processes, len(shards)) <= 1:
        if each != "machine":
            take_place(threads)
        for at, shard in shards.items():
            yield at, function(shard)
    else:
        yield from map_shards(function, shards, processes, threads, environment.restarts)


def evenly_cut(items: Sequence[Item], most: int) -> list[Sequence[Item]]:
    """As few shards of at most so many items as possible, alike in size: the last one keeps nobody waiting."""
    count = -(-len(items) // most)
    bounds = [at * len(items) // count for at in range(count)] + [len(items)] if count else []
    return [items[start:end] for start, end in pairwise(bounds)]
