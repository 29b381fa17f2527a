"""SIGTERM in a training: the step that it comes in is finished and kept. A machine that is taken away has time for it.

Of one process; in several, SIGTERM ends them where they are, and they go on from the last checkpoint.
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any


class Ending:
    """Whether somebody has asked this process to end. A second time is not put off."""

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def watch(self) -> None:
        """From now on SIGTERM is noted, and nothing else."""
        if self._before is None and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._note)

    def unwatch(self) -> None:
        """SIGTERM does again what it did before, and one that was noted does it now."""
        before, self._before = self._before, None
        if before is None:
            return
        signal.signal(signal.SIGTERM, before)
        if self.asked:
            os.kill(os.getpid(), signal.SIGTERM)

    def _note(self, number: int, frame: FrameType | None) -> None:
        again, self.asked = self.asked, True
        if again:
            self.unwatch()
