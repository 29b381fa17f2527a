"""Shards of a list over the workers of a Ray cluster, with few of them in flight."""

from __future__ import annotations

import heapq
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from proofline.config import Environment
from proofline.launch.cluster import NODE_WAIT_SECONDS, Place, cluster, require_slots
from proofline.launch.work import LaunchError, take_place

SHARDS_AHEAD = 2
"""Shards in flight or waiting for an earlier one, per worker: what bounds the memory of the stage."""


class Worker:
    """A process that keeps what a shard has loaded for the next one. Lives in an actor."""

    def __init__(self, function: Callable[[Sequence[Any]], list[Any]], place: Place, each: str) -> None:
        self.function, self.place, self.each = function, place, each

    def start(self) -> None:
        """Its first answer. Not done when constructed: what a constructor raises reaches nobody as itself."""
        self.place.enter()
        if self.each != "machine":
            take_place(1 if self.each == "core" else self.place.threads)

    def run(self, shard: Sequence[Any]) -> list[Any]:
        return self.function(shard)


def map_shards(
    function: Callable[[Sequence[Any]], list[Any]],
    shards: Mapping[int, Sequence[Any]],
    environment: Environment,
    each: Literal["core", "process", "machine"],
) -> Iterator[tuple[int, list[Any]]]:
    """The shards' numbers and results, as they are finished; raises what the function refused with.

    A shard whose worker or node died is computed again by another, `restarts` times over the whole stage.
    """
    import ray

    with cluster(environment) as place:
        if each == "machine":
            nodes = [node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]]
            # As many threads as the smallest node has: no node then holds two of its workers, unless twice the size.
            place = Place(int(min(filter(None, nodes), default=1)), False, place.folder, place.token)
            workers = max(1, sum(map(bool, nodes)))
        else:
            workers = environment.processes
        require_slots(workers, place, 0)
        hire = ray.remote(Worker).options(num_cpus=place.threads, num_gpus=int(place.gpu), scheduling_strategy="SPREAD")
        pool = Pool(lambda: hire.remote(function, place, each), min(workers, len(shards)), environment.restarts)
        yield from pool.results(shards)


@dataclass
class Pool:
    """Actors and the shards they work on. A shard goes only to an actor that has answered once."""

    hire: Callable[[], Any]
    workers: int
    restarts: int
    waiting: dict[Any, tuple[Any, int | None]] = field(default_factory=dict)
    """What is awaited: the reference of a result -> its actor and its shard; None: the actor's first answer."""
    idle: list[Any] = field(default_factory=list)

    def results(self, shards: Mapping[int, Sequence[Any]]) -> Iterator[tuple[int, list[Any]]]:
        """Each shard's number and results; none runs far ahead of the first that is not finished."""
        numbers, done = list(shards), set[int]()
        todo = list(range(len(numbers)))
        for _ in range(self.workers):
            self._hire()
        for at in range(len(numbers)):
            while at not in done:
                while self.idle and todo and todo[0] < at + SHARDS_AHEAD * self.workers:
                    actor, mine = self.idle.pop(), heapq.heappop(todo)
                    self.waiting[actor.run.remote(shards[numbers[mine]])] = (actor, mine)
                for mine, results in self._collect(todo):
                    done.add(mine)
                    yield numbers[mine], results

    def _hire(self) -> None:
        actor = self.hire()
        self.waiting[actor.start.remote()] = (actor, None)

    def _collect(self, todo: list[int]) -> Iterator[tuple[int, list[Any]]]:
        """Wait for an answer; the shards that are finished."""
        import ray
        from ray.exceptions import RayActorError, RayTaskError

        ready, _ = ray.wait(list(self.waiting), timeout=NODE_WAIT_SECONDS)
        if not ready and all(shard is None for _, shard in self.waiting.values()):
            raise LaunchError(
                f"No worker could be placed on the Ray cluster within {NODE_WAIT_SECONDS} s. "
                "`ray status` on the head says what occupies it."
            )
        for reference in ready:
            actor, mine = self.waiting.pop(reference)
            try:
                result = ray.get(reference)
            except RayTaskError as error:
                raise error.cause from None
            except RayActorError as error:
                if not self.restarts:
                    raise LaunchError(
                        f"A worker died, and as many before it as PROOFLINE_RESTARTS allows to replace: {error}"
                    ) from None
                self.restarts -= 1
                print("launch: a worker, or its node, is gone; its shard goes to another", file=sys.stderr, flush=True)
                if mine is not None:
                    heapq.heappush(todo, mine)
                self._hire()
            else:
                self.idle.append(actor)
                if mine is not None:
                    yield mine, result
