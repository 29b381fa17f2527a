"""A stage ends with the DVC that started it, and while it lives nobody else writes its outs. Real processes, killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from live_repository import Repository, clean_environment
from shared import empty_database

from proofline.storage.lock import held
from proofline.tracking import alone as alone_module
from proofline.tracking.alone import AloneError, alone

WAIT_SECONDS = 120.0  # generous: other work may hold the cores

STAGE = """
import os, sys, time
from functools import partial
from pathlib import Path
sys.path.insert(0, str(Path.cwd()))
from proofline.config import Environment
from proofline.launch import launch
from proofline.tracking import track
from work import work

def main():
    with track("write", sections={}) as run:
        Path("began").write_text(str(os.getpid()))
        if "SLOW" in os.environ:
            processes = int(os.environ["SLOW"])
            if processes == 1:
                work(run)
            else:
                launch(work, run, Environment(launcher="accelerate", processes=processes, threads=1))
        Path("out").write_text(os.environ["TEXT"])
        run.set_tag("registered", "yes")

if __name__ == "__main__":
    main()
"""
WORK = """
import os, time

def work(run):
    open(f"working-{os.environ.get('RANK', '0')}", "w").close()
    time.sleep(600)
"""
GRAPH = """
stages:
  write:
    cmd: {cmd}
    deps: [stage.py]
    outs: [out]
"""


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    """A repository of one stage; whatever still runs in it is killed at the end."""
    repository = Repository(tmp_path, f"sqlite:///{tmp_path}/mlflow.db")
    (tmp_path / "stage.py").write_text(STAGE)
    (tmp_path / "work.py").write_text(WORK)
    (tmp_path / "dvc.yaml").write_text(GRAPH.format(cmd="python stage.py"))
    (tmp_path / "params.yaml").write_text("seed: 0\n")
    (tmp_path / "mlflow.db").write_bytes(empty_database())
    repository.run("git", "init", "-q")
    repository.run("dvc", "init", "-q")
    yield repository
    for process in running(tmp_path):
        process.kill()


def running(folder: Path, word: str = "") -> list[psutil.Process]:
    """Living processes in a folder, with the word in their command."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found += [process] if word in " ".join(process.cmdline()) else []
        except psutil.Error:
            continue
    return found


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not so within {WAIT_SECONDS:g} s"
        time.sleep(0.02)


def start(repository: Repository, **variables: str) -> subprocess.Popen[str]:
    environment = clean_environment(TEXT="old", **variables)
    return subprocess.Popen(
        ["dvc", "repro"], cwd=repository.root, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "processes", "shell", "cmd"),
    [
        (signal.SIGKILL, 1, "/bin/bash", "python stage.py"),
        (signal.SIGTERM, 2, "/bin/bash", "python stage.py"),
        (signal.SIGTERM, 1, "/bin/bash", "python stage.py; true"),  # the shell stays in between
        (signal.SIGKILL, 1, "/bin/sh", "python stage.py && true"),
    ],
)
def test_a_stage_ends_with_its_dvc(
    number: signal.Signals, processes: int, shell: str, cmd: str, repository: Repository
) -> None:
    (repository.root / "dvc.yaml").write_text(GRAPH.format(cmd=cmd))
    dvc = start(repository, SLOW=str(processes), SHELL=shell)
    wait_until(lambda: len(list(repository.root.glob("working-*"))) == processes)
    dvc.send_signal(number)  # and not waited for: a zombie is dead too
    wait_until(lambda: not running(repository.root))
    dvc.wait()
    assert not (repository.root / "out").exists()
    (run,) = repository.runs()
    assert run.info.status == "FAILED"
    assert run.data.tags["proofline.error"] == "Terminated: SIGTERM"
    assert "registered" not in run.data.tags

    repository.run("dvc", "repro", TEXT="new")
    assert (repository.root / "out").read_text() == "new"
    assert not list(repository.root.glob(".*.lock"))


@pytest.mark.slow
def test_a_stage_whose_dvc_dies_as_it_starts_computes_nothing(repository: Repository) -> None:
    dvc = start(repository, SLOW="1")
    wait_until(lambda: running(repository.root, "stage.py"))
    dvc.kill()
    wait_until(lambda: not running(repository.root))
    dvc.wait()
    assert not (repository.root / "began").exists()


@pytest.mark.slow
def test_dvc_may_be_called_from_a_program(repository: Repository) -> None:
    program = "from dvc.repo import Repo; Repo('.').reproduce()"
    repository.run(sys.executable, "-c", program, TEXT="from a program")
    assert (repository.root / "out").read_text() == "from a program"


@pytest.mark.slow
def test_a_newer_reproduction_waits_for_a_stage_that_is_ending(repository: Repository) -> None:
    dvc = start(repository, SLOW="1")
    wait_until(lambda: (repository.root / "working-0").exists())
    stage = psutil.Process(int((repository.root / "began").read_text()))
    stage.suspend()  # it cannot end before it goes on
    dvc.kill()
    dvc.wait()
    newer = start(repository)
    printed = ""
    while f"waiting for process {stage.pid} on " not in printed:
        line = newer.stdout.readline()
        assert line, printed
        printed += line
    assert not (repository.root / "out").exists()
    stage.resume()
    rest, _ = newer.communicate(timeout=WAIT_SECONDS)
    assert newer.returncode == 0, printed + rest
    wait_until(lambda: sorted(run.info.status for run in repository.runs()) == ["FAILED", "FINISHED"])


def test_a_second_process_is_refused_by_the_name_of_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alone_module, "WAIT_SECONDS", 0.5)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    refused = rf"evaluate@sft is being run in {tmp_path} by process {os.getpid()} on .* Nothing was computed"
    with alone("evaluate@sft"):
        with pytest.raises(AloneError, match=refused), alone("evaluate@sft"):
            pass
        with alone("evaluate@dpo"):
            pass
        monkeypatch.chdir(tmp_path / "elsewhere")
        with alone("evaluate@sft"):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["elsewhere"]


def test_the_lock_of_a_dead_process_is_no_obstacle(tmp_path: Path) -> None:
    """Also where a process that the dead one forked lives on."""
    script = f"""
import os, signal, time
from pathlib import Path
from proofline.storage.lock import held
with held(Path({str(tmp_path / "lock")!r})):
    if child := os.fork():
        print(child, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        child = int(holder.stdout.readline())
        try:
            with held(tmp_path / "lock", wait_seconds=WAIT_SECONDS):
                assert psutil.pid_exists(child)
        finally:
            os.kill(child, signal.SIGKILL)
    assert not (tmp_path / "lock").exists()
