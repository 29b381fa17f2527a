"""Progress off a terminal: bars that redraw themselves become lines of a log, one every few seconds.

DVC draws its bars (tqdm) on a terminal only, so a push of gigabytes under `nohup` or in a job says nothing for hours.
Told to draw all the same (DVC_IGNORE_ISATTY), it writes a frame every 0.1 s; of those few are let through.
"""

from __future__ import annotations

import io
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

SECONDS = 10.0
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
BAR = re.compile(r".*\[\d+:\d\d[<,][^]]*\]")
"""A frame: its end is what tqdm has run for, which nothing else that is printed has."""
EMPTY = ("", "!")
"""A bar before its first frame, for DVC the second one."""


class Thinned(io.TextIOBase):
    """A text stream that passes lines on, and of the frames of bars the last one every `seconds`."""

    def __init__(self, out: TextIO, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self.out, self.seconds, self.clock = out, seconds, clock
        self.shown = clock()
        self.begun = self.last = ""

    def write(self, text: str) -> int:
        *lines, self.begun = re.split(r"[\r\n]", self.begun + text)
        for line in lines:
            self._pass(CONTROL.sub("", line).strip())
        return len(text)

    def flush(self) -> None:
        self.out.flush()

    def isatty(self) -> bool:
        return False

    def _pass(self, line: str) -> None:
        if frame := BAR.match(line):
            if self.clock() - self.shown >= self.seconds:
                self.shown = self.clock()
                self._print(frame[0])
            line = line[frame.end() :].strip()  # a sentence that somebody prints behind a bar
        if line not in EMPTY:
            self._print(line)

    def _print(self, line: str) -> None:
        if line != self.last:
            self.last = line
            print(line, file=self.out, flush=True)


@contextmanager
def visible_progress() -> Iterator[None]:
    """Inside the block DVC's bars are seen, on a terminal as ever and elsewhere as lines on stderr."""
    if sys.stderr.isatty():
        yield
        return
    before, said = sys.stderr, os.environ.get("DVC_IGNORE_ISATTY")
    sys.stderr, os.environ["DVC_IGNORE_ISATTY"] = Thinned(before), "1"
    try:
        yield
    finally:
        sys.stderr.write("\n")
        sys.stderr = before
        if said is None:
            del os.environ["DVC_IGNORE_ISATTY"]
