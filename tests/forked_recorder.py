"""The recorder of a stage that is forked itself (see `forked`): a fork of that, not a Python that imports MLflow."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import forked

from proofline.tracking import recorder


def recorders_are_forked() -> None:
    """For what this process records from now on."""
    room: Any = importlib.import_module("proofline.tracking.track")  # whose function has its name
    room.subprocess = SimpleNamespace(
        Popen=ForkedRecorder, PIPE=subprocess.PIPE, DEVNULL=subprocess.DEVNULL, TimeoutExpired=subprocess.TimeoutExpired
    )


def send(spool: Path) -> subprocess.CompletedProcess[str]:
    """What `python -m proofline.tracking.recorder SPOOL` does."""
    return forked.begin(_send, str(spool), folder=spool.parent, variables=os.environ)()


def _send(spool: str) -> None:
    sys.exit(recorder.main([spool]))


class ForkedRecorder:
    """What `track` asks of a `Popen`. It has a session of its own, and of the stage's files only those it is passed."""

    def __init__(self, command: Sequence[str], pass_fds: Sequence[int], **_: Any) -> None:
        hears, tells = os.pipe()
        self.returncode: int | None = None
        self.pid = os.fork()
        if not self.pid:
            _record(command, hears, pass_fds)
        os.close(hears)
        self.stdin = os.fdopen(tells, "wb", buffering=0)

    def poll(self) -> int | None:
        if self.returncode is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if ended else None
        return self.returncode

    def wait(self, timeout: float) -> int:
        deadline = time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("recorder", timeout)
            time.sleep(0.01)
        return status


def _record(command: Sequence[str], hears: int, kept: Sequence[int]) -> None:
    status = 1
    try:
        os.setsid()
        os.dup2(hears, 0)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        bounds = [2, *sorted(kept), os.sysconf("SC_OPEN_MAX")]
        for before, after in pairwise(bounds):
            os.closerange(before + 1, after)
        sys.stdin = os.fdopen(0)
        status = recorder.main(list(command[command.index("--follow") :]))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)
