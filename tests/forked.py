"""Processes forked from one that has imported MLflow, its server and its SQLite store: those imports are two thirds of
what a command of the registry takes, and a server's start.

What runs in them is what runs in processes that are started by their names; their variables, folder and output are
their own. Not for what is tested of a start itself, nor for what imports the package from elsewhere.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryDirectory
from typing import Any

from proofline.tracking.mlflow_run import quiet_mlflow

IMPORTED = [
    "uvicorn", "mlflow.server.fastapi_app", "mlflow.store.tracking.sqlalchemy_store", "dvc.repo", "proofline.cli",
    "proofline.registry.register",
]  # fmt: skip


def fork(function: Callable[..., Any], *given: Any, folder: Path, variables: Mapping[str, str], out: Path, err: Path
) -> BaseProcess:  # fmt: skip
    """Start `function(*given)` in a process group of its own, which does not outlive this one."""
    quiet_mlflow()  # before the import in the process that is forked from
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    process = context.Process(target=_enter, args=(function, given, folder, dict(variables), out, err), daemon=True)
    process.start()
    return process


def command(arguments: Sequence[str], folder: Path, variables: Mapping[str, str]) -> CompletedProcess[str]:
    """`proofline` with these arguments, and what became of it."""
    with TemporaryDirectory() as scratch:
        out, err = Path(scratch, "out"), Path(scratch, "err")
        process = fork(_command, arguments, folder=folder, variables=variables, out=out, err=err)
        process.join(600)
        assert process.exitcode is not None, err.read_text()
        return CompletedProcess(["proofline", *arguments], process.exitcode, out.read_text(), err.read_text())


def mlflow_server(database: Path, artifacts: Path, port: int, variables: Mapping[str, str], log: Path) -> BaseProcess:
    """`mlflow server` with one worker, which hands artifacts through."""
    settings = {
        "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{database}", "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(artifacts),
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/", "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true",
    }  # fmt: skip
    return fork(_serve, port, folder=log.parent, variables={**variables, **settings}, out=log, err=log)


def _enter(
    function: Callable[..., Any], given: Sequence[Any], folder: Path, variables: dict[str, str], out: Path, err: Path
) -> None:
    os.setsid()
    for path, number in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    function(*given)


def _command(arguments: Sequence[str]) -> None:
    from proofline.cli import main

    sys.argv = ["proofline", *arguments]
    sys.exit(main(arguments))


def _serve(port: int) -> None:
    import uvicorn
    from mlflow.server.fastapi_app import app

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")
