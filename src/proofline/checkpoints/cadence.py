"""How often a checkpoint is kept: as often as it costs `SHARE` of the training's time, by what it has cost so far.

CheckFreq (Mohan et al., FAST 2021) profiles a training and takes the shortest interval whose cost stays within a bound
and in which one checkpoint is written before the next is due. Here the cost is what was measured at the last one: the
time for which the steps stood still, and what the writing took of the cores that the training uses too. Departure: the
first one comes after a fixed time, so that a training of a minute or less keeps none.

Steps are agreed on among processes, and times differ: only the first process looks at a clock, and what it decides is
told at the steps that it named before.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

SHARE = 0.01
FIRST_SECONDS = 60.0
PROFILED_STEPS = 3


@dataclass
class Cadence:
    """When the next checkpoint is due."""

    every: int | None = None
    """Steps between two, where somebody has said so; None: measured."""
    agree: Callable[[tuple[bool, int]], tuple[bool, int]] = lambda decided: decided
    """Tells all processes what the first one decided."""
    clock: Callable[[], float] = time.perf_counter
    _began: float = field(init=False)
    _first_step: int | None = None
    _look_at: int = 0
    """The step at which is decided again."""
    _kept_at: float | None = None
    _stopped_seconds: float = 0.0

    def __post_init__(self) -> None:
        self._began = self.clock()

    def begin(self, step: int) -> None:
        """The training starts, or goes on, after so many steps."""
        self._began, self._first_step, self._look_at = self.clock(), step, step + PROFILED_STEPS

    def is_due(self, step: int, writing: bool, write_seconds: float, busy_seconds: float) -> bool:
        """After a step: is a checkpoint to be kept now? The rest is what the writer knows of the last one."""
        if self.every:
            return step % self.every == 0
        if step < self._look_at:
            return False
        due, self._look_at = self.agree(self._decide(step, writing, write_seconds, busy_seconds))
        return due

    def kept(self, stopped_seconds: float) -> None:
        """One was taken, and the steps stood still for so long."""
        self._kept_at, self._stopped_seconds = self.clock(), stopped_seconds

    def _decide(self, step: int, writing: bool, write_seconds: float, busy_seconds: float) -> tuple[bool, int]:
        """Whether it is due, and when to look again."""
        assert self._first_step is not None
        now = self.clock()
        step_seconds = max(1e-6, (now - self._began) / (step - self._first_step))
        if self._kept_at is None:
            missing = self._began + FIRST_SECONDS - now
        elif writing:
            missing = max(step_seconds, (now - self._kept_at) / 4)
        else:
            interval = max(self.interval_seconds(busy_seconds), write_seconds)
            missing = self._kept_at + interval - now
        if missing <= 0:
            return True, step + 1
        return False, step + max(1, math.ceil(missing / step_seconds))

    def interval_seconds(self, busy_seconds: float) -> float:
        """Between two checkpoints, for what the last one cost."""
        return (self._stopped_seconds + busy_seconds) / SHARE
