"""A fault of the table of `faults.py`: how it is done once, and what its runs came to."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"
os.environ.setdefault("PYTHONPATH", str(TESTS.parent / "src"))  # of what the tests' helpers start
sys.path += [str(TESTS), *(str(TESTS / room) for room in ("checkpoints", "storage", "tracking"))]


@dataclass
class Count:
    """Of one fault."""

    runs: int = 0
    lost: int = 0
    """Something that its writer had called safe, and that is not there, or not what was written."""
    undetected: int = 0
    """Damage that was taken for whole, or a thing that arrived twice."""


Once = Callable[[Path, random.Random, Count], None]
"""Does it once: in a folder of the fault's own, with the run's own source of chance."""


@dataclass(frozen=True)
class Fault:
    """One row."""

    once: Once
    of: int = 1
    """One of so many runs is done: those of processes that take seconds."""


class NoDiskError(Exception):
    """A small disk can be mounted by root alone."""


@contextmanager
def small_disk(folder: Path, num_bytes: int) -> Iterator[Path]:
    """A disk of its own, in memory. Raises NoDiskError."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={num_bytes}", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        raise NoDiskError
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, leave_bytes: int) -> Path:
    """Ballast that leaves so much room."""
    ballast = disk / "ballast"
    with open(ballast, "wb") as file, suppress(OSError):
        if (room := shutil.disk_usage(disk).free - leave_bytes) > 0:
            os.posix_fallocate(file.fileno(), 0, room)
    return ballast
