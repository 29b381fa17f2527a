"""SIGTERM: a stage ends with it, in order and once; what is worth finishing first puts it off.

A machine that is taken away says so with SIGTERM and leaves some time (a spot machine 30 s). The stage then ends as
failed, with the exit status that shells give to SIGTERM, 143, and `dvc repro` says so. However many signals come
meanwhile, they are one: a supervisor tells the whole group, and the stage's DVC, which was in it, is missed a moment
later. What must not wait has SIGKILL.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

EXIT_STATUS = 128 + signal.SIGTERM
MARGIN_SECONDS = 3.0
"""How much longer somebody who keeps to that may take before SIGTERM does what it would have done."""
NOTICED = threading.Event()
"""Set in a process that no signal reaches, a worker of a cluster, when the stage that it works for was asked to end."""


class Terminated(SystemExit):
    """SIGTERM; exits with the shell's status for it."""

    def __init__(self, status: int = EXIT_STATUS) -> None:
        super().__init__(status)

    def __str__(self) -> str:
        return "SIGTERM"


@contextmanager
def sigterm_as_exception() -> Iterator[None]:
    """Turn the first SIGTERM into `Terminated`, and the others into nothing, unless somebody handles it already."""
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        if ours and signal.getsignal(signal.SIGTERM) == _terminate:  # else the process is on its way out
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, _end_already)
    raise Terminated


def _end_already(number: int, frame: FrameType | None) -> None: ...


class PutOff:
    """SIGTERM, noted between `watch` and `unwatch`; it then does what it would have done, or when it was put off for
    `seconds`, and somewhat more."""

    def __init__(self, seconds: float, tell: Callable[[], object] = lambda: None) -> None:
        self.seconds, self._tell = seconds, tell
        """Called once, when somebody has asked."""
        self._before: Any = None
        self._since: float | None = None
        self._limit: threading.Timer | None = None

    @property
    def asked(self) -> bool:
        """Whether somebody has asked this process to end."""
        return self._since is not None or NOTICED.is_set()

    @property
    def seconds_left(self) -> float:
        """Of what may be used; asked from elsewhere, from the first look on."""
        self._since = time.monotonic() if self._since is None else self._since
        return max(0.0, self._since + self.seconds - time.monotonic())

    def watch(self) -> None:
        """From now on SIGTERM is noted. Only a process's main thread can do that; elsewhere nothing happens."""
        if self._before is None and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._note)

    def unwatch(self) -> None:
        """SIGTERM does again what it did before, and one that was noted does it now."""
        before, self._before = self._before, None
        if self._limit:
            self._limit.cancel()
        if before is None:
            return
        signal.signal(signal.SIGTERM, before)
        if self._since is not None:
            os.kill(os.getpid(), signal.SIGTERM)

    def end(self) -> NoReturn:
        """What was worth it is finished: end as SIGTERM would have ended it."""
        self.unwatch()
        raise Terminated

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._since is None:
            self._since = time.monotonic()
            self._limit = threading.Timer(self.seconds + MARGIN_SECONDS, os.kill, (os.getpid(), signal.SIGTERM))
            self._limit.daemon = True
            self._limit.start()
            self._tell()
        elif not self.seconds_left:
            self.unwatch()


@contextmanager
def sigterm_put_off(seconds: float, tell: Callable[[], object]) -> Iterator[PutOff]:
    """Inside the block SIGTERM is handed on by `tell`, from a thread, and does what it would have done at its end."""
    put_off = PutOff(seconds, threading.Thread(target=tell, daemon=True).start)
    put_off.watch()
    try:
        yield put_off
    finally:
        put_off.unwatch()
