"""A disk without room under `.tracking`, and spools that were cut off: the stage goes on and its run ends."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from forked_recorder import send
from live_repository import stored_runs
from live_server import START_SECONDS, Stage
from shared import empty_database

from proofline.tracking.spool import Spool, read_events

pytestmark = pytest.mark.slow


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """`.tracking` as a disk of its own, of 64 KiB."""
    folder = tmp_path / ".tracking"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"a small disk needs the right to mount: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def uri(tmp_path: Path) -> str:
    (tmp_path / "mlflow.db").write_bytes(empty_database())
    return f"sqlite:///{tmp_path}/mlflow.db"


def fill(folder: Path) -> None:
    with open(folder / "filler", "wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(b"x" * 4096)


def curve(uri: str, run: Any) -> list[int]:
    from mlflow.tracking import MlflowClient

    return [point.step for point in MlflowClient(uri).get_metric_history(run.info.run_id, "loss")]


@pytest.mark.parametrize("begun", [True, False], ids=["in the middle", "from the first word"])
def test_a_full_disk_costs_a_warning_and_nothing_else(small_disk: Path, uri: str, tmp_path: Path, begun: bool) -> None:
    body = """
        run.log_metrics({"loss": 1.0}, step=1)
        pause()
        for step in range(2, 2000):
            run.log_metrics({"loss": 1 / step, "filling words of a length": 1.0}, step=step)
        Path("weights").write_text("trained")
    """
    if not begun:
        fill(small_disk)
    stage = Stage(tmp_path, uri, textwrap.dedent(body))
    stage.wait_for_pause()
    if begun:
        fill(small_disk)
    stage.resume()
    status, errors = stage.end()
    assert status == 0, errors
    assert (tmp_path / "weights").exists()
    assert errors.count("No space left") + errors.count("only a part of a line") >= 1
    assert errors.count("This stage goes on") == 1
    (run,) = stored_runs(uri)
    assert run.info.status == "FINISHED"
    assert curve(uri, run) == list(range(1, 2000))
    assert [file.name for file in small_disk.iterdir()] == ["filler"]


def test_a_stage_that_fails_or_is_killed_on_a_full_disk_ends_its_run(
    small_disk: Path, uri: str, tmp_path: Path
) -> None:
    for number, last in enumerate(["raise KeyError('no such row')", "os.kill(os.getpid(), signal.SIGKILL)"]):
        stage = Stage(tmp_path, uri, f"run.log_metrics({{'loss': 1.0}}, step=1)\nassert run.id()\npause()\n{last}")
        stage.wait_for_pause()
        fill(small_disk)
        stage.resume()
        stage.end()
        deadline = time.monotonic() + START_SECONDS
        while len(list(small_disk.iterdir())) > 1 and time.monotonic() < deadline:
            time.sleep(0.1)
        (small_disk / "filler").unlink()
        assert stored_runs(uri)[number].info.status == "FAILED"


@pytest.fixture
def left(tmp_path: Path, uri: str) -> Path:
    """A spool whose recorder was killed with its stage, after a few events."""
    body = "run.log_metrics({'löss': 1.0, 'loss': 1.0}, step=1)\nrun.log_metrics({'loss': 2.0}, step=2)\npause()"
    stage = Stage(tmp_path, uri, "os.kill(run._recorder.pid, signal.SIGKILL)\n" + body)
    stage.wait_for_pause()
    stage.process.kill()
    stage.end()
    (spool,) = (tmp_path / ".tracking").glob("*.jsonl")
    spool.with_suffix(".state").unlink(missing_ok=True)
    return spool


def test_lines_cut_anywhere_are_skipped_with_a_word(left: Path, uri: str) -> None:
    lines = left.read_bytes().splitlines(keepends=True)
    umlaut = lines[2].index("ö".encode()) + 1
    left.write_bytes(lines[0] + lines[1] + lines[2][:umlaut] + b"\n" + lines[3] + b'7\n{"kin')
    done = send(left)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("a line that was cut off is skipped") == 3
    (run,) = stored_runs(uri)
    assert run.info.status == "FAILED"
    assert curve(uri, run) == [2]
    assert run.data.params["seed"] == "0"
    assert not left.exists()


def test_a_last_line_that_lacks_only_its_end_counts(left: Path, uri: str) -> None:
    end = {"kind": "end", "time_ms": 1_800_000_000_000, "status": "FINISHED"}
    with open(left, "a", encoding="utf-8") as lines:
        lines.write(json.dumps(end))
    assert send(left).returncode == 0
    assert stored_runs(uri)[0].info.status == "FINISHED"


def test_a_spool_without_its_beginning_is_named_and_one_without_anything_goes(left: Path, uri: str) -> None:
    empty = left.with_name("train_sft-0.jsonl")
    empty.touch()
    assert send(empty).returncode == 0
    assert not empty.exists()
    left.write_bytes(left.read_bytes()[40:])
    before = left.read_bytes()
    done = send(left)
    assert done.returncode == 1
    assert f"the first line of {left} is lost" in done.stderr
    assert "Traceback" not in done.stderr
    assert left.read_bytes() == before
    assert stored_runs(uri) == []


def test_a_process_that_starts_again_closes_the_line_of_the_one_before(tmp_path: Path) -> None:
    first = Spool(tmp_path / "run.jsonl")
    first.log_metrics({"loss": 1.0}, step=1)
    first.log_metrics({"loss": 0.5, "rate": 2.0}, step=2)
    first.close()
    first.path.write_bytes(first.path.read_bytes()[:-20])
    second = Spool(first.path)
    for step in range(1, 4):
        second.log_metrics({"loss": 1 / step}, step=step)
    second.log_metrics({"loss": 0.1})
    events, _ = read_events(first.path)
    assert [(event["step"], event["values"]) for event in events] == [
        (1, {"loss": 1.0}), (2, {"loss": 0.5}), (3, {"loss": 1 / 3}), (0, {"loss": 0.1}),
    ]  # fmt: skip


def test_a_spool_folder_removed_under_a_running_stage_loses_nothing(uri: str, tmp_path: Path) -> None:
    stage = Stage(tmp_path, uri, "assert run.id()\npause()\nrun.log_metrics({'loss': 1.0}, step=1)")
    stage.wait_for_pause()
    shutil.rmtree(tmp_path / ".tracking")
    stage.resume()
    status, _ = stage.end()
    assert status == 0
    (run,) = stored_runs(uri)
    assert run.info.status == "FINISHED"
    assert curve(uri, run) == [1]
