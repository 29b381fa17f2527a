"""Runs that wait for their store: they are counted, named and sent."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import forked
import pytest
from forked_recorder import recorders_are_forked
from live_repository import Repository, clean_environment, stored_runs
from live_server import START_SECONDS, Server, Stage

from proofline.tracking.track import RecordedRun
from proofline.tracking.waiting import kept_runs

pytestmark = pytest.mark.slow(minutes=2)


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


def slow_to_speak(uri: str) -> None:
    """A stage of a busy machine, whose recorder is there before its first word."""
    recorders_are_forked()
    run = RecordedRun(Path(".tracking/train_dpo-1.jsonl"))
    time.sleep(3)
    here = str(Path.cwd())
    run.write("start", stage="train_dpo", policy=None, name="train_dpo", started_by="hand", experiment=None,
              baseline=None, command="", uri=uri, folder=here, artifact_root=here)  # fmt: skip
    run.end("FINISHED")


def test_a_recorder_that_knows_no_store_yet_sends_what_waits_later(server: Server, tmp_path: Path) -> None:
    leave_runs(tmp_path, server, ["train_sft"])
    done = forked.begin(slow_to_speak, server.uri, folder=tmp_path, variables=clean_environment())()
    assert "a run of train_sft that waited has been sent" in done.stderr
    assert [run.info.status for run in stored_runs(server.uri)] == ["FINISHED"] * 2


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
