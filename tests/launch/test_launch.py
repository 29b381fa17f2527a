"""One function in several processes of this machine: what arrives, what is refused, and what happens when one dies.

Real processes. Their functions stand here at module level, since each process imports them from this file.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import psutil
import pytest
from checkout import PATIENCE_SECONDS
from hypothesis import given
from hypothesis import strategies as st

from proofline.config import Environment
from proofline.launch import LaunchError, launch, spread
from proofline.launch.processes import run_processes
from proofline.launch.work import Job, work
from proofline.tracking import NullRun, Run
from proofline.tracking.spool import Spool, read_events

pytestmark = pytest.mark.slow
FOREVER = 24 * 3600.0
"""How long a process waits that nobody is to wait for: the test would run out of time."""


def settings(processes: int = 1, restarts: int = 0) -> Environment:
    launcher = "local" if processes == 1 else "accelerate"
    return Environment(launcher=launcher, processes=processes, restarts=restarts, threads=1)


def begin(folder: Path) -> int:
    """Note this process, a file a rank and a line an attempt; which attempt this is, from 1."""
    path = folder / f"rank-{os.environ['RANK']}"
    with open(path, "a") as lines:
        lines.write(f"{os.getpid()}\n")
    return len(begun(folder, int(os.environ["RANK"])))


def begun(folder: Path, rank: int) -> list[int]:
    """The process ids of a rank's attempts."""
    path = folder / f"rank-{rank}"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not so within {PATIENCE_SECONDS:g} s"
        time.sleep(0.02)


# The world's size


def note_that_it_ran(path: Path, run: Run) -> None:
    path.touch()


def note_shard(path: Path, shard: Sequence[int]) -> list[int]:
    path.touch()
    return list(shard)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_stage_that_somebody_else_started_twice_computes_nothing(
    processes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    ran = tmp_path / "ran"
    refused = r"started in 2 processes \(WORLD_SIZE\)\. Nothing was computed\. Start the stage by itself"
    with pytest.raises(LaunchError, match=refused):
        launch(partial(note_that_it_ran, ran), NullRun(), settings(processes))
    for each in ("process", "machine"):
        with pytest.raises(LaunchError, match=refused):
            list(spread(partial(note_shard, ran), [1, 2], settings(processes), shard_size=1, each=each))
    assert not ran.exists()


def test_fewer_processes_than_asked_for_compute_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with pytest.raises(LaunchError, match=r"2 processes were asked for and 1 take part\. Nothing was computed"):
        work(Job(partial(note_that_it_ran, tmp_path / "ran"), 2, 1, NullRun()))
    assert not (tmp_path / "ran").exists()


# What arrives


def report(run: Run) -> tuple[str, str, str, int]:
    import torch

    rank = os.environ["RANK"]
    run.log_metrics({"loss": 0.5, "rank": float(rank)}, step=3)
    return rank, os.environ["WORLD_SIZE"], type(run).__name__, torch.get_num_threads()


def test_both_processes_run_and_only_the_first_speaks_to_the_run(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "run.jsonl")
    spool.set_tag("stage", "before")
    results = run_processes(Job(report, 2, 1, spool), restarts=0)
    spool.set_tag("stage", "after")
    assert results == [("0", "2", "Spool", 1), ("1", "2", "NullRun", 1)]
    before, metrics, after = read_events(spool.path)[0]
    assert (before["value"], after["value"]) == ("before", "after")
    assert metrics["values"] == {"loss": 0.5, "rank": 0.0}
    assert metrics["step"] == 3


# What is refused


class BadRowError(ValueError):
    """As a stage's functions raise them."""


def refuse(folder: Path, run: Run) -> None:
    begin(folder)
    if os.environ["RANK"] == "0":
        time.sleep(FOREVER)
    wait_until(lambda: begun(folder, 0))
    raise BadRowError("row 7 is bad; mend it")


def test_bad_input_arrives_as_itself_and_is_not_tried_again(tmp_path: Path) -> None:
    with pytest.raises(BadRowError, match=r"^row 7 is bad; mend it$"):
        launch(partial(refuse, tmp_path), NullRun(), settings(2, restarts=2))
    assert len(begun(tmp_path, 0)) == len(begun(tmp_path, 1)) == 1


# What dies


def fall_once(folder: Path, run: Run) -> tuple[str, int]:
    """Rank 1 is killed at its first attempt, while rank 0 waits for it."""
    attempt = begin(folder)
    if attempt == 1 and os.environ["RANK"] == "0":
        time.sleep(FOREVER)
    if attempt == 1:
        wait_until(lambda: begun(folder, 0))
        os.kill(os.getpid(), signal.SIGKILL)
    return os.environ["RANK"], attempt


def test_a_killed_process_starts_the_whole_group_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert launch(partial(fall_once, tmp_path), NullRun(), settings(2, restarts=2)) == ("0", 2)
    assert capfd.readouterr().err == "launch: process 1 ended with signal 9; starting again\n"
    assert len(begun(tmp_path, 0)) == len(begun(tmp_path, 1)) == 2
    assert all(gone(pid) for rank in (0, 1) for pid in begun(tmp_path, rank))


def fall(folder: Path, run: Run) -> None:
    """Rank 1 fails at its first attempt and is killed at its second."""
    attempt = begin(folder)
    if os.environ["RANK"] == "0":
        time.sleep(FOREVER)
    if attempt == 1:
        raise RuntimeError("out of something")
    os.kill(os.getpid(), signal.SIGKILL)


def test_processes_that_die_too_often_end_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    message = (
        r"^The 2 processes of this stage died 2 times, last: process 1 ended with signal 9\. .* PROOFLINE_RESTARTS=1 "
    )
    with pytest.raises(LaunchError, match=message):
        launch(partial(fall, tmp_path), NullRun(), settings(2, restarts=1))
    assert len(begun(tmp_path, 1)) == 2
    *traceback, last = capfd.readouterr().err.splitlines()
    assert last == "launch: process 1 ended with exit status 1; starting again"
    assert traceback[0].startswith("Traceback")
    assert traceback[-1] == "RuntimeError: out of something"


# Shards


def double(shard: Sequence[int]) -> list[tuple[int, int, int]]:
    """Two results an item, with the shard's length and the process."""
    return [(times * item, len(shard), os.getpid()) for item in shard for times in (1, 2)]


def threads_here(shard: Sequence[int]) -> list[tuple[int, int, int]]:
    import torch

    time.sleep(0.5)  # neither process is to take all the shards
    return [(item, torch.get_num_threads(), os.getpid()) for item in shard]


def double_and_sign_off(folder: Path, shard: Sequence[int]) -> list[tuple[int, int, int]]:
    """`double`, in a process that says so when it ends by itself."""
    from multiprocessing.util import Finalize

    Finalize(None, (folder / str(os.getpid())).touch, exitpriority=0)
    return double(shard)


def dying_once(trace: Path, shard: Sequence[int]) -> list[int]:
    if 5 in shard and not trace.exists():
        trace.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return list(shard)


def refuse_three(shard: Sequence[int]) -> list[int]:
    if 3 in shard:
        raise BadRowError("row 3 is bad; mend it")
    return list(shard)


def without_process(results: Iterator[tuple[int, int, int]]) -> list[tuple[int, int]]:
    return [(value, length) for value, length, _ in results]


@given(items=st.lists(st.integers(), max_size=20), shard_size=st.integers(min_value=1, max_value=25))
def test_shards_keep_the_order_and_depend_on_nothing_but_their_size(items: list[int], shard_size: int) -> None:
    results = without_process(spread(double, items, settings(), shard_size=shard_size))
    assert [value for value, _ in results] == [times * item for item in items for times in (1, 2)]
    lengths = [length for _, length in results]
    assert all(length <= shard_size for length in lengths)
    assert not lengths or max(lengths) - min(lengths) <= 1, "the last shard would keep others waiting"


def test_two_processes_give_what_one_gives() -> None:
    items = list(range(11))
    apart = list(spread(double, items, settings(2), shard_size=2))
    assert without_process(iter(apart)) == without_process(spread(double, items, settings(), shard_size=2))
    assert os.getpid() not in {pid for _, _, pid in apart}


def test_processes_end_by_themselves_when_all_is_done(tmp_path: Path) -> None:
    apart = list(spread(partial(double_and_sign_off, tmp_path), list(range(8)), settings(2), shard_size=2))
    assert {pid for _, _, pid in apart} == {int(path.name) for path in tmp_path.iterdir()}


def test_what_takes_a_whole_machine_stays_in_this_process() -> None:
    results = list(spread(double, [1, 2, 3], settings(2), shard_size=2, each="machine"))
    assert results == [
        (value, length, os.getpid()) for value, length in [(1, 1), (2, 1), (2, 2), (4, 2), (3, 2), (6, 2)]
    ]


def test_each_core_gets_a_process_of_one_thread() -> None:
    """And one process of one thread gives the same: what comes out does not depend on the cores."""
    environment = Environment(threads=2)
    apart = list(spread(threads_here, list(range(6)), environment, shard_size=2, each="core"))
    assert {threads for _, threads, _ in apart} == {1}
    assert len({pid for _, _, pid in apart} - {os.getpid()}) == 2
    alone = list(spread(threads_here, list(range(6)), Environment(threads=1), shard_size=2, each="core"))
    assert [result[:2] for result in alone] == [result[:2] for result in apart]


def test_a_process_that_dies_with_a_shard_is_started_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    function = partial(dying_once, tmp_path / "died")
    assert list(spread(function, list(range(8)), settings(2, restarts=1), shard_size=2)) == list(range(8))
    assert "launch: a process died; its shards are computed again" in capfd.readouterr().err
    with pytest.raises(LaunchError, match=r"died 1 times.*PROOFLINE_RESTARTS=0"):
        list(spread(partial(dying_once, tmp_path / "again"), list(range(8)), settings(2), shard_size=2))


def test_what_a_shard_refuses_arrives_as_itself() -> None:
    with pytest.raises(BadRowError, match="row 3 is bad"):
        list(spread(refuse_three, list(range(8)), settings(2, restarts=2), shard_size=2))


# The end of the stage


def sleep(folder: Path, run: Run) -> None:
    begin(folder)
    time.sleep(FOREVER)


class Stage:
    """A stage whose two processes wait for minutes."""

    SCRIPT = """
import sys
from functools import partial
from pathlib import Path
from proofline.config import Environment
from proofline.launch import launch
from proofline.tracking import track
from test_launch import settings, sleep

environment = Environment(tracking_uri="sqlite:///" + sys.argv[1] + "/mlflow.db")
with track("train_sft", sections={}, environment=environment) as run:
    launch(partial(sleep, Path(sys.argv[1])), run, settings(2, restarts=2))
"""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, [str(Path(__file__).parent), *sys.path]))
        }
        self.process = psutil.Popen(
            [sys.executable, "-c", self.SCRIPT, str(folder)],
            cwd=folder,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    def started(self) -> list[int]:
        """The process ids of the two processes, as soon as they exist."""
        children = {child.pid: child.cmdline() for child in self.process.children()}
        return [pid for pid, command in children.items() if any("spawn_main" in word for word in command)]

    def working(self) -> list[int]:
        """Their process ids, once the function runs in them."""
        return begun(self.folder, 0) + begun(self.folder, 1)


def gone(pid: int) -> bool:
    """A zombie is gone: who has to bury it is not ours."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    for pid in [stage.process.pid, *stage.working()]:
        if not gone(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("when", ["started", "working"])
def test_a_killed_stage_leaves_no_process_behind(stage: Stage, when: str) -> None:
    wait_until(lambda: len(getattr(stage, when)()) == 2)
    pids = getattr(stage, when)()
    stage.process.kill()
    wait_until(lambda: all(map(gone, pids)))
    assert when == "working" or not stage.working()


def test_a_terminated_stage_ends_its_processes_and_fails(stage: Stage) -> None:
    wait_until(lambda: len(stage.working()) == 2)
    stage.process.terminate()
    _, errors = stage.process.communicate(timeout=PATIENCE_SECONDS)
    assert stage.process.returncode == 128 + signal.SIGTERM, errors
    assert len(stage.working()) == 2, "started again"
    assert all(map(gone, stage.working()))
    with closing(sqlite3.connect(stage.folder / "mlflow.db")) as store:
        assert store.execute("SELECT status FROM runs").fetchall() == [("FAILED",)]
