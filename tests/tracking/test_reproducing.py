"""What `proofline runs` says of stages while a reproduction runs, and of those whose run waits or never was."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest
from live_repository import Repository, clean_environment
from live_server import START_SECONDS, Server

pytestmark = pytest.mark.slow(minutes=2)


def hold(root: Path, policy: str) -> None:
    """Let the stage of this policy wait, once it is a run, until `go` is there."""
    stage = root / "stage.py"
    pause = [
        f"    if policy == {policy!r}:",
        "        run.id()",
        "        Path('paused').touch()",
        "        while not Path('go').exists():",
        "            time.sleep(0.05)",
    ]
    marker = "as run:\n"
    stage.write_text(stage.read_text().replace(marker, marker + "\n".join(pause) + "\n"))


def reproduce(repository: Repository, *targets: str, **variables: str) -> subprocess.Popen[bytes]:
    """A `dvc repro` that has come to the stage that waits."""
    environment = clean_environment(**variables)
    dvc = subprocess.Popen(["dvc", "repro", *targets], cwd=repository.root, env=environment, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + START_SECONDS
    while not (repository.root / "paused").exists() and dvc.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (repository.root / "paused").exists()
    return dvc


def test_a_stage_whose_run_waits_is_not_called_restored(server: Server, repository: Repository) -> None:
    hold(repository.root, "b")
    dvc = reproduce(repository, "-s", "count@b", PROOFLINE_TRACKING_URI=server.uri)
    server.kill()
    (repository.root / "go").touch()
    assert dvc.wait(START_SECONDS) == 0
    listed = repository.proofline("runs").stdout.splitlines()
    assert listed[0].startswith("1 run waits (count@b)")
    assert next(line for line in listed if line.startswith("count@b")).endswith("its run waits to be sent")
    assert "restored" not in next(line for line in listed if line.startswith("count@b"))
    server.start()
    assert repository.proofline("runs", "--send").stdout.startswith("sent count@b")


@pytest.mark.parametrize("begun", ["in a clone", "for the first time", "after an edit"])
def test_while_a_reproduction_runs_stages_to_come_are_waiting(repository: Repository, begun: str) -> None:
    root = repository.root
    hold(root, "a")
    if begun != "after an edit":
        shutil.rmtree(root / ".dvc" / "cache", ignore_errors=True)
        shutil.rmtree(root / "out")
        (root / "mlflow.db").unlink()
    if begun == "for the first time":
        (root / "dvc.lock").unlink()
    dvc = reproduce(repository)
    listed = repository.proofline("runs").stdout.splitlines()
    (root / "go").touch()
    assert dvc.wait(START_SECONDS) == 0
    words = {line.split()[0]: line.split(maxsplit=1)[1].strip() for line in listed[:-1]}
    assert words["count@a"] == "running"
    assert words["count@b"] == "waiting"
    assert not any("restored" in line for line in listed)
    assert listed[-1].endswith("1 running (count@a), 1 waiting (count@b)")
    after = repository.proofline("runs").stdout.splitlines()
    assert after[-1].startswith("3 stages: 3 run by the last command")


def test_what_a_cache_gave_back_stays_restored(repository: Repository) -> None:
    (repository.root / "mlflow.db").unlink()
    shutil.rmtree(repository.root / "out")
    repository.run("dvc", "repro")
    listed = repository.proofline("runs").stdout.splitlines()
    assert [line.split(maxsplit=1)[1].strip() for line in listed[:-1]] == ["restored from a cache"] * 3
