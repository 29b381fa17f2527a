"""What several tests only read, made once for all of a session's workers."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


def made_once(request: pytest.FixtureRequest, name: str, make: Callable[[Path], object]) -> Path:
    """The folder of this name that `make(folder)` has made, in the first worker that asks; the others wait for it."""
    room: Path = request.getfixturevalue("tmp_path_factory").getbasetemp()
    if hasattr(request.config, "workerinput"):
        room = room.parent
    folder, whole = room / name, room / f"{name}.whole"
    with open(room / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not whole.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a worker that failed
            make(folder)
            whole.touch()
    return folder


@cache
def empty_database() -> bytes:
    """MLflow's SQLite store before its first run: to make one takes a second, to write one nothing."""
    from proofline.tracking.database import opening
    from proofline.tracking.mlflow_run import quiet_mlflow

    quiet_mlflow()
    with TemporaryDirectory() as folder:
        with opening(f"sqlite:///{folder}/mlflow.db", Path(folder, "of nobody")):
            pass
        return Path(folder, "mlflow.db").read_bytes()
