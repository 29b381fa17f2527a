"""SIGTERM in a training: all its processes finish the step that it comes in, keep it, and end.

A supervisor tells all of them or only one, and in a cluster only the stage is told, so they ask each other, every
half second or so. At which steps, the first process says, by its clock: they never ask at different ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from proofline.tracking.ending import PutOff

Word = tuple[bool, int]
"""Has this process been asked to end? And at which step is that to be asked again?"""
EVERY_SECONDS = 0.5


class Ending(PutOff):
    """Whether somebody has asked any of the processes to end, known to all of them at the same step."""

    def __init__(
        self, hear: Callable[[Word], list[Word]] | None, seconds: float, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        super().__init__(seconds)
        self._hear, self._clock = hear, clock
        """Gives every process the words of all, in their order; None where there is one process."""
        self._looked = (0, clock())
        self._look_at = 0
        self.agreed = False
        """Whether they end at this step."""

    def look(self, step: int, of_steps: int) -> bool:
        """After a step: is it the last one that is done?"""
        if self._hear is None:
            self.agreed = self.asked
        elif step >= min(self._look_at, of_steps):
            words = self._hear((self.asked, step + self._steps(step)))
            self.agreed, self._look_at = any(asked for asked, _ in words), words[0][1]
        return self.agreed

    def _steps(self, step: int) -> int:
        """How many are done until it is time to ask again."""
        (before, then), now = self._looked, self._clock()
        self._looked = (step, now)
        return max(1, int(EVERY_SECONDS * (step - before) / max(now - then, 1e-6))) if before else 1
