"""Shards of a list over processes of this machine: launchers `local` and `accelerate`."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from proofline.launch.work import LaunchError, die_with_parent, take_place
from proofline.tracking.progress import share


def map_shards(
    function: Callable[[Sequence[Any]], list[Any]],
    shards: Mapping[int, Sequence[Any]],
    processes: int,
    threads: int,
    restarts: int,
) -> Iterator[tuple[int, list[Any]]]:
    """The shards' numbers and results, as they are finished; raises what the function refused with.

    If a process dies, all are started again with what has not been given back yet, `restarts` times.
    """
    todo = dict(shards)
    for attempt in range(restarts + 1):
        try:
            for number, results in _results(function, todo, processes, threads):
                del todo[number]
                yield number, results
            return
        except BrokenProcessPool:
            if attempt == restarts:
                raise LaunchError(
                    f"A process of this stage died {restarts + 1} times. What it printed stands above; "
                    f"PROOFLINE_RESTARTS={restarts} is how often it was started again."
                ) from None
            print("launch: a process died; its shards are computed again", file=sys.stderr, flush=True)


def _results(
    function: Callable[[Sequence[Any]], list[Any]], shards: Mapping[int, Sequence[Any]], processes: int, threads: int
) -> Iterator[tuple[int, list[Any]]]:
    processes = min(processes, len(shards))
    # Spawned, not forked: a process that has used threads or a GPU cannot be copied.
    context = multiprocessing.get_context("spawn")
    counts, places = context.RawArray("q", 2 * processes), context.Value("i", 0)
    share(memoryview(counts).cast("B").cast("q"))
    pool = ProcessPoolExecutor(processes, context, _enter, (threads, counts, places))
    try:
        numbers = {pool.submit(function, shard): number for number, shard in shards.items()}
        for future in as_completed(list(numbers)):
            yield numbers.pop(future), future.result()
    except BaseException:
        # The stage ends now, whatever its processes are at.
        for process in list((pool._processes or {}).values()):
            process.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _enter(threads: int, counts: Any, places: Any) -> None:
    die_with_parent()
    with places.get_lock():
        place = places.value
        places.value += 1
    os.environ["LOCAL_RANK"] = str(place)
    share(memoryview(counts).cast("B").cast("q")[2 * place : 2 * place + 2])
    take_place(threads)
