"""Shards of a list over processes of this machine, in order: launchers `local` and `accelerate`."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from proofline.launch.work import LaunchError, die_with_parent, take_place
from proofline.tracking.progress import share


def map_shards(
    function: Callable[[Sequence[Any]], list[Any]],
    shards: Sequence[Sequence[Any]],
    processes: int,
    threads: int,
    restarts: int,
) -> Iterator[Any]:
    """The results of the shards, in their order; raises what the function refused with.

    If a process dies, all are started again with what has not been given back yet, `restarts` times.
    """
    given = 0
    for attempt in range(restarts + 1):
        try:
            for results in _results(function, shards[given:], processes, threads):
                given += 1
                yield from results
            return
        except BrokenProcessPool:
            if attempt == restarts:
                raise LaunchError(
                    f"A process of this stage died {restarts + 1} times. What it printed stands above; "
                    f"PROOFLINE_RESTARTS={restarts} is how often it was started again."
                ) from None
            print("launch: a process died; its shards are computed again", file=sys.stderr, flush=True)


def _results(
    function: Callable[[Sequence[Any]], list[Any]], shards: Sequence[Sequence[Any]], processes: int, threads: int
) -> Iterator[list[Any]]:
    processes = min(processes, len(shards))
    # Spawned, not forked: a process that has used threads or a GPU cannot be copied.
    context = multiprocessing.get_context("spawn")
    counts, places = context.RawArray("q", 2 * processes), context.Value("i", 0)
    share(memoryview(counts).cast("B").cast("q"))
    pool = ProcessPoolExecutor(processes, context, _enter, (threads, counts, places))
    try:
        yield from pool.map(function, shards)
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
