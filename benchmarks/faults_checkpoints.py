"""What happens to checkpoints in a folder: writers killed, bytes changed, files gone, a disk that fills."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from faults_counted import Count, Fault, fill, small_disk
from small_checkpoints import (
    a_store,
    a_writer,
    content,
    ended,
    in_fork,
    killed_at,
    save,
    save_in_turn,
    stored,
)

from proofline.checkpoints.place import TakenError
from proofline.checkpoints.store import Keep

LINES, SECONDS = 1500, 0.06
"""Within which a writer of small checkpoints is killed: lines of the store's code, or time."""
ONE_BYTES = 16 << 10
"""That a checkpoint has at most."""


def killed(root: Path, source: random.Random, count: Count, by_time: bool) -> None:
    """A writer is killed while it saves, the next one goes on where it was stopped."""
    store, told = a_store(root), root / "told"
    first = (store.last_whole() or 0) + 1
    line, seconds = source.randrange(1, LINES), source.uniform(0.0, SECONDS)

    def work() -> None:
        store.collect()
        if not by_time:
            killed_at(line)
        save_in_turn(root, first, first + 100, told, Keep(last=2))

    child = in_fork(work)
    if by_time:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    assert ended(child) == -signal.SIGKILL
    count.runs += 1
    said = [int(step) for step in told.read_text().split()] if told.exists() else [0]
    whole = store.last_whole() or 0
    count.lost += whole < max(said) or (whole > 0 and stored(store, whole) != content(whole))
    count.undetected += any(store.fault(step) for step in store.committed())


def damaged(root: Path, source: random.Random, count: Count, harm: Callable[[Path, random.Random], None]) -> None:
    """The newest of two checkpoints is damaged in one of its files, in all of them in turn."""
    store = a_store(root)
    if not store.committed():
        for step in (1, 2):
            save(a_writer(store), step)
    files = sorted(path for path in (store.place.root / "step-00000002").rglob("*") if path.is_file())
    path = files[count.runs % len(files)]
    before = path.read_bytes()
    harm(path, source)
    count.runs += 1
    count.undetected += store.fault(2) is None
    count.lost += store.last_whole() != 1 or stored(store, 1) != content(1)
    path.write_bytes(before)


def flip(path: Path, source: random.Random) -> None:
    changed = bytearray(path.read_bytes())
    changed[source.randrange(len(changed))] ^= 1 << source.randrange(8)
    path.write_bytes(changed)


def cut(path: Path, source: random.Random) -> None:
    os.truncate(path, source.randrange(path.stat().st_size))


def gone(path: Path, source: random.Random) -> None:
    path.unlink()


def two_writers(root: Path, source: random.Random, count: Count) -> None:
    """Two processes save the same step at once: one wins and one is told."""
    store, step = a_store(root), count.runs + 1

    def work(attempt: str) -> None:
        try:
            save(a_writer(store, attempt), step)
        except TakenError:
            os._exit(3)

    children = [in_fork(lambda attempt=attempt: work(attempt)) for attempt in ("aaaaaaaa", "bbbbbbbb")]
    statuses = sorted(ended(child) for child in children)
    count.runs += 1
    count.lost += store.last_whole() != step or stored(store, step) != content(step)
    count.undetected += statuses != [0, 3]
    store.collect()


def full_disk(root: Path, source: random.Random, count: Count) -> None:
    """There is room for some of the second checkpoint; whoever writes it is told, or has written it."""
    with small_disk(root, 64 * ONE_BYTES) as disk:
        store = a_store(disk)
        save(a_writer(store), 1)
        fill(disk, source.randrange(ONE_BYTES))
        try:
            save(a_writer(store, "bbbbbbbb"), 2)
            said = 2
        except OSError:
            said = 1
        count.runs += 1
        whole = store.last_whole() or 0
        count.lost += whole < said or stored(store, whole) != content(whole)
        count.undetected += any(store.fault(step) for step in store.committed())


FAULTS = {
    "SIGKILL at a random line of saving": Fault(partial(killed, by_time=False)),
    "SIGKILL at a random time": Fault(partial(killed, by_time=True)),
    "a bit flipped, any file": Fault(partial(damaged, harm=flip)),
    "a file cut short": Fault(partial(damaged, harm=cut)),
    "a file gone": Fault(partial(damaged, harm=gone)),
    "two writers of one step": Fault(two_writers),
    "disk full during a save": Fault(full_disk),
}
