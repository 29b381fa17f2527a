"""A stage as a process: one at a time writes its outs, and it ends with the DVC that started it.

A stage that outlives its `dvc repro` would replace what a newer one has written, and register it. So a lock is held
from before the first write to after the last, and a thread watches DVC: when that is gone, the stage gets SIGTERM,
which ends its run as failed and takes its processes with it, and SIGKILL if it does not end.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from proofline.config.environment import Environment
from proofline.storage.lock import HeldError, held

if TYPE_CHECKING:
    import psutil

WAIT_SECONDS = 60.0
"""How long a stage waits for one that is ending."""
WATCH_SECONDS = 0.25
GRACE_SECONDS = Environment().grace_seconds


class AloneError(ValueError):
    """The stage is run by another process, or its DVC is gone."""


@contextmanager
def alone(stage: str, grace_seconds: float = GRACE_SECONDS) -> Iterator[None]:
    """Be the one process in this working directory that runs `stage`, for as long as its DVC lives.

    Without it the stage has so long to end in order.

    Raises AloneError where another one goes on running it, or DVC is gone already.
    """
    with _only_writer(stage), _with_dvc(stage, grace_seconds):
        yield


@contextmanager
def _only_writer(stage: str) -> Iterator[None]:
    try:
        with held(Path.cwd() / f".{quote(stage, safe='@')}.lock", WAIT_SECONDS):
            yield
    except HeldError as error:
        raise AloneError(
            f"{stage} is being run in {Path.cwd()} by {error}, which writes the same outs. Nothing was computed. Wait "
            "until it has ended, or end it, and start again"
        ) from None


@contextmanager
def _with_dvc(stage: str, grace_seconds: float) -> Iterator[None]:
    if "DVC_STAGE" not in os.environ:
        yield
        return
    dvc, ended = find_dvc(), threading.Event()
    if dvc is None:
        raise AloneError(f"The DVC that started {stage} is gone. Nothing was computed; start `dvc repro` again")

    def watch() -> None:
        while not ended.wait(WATCH_SECONDS):
            if not _lives(dvc):
                os.kill(os.getpid(), signal.SIGTERM)
                if not ended.wait(grace_seconds):
                    os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="dvc-watch", daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def find_dvc() -> psutil.Process | None:
    """The process that started this stage: the nearest one above that was not given this DVC_STAGE itself.

    Between the two there may be shells. DVC is a Python program, whether called by its name or from another one; a
    stage whose DVC has died was adopted by one that is not.
    """
    import psutil

    for process in psutil.Process().parents():
        with suppress(psutil.Error):
            if process.environ().get("DVC_STAGE") != os.environ["DVC_STAGE"]:
                return process if _runs_python(process) else None
    return None


def _lives(process: psutil.Process) -> bool:
    """A zombie is dead, and a process that got the same number later is another one."""
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _runs_python(process: psutil.Process) -> bool:
    words = [process.name(), *(Path(word).name for word in process.cmdline()[:3])]
    return any(word.startswith(("python", "dvc")) for word in words)
