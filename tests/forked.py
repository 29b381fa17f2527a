"""Processes forked from one that has imported MLflow, its server, its SQLite store, PyTorch, what trains, DVC, gcsfs:
those imports are two thirds of what a command of the registry or of a remote takes, or a server's start, and nearly all
of a small training or of loading a version.

What runs in them is what runs in processes that are started by their names; their variables, folder and output are
their own. Not for what is tested of a start itself, nor for what imports the package from elsewhere.
"""

from __future__ import annotations

import gc
import importlib
import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryDirectory, TemporaryFile
from types import SimpleNamespace
from typing import Any, NamedTuple

from proofline.tracking.mlflow_run import quiet_mlflow

IMPORTED = [
    "uvicorn", "mlflow.server.fastapi_app", "mlflow.store.tracking.sqlalchemy_store", "mlflow.pyfunc", "dvc.cli",
    "dvc.repo", "gcsfs", "proofline.cli", "proofline.registry.register", "transformers.models.qwen2.modeling_qwen2",
    "transformers.models.auto.modeling_auto", "transformers.models.auto.tokenization_auto",
    "trl.trainer.sft_trainer", "trl.trainer.dpo_trainer", "deepspeed", "proofline.training.genrm",
    "proofline.training.dpo", "proofline.launch.processes", "torch.distributed.launcher.api",
]  # fmt: skip
Outcome = Callable[[], CompletedProcess[str]]


class Altered(NamedTuple):
    """A function of the package with another in its place, for one command."""

    room: str
    step: str
    other: Callable[[Callable[..., Any]], Callable[..., Any]]
    """What takes its place, made of it."""


def fork(function: Callable[..., Any], *given: Any, folder: Path, variables: Mapping[str, str], out: Path, err: Path
) -> BaseProcess:  # fmt: skip
    """Start `function(*given)` in a process group of its own, which does not outlive this one."""
    quiet_mlflow()  # before the import in the process that is forked from
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    process = context.Process(target=_enter, args=(function, given, folder, dict(variables), out, err), daemon=True)
    process.start()
    return process


def begin(function: Callable[..., Any], *given: Any, folder: Path, variables: Mapping[str, str]) -> Outcome:
    """Start it; what is returned waits for its end and says what became of it."""
    scratch = TemporaryDirectory()
    out, err = Path(scratch.name, "out"), Path(scratch.name, "err")
    process = fork(function, *given, folder=folder, variables=variables, out=out, err=err)

    def outcome() -> CompletedProcess[str]:
        with scratch:
            process.join(600)
            assert process.exitcode is not None, err.read_text()
            return CompletedProcess([], process.exitcode, out.read_text(), err.read_text())

    return outcome


def begin_command(
    arguments: Sequence[str], folder: Path, variables: Mapping[str, str], altered: Altered | None = None
) -> Outcome:
    """Start `proofline` with these arguments."""
    return begin(_command, arguments, altered, folder=folder, variables=variables)


def command(
    arguments: Sequence[str], folder: Path, variables: Mapping[str, str], altered: Altered | None = None
) -> CompletedProcess[str]:
    """`proofline` with these arguments, and what became of it."""
    return begin_command(arguments, folder, variables, altered)()


def dvc(arguments: Sequence[str], folder: Path, variables: Mapping[str, str]) -> CompletedProcess[str]:
    """`dvc` with these arguments. Not for stages that become runs: those look for a process of its name above them."""
    return begin(_dvc, arguments, folder=folder, variables=variables)()


def loads(address: str, folder: Path, variables: Mapping[str, str]) -> CompletedProcess[str]:
    """MLflow loading a version, with the version's own code."""
    return begin(_load, address, folder=folder, variables=variables)()


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
    gc.freeze()  # what was imported stays
    os.setsid()
    for path, number in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    function(*given)


def _command(arguments: Sequence[str], altered: Altered | None) -> None:
    from proofline.cli import main
    from proofline.registry import files

    files.subprocess = SimpleNamespace(run=_forked_load)  # type: ignore[assignment]
    if altered:
        room = importlib.import_module(altered.room)
        setattr(room, altered.step, altered.other(getattr(room, altered.step)))
    sys.argv = ["proofline", *arguments]
    sys.exit(main(arguments))


def _dvc(arguments: Sequence[str]) -> None:
    from dvc.cli import main

    sys.argv = ["dvc", *arguments]
    sys.exit(main(list(arguments)))


def _forked_load(command: Sequence[str], cwd: str, **_: object) -> CompletedProcess[str]:
    """In place of the Python that the registry starts to load a version: a fork of its command."""
    with TemporaryFile("w+") as said:
        if not (child := os.fork()):
            status = 1
            try:
                os.dup2(said.fileno(), 2)
                os.chdir(cwd)
                _load(command[-1])
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said.seek(0)
        return CompletedProcess(command, status, "", said.read())


def _load(address: str) -> None:
    """Without this package: a version brings its own code."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "proofline"]:
        del sys.modules[name]
    import mlflow.pyfunc

    mlflow.pyfunc.load_model(address)


def _serve(port: int) -> None:
    import uvicorn
    from mlflow.server.fastapi_app import app

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")
