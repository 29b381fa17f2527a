"""What a stage is doing, said on stderr at least every ten seconds, whatever the stage is waiting for.

`heartbeat` runs a thread that prints; `doing` says what it prints; `count` adds what is done, also from the processes
that a stage has started, which share the counts. A line looks like

    sample@sft: 1,028 of 4,800 samples, 36,912 tokens, 18,456 tokens/s
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

EVERY_SECONDS = 10.0
_counts: Any = [0, 0]
"""Samples finished, tokens drawn."""
_status: Callable[[], str] = lambda: "at work"  # noqa: E731 - replaced by `doing`


def doing(status: str | Callable[[], str]) -> None:
    """From now on the heartbeat says this; a function is asked anew for every line."""
    global _status
    _status = status if callable(status) else lambda: status


def count(samples: int = 0, tokens: int = 0) -> None:
    """Add what has been done."""
    _counts[0] += samples
    _counts[1] += tokens


def counted() -> tuple[int, int]:
    """Samples and tokens so far, of this process and of those that share its counts."""
    return sum(_counts[::2]), sum(_counts[1::2])


def share(counts: Any) -> None:
    """Count on in another mutable sequence: memory that processes share, each with two places of its own."""
    global _counts
    samples, tokens = counted()
    counts[0] += samples
    counts[1] += tokens
    _counts = counts


def drawing(total: int, taken: int = 0) -> Callable[[], str]:
    """A status of drawing `total` samples, from here on; of work that nobody counts, such as grading, its size.

    `taken`: so many of them an interrupted stage has drawn.
    """
    (samples, tokens), began = counted(), time.monotonic()
    before = f" ({taken:,} of them by an interrupted run)" if taken else ""

    def status() -> str:
        done, drawn = counted()
        if (done, drawn) == (samples, tokens):
            return f"{total - taken:,} to do" + (f", {taken:,} done by an interrupted run" if taken else "")
        seconds = max(time.monotonic() - began, 1e-9)
        drawn -= tokens
        done += taken - samples
        return f"{done:,} of {total:,} samples{before}, {drawn:,} tokens, {drawn / seconds:,.0f} tokens/s"

    return status


@contextmanager
def heartbeat(name: str, every_seconds: float = EVERY_SECONDS) -> Iterator[None]:
    """While the block runs, print a line now and then: the name, the seconds so far, what is being done."""
    ended, began = threading.Event(), time.monotonic()

    def beat() -> None:
        while not ended.wait(every_seconds):
            print(f"{name}, {time.monotonic() - began:.0f} s: {_status()}", file=sys.stderr, flush=True)

    doing("at work")
    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
