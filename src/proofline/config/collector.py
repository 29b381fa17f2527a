"""Python's garbage collector in a process that imports PyTorch, TRL or MLflow: a million objects that stay to its end.

By default the collector goes through all of them again and again while they are being made, and once more before the
process ends: together 1.6 of the 5.4 s that a training stage needs beside its training.
"""

from __future__ import annotations

import atexit
import gc

YOUNG, MIDDLE, ALL = 700, 10, 1000
"""Python's own thresholds, but for the last: it would look at all objects a hundred times as often."""


def collect_seldom() -> None:
    """For this process. Young objects are collected as ever; at its end nothing is: the memory goes back as a whole."""
    gc.set_threshold(YOUNG, MIDDLE, ALL)
    atexit.register(gc.freeze)
