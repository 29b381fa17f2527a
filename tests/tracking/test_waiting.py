"""Runs that wait for their store, and stages that wait for their turn: each is called what it is, and sent."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import forked
import pytest
from live_repository import Repository, clean_environment, stored_runs
from live_server import START_SECONDS, Server, Stage

from proofline.tracking.waiting import kept_runs

pytestmark = pytest.mark.slow(minutes=3)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "server").mkdir()
    server = Server(tmp_path / "server")
    yield server
    server.kill()


def leave_runs(folder: Path, server: Server, names: Sequence[str] = ("train_dpo", "train_sft")) -> None:
    """Stages that lose their server, which is back afterwards."""
    body = "assert run.id()\npause()\nrun.log_metrics({'loss': 1.0})"
    stages = [Stage(folder, server.uri, body, name) for name in names]
    for stage in stages:
        stage.wait_for_pause()
    server.kill()
    deadline = time.monotonic() + START_SECONDS
    for stage, name in zip(stages, names, strict=True):  # one after the other: they are listed as they ended
        stage.resume()
        while name not in {run.name for run in kept_runs(folder / ".tracking") if run.finished}:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    for stage in stages:
        status, errors = stage.end()
        assert status == 0
        assert "kept in" in errors
    server.start()


def test_runs_that_wait_are_counted_and_one_command_sends_them(server: Server, repository: Repository) -> None:
    leave_runs(repository.root, server)
    listed = repository.proofline("runs").stdout.splitlines()
    assert listed[0].startswith("2 runs wait (train_dpo, train_sft) to be sent")
    sent = repository.proofline("runs", "--send")
    assert sent.stdout.splitlines()[:2] == [f"sent {name} to {server.uri}" for name in ("train_dpo", "train_sft")]
    assert [run.info.status for run in stored_runs(server.uri)] == ["FINISHED"] * 2
    assert not list((repository.root / ".tracking").iterdir())
    assert "wait" not in repository.proofline("runs").stdout
    assert repository.proofline("runs", "--send").stdout == "no run waits to be sent\n"


def test_a_store_that_is_still_lost_is_named_and_the_runs_are_kept(server: Server, repository: Repository) -> None:
    leave_runs(repository.root, server, ["train_sft"])
    server.kill()
    done = repository.proofline("runs", "--send", check=False)
    assert done.returncode == 1
    assert "1 run waits (train_sft)" in done.stderr
    assert f"{server.uri} does not answer" in done.stderr
    assert len(list((repository.root / ".tracking").glob("*.jsonl"))) == 1


@pytest.mark.parametrize("body", ["run.id()", "run.id()\ntime.sleep(6)"], ids=["a short stage", "a long stage"])
def test_the_next_stage_sends_what_waits(server: Server, tmp_path: Path, body: str) -> None:
    leave_runs(tmp_path, server)
    status, errors = Stage(tmp_path, server.uri, body).end()
    assert status == 0
    assert all(f"a run of {name} that waited has been sent" in errors for name in ("train_dpo", "train_sft"))
    assert [run.info.status for run in stored_runs(server.uri)] == ["FINISHED"] * 3
    assert not list((tmp_path / ".tracking").iterdir())


def test_a_running_stage_is_not_taken_for_one_left_behind(server: Server, tmp_path: Path) -> None:
    running = Stage(tmp_path, server.uri, "run.id()\npause()\nrun.log_metrics({'loss': 7.0})")
    running.wait_for_pause()
    assert Stage(tmp_path, server.uri, "run.id()", "train_dpo").end() == (0, "")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    sent = forked.command(["runs", "--send"], tmp_path, clean_environment())
    assert sent.stdout == "no run waits to be sent\n"
    running.resume()
    assert running.end() == (0, "")
    assert [run.info.status for run in stored_runs(server.uri)] == ["FINISHED"] * 2


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
