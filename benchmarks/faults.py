"""What happens to checkpoints, many times at random: the runs, the lost, the undetected. Zeros, or it fails.

    python benchmarks/faults.py [--runs 200] [--seed 0]

Every fault is a real one: processes that are killed, bytes of files that are changed, files that are cut or gone, two
processes that commit one step. `lost`: a checkpoint whose writer had said that it is safe, and that is not there or not
what was written. `undetected`: damaged bytes that would have been resumed from. The tests of the store do the same in
short (tests/checkpoints).
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from report import table, write_result

sys.path.append(str(Path(__file__).parents[1] / "tests/checkpoints"))
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


@dataclass
class Count:
    """Of one fault."""

    runs: int = 0
    lost: int = 0
    undetected: int = 0


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


FAULTS: dict[str, Callable[[Path, random.Random, Count], None]] = {
    "SIGKILL at a random line of saving": lambda *one: killed(*one, by_time=False),
    "SIGKILL at a random time": lambda *one: killed(*one, by_time=True),
    "a bit flipped, any file": lambda *one: damaged(*one, harm=flip),
    "a file cut short": lambda *one: damaged(*one, harm=cut),
    "a file gone": lambda *one: damaged(*one, harm=lambda path, source: path.unlink()),
    "two writers of one step": two_writers,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    counts = {}
    with TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere:
        shown, sys.stderr = sys.stderr, nowhere  # every checkpoint that is not used is said
        for number, (fault, once) in enumerate(FAULTS.items()):
            counts[fault] = Count()
            for run in range(options.runs):
                once(Path(folder) / str(number), random.Random(f"{options.seed} {fault} {run}"), counts[fault])
        sys.stderr = shown
    rows = [[fault, *(str(number) for number in vars(count).values())] for fault, count in counts.items()]
    print(table(["fault", "runs", "lost", "undetected"], rows))
    measured = {fault: vars(count) for fault, count in counts.items()}
    print(write_result("faults", vars(options), ["google-crc32c"], measured=measured))
    if any(count.lost or count.undetected for count in counts.values()):
        sys.exit("a checkpoint was lost, or damage was not seen")


if __name__ == "__main__":
    main()
