"""Python's garbage collector in a process that imports PyTorch, TRL or MLflow: a third of a million objects that stay.

By default the collector goes through them again and again while they are being made, and once more before the process
ends: 0.8 s each of the 5.4 s from a Python's start with TRL's trainers to its end.
"""

from __future__ import annotations

import atexit
import gc


def collect_seldom() -> None:
    """For this process: collect what is dropped in great numbers, and nothing at its end, when all of its memory goes
    back at once."""
    gc.set_threshold(100_000, 50, 50)
    atexit.register(gc.freeze)
