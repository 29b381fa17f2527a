"""SIGTERM in a training: a second signal, a save that takes too long, processes that ask each other; data workers."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from training_rows import Recorded, Stopped, Stops, training, until_kept

from proofline.checkpoints.folder import Folder
from proofline.storage.weights import weights_hash
from proofline.tracking import ending as signals
from proofline.tracking.ending import Terminated, sigterm_as_exception
from proofline.training import sft
from proofline.training.ending import Ending, Word
from proofline.training.execution import Execution

FOUR_ROWS = Execution(threads=1, micro_batch=4)


class Signalled(Recorded):
    """Told to end, twice, after a step; what was to be kept before has arrived by then."""

    def __init__(self, after: int, execution: Execution) -> None:
        super().__init__(execution=execution)
        self.after = after

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        super().log_metrics(metrics, step)
        if step == self.after:
            until_kept(self.execution, step)
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(autouse=True)
def nobody_else_handles_sigterm() -> Iterator[None]:
    """As in a stage's process: Ray, which another test may have used in this one, leaves its own."""
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def undisturbed(tiny_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    out_dir = tmp_path_factory.mktemp("undisturbed") / "sft"
    training("sft", tiny_policy, epochs=2.0)(0, out_dir, Recorded(), execution=FOUR_ROWS)
    return weights_hash(out_dir)


@pytest.mark.parametrize(("after", "too_slow"), [(3, False), (3, True), (7, False)])
def test_a_last_save_is_kept_or_given_up_in_time_and_nothing_is_lost(
    after: int, too_slow: bool, tiny_policy: Path, tmp_path: Path, undisturbed: str, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    checkpoints, put, released = tmp_path / "checkpoints", Folder.put, threading.Event()
    execution = replace(FOUR_ROWS, checkpoints=checkpoints, save_steps=2, put_off_seconds=0.5 if too_slow else 60.0)

    def slow(self: Folder, name: str, chunks: Any) -> Any:
        if too_slow and name.startswith("step-00000004"):
            released.wait()
        return put(self, name, chunks)

    monkeypatch.setattr(Folder, "put", slow)
    train = training("sft", tiny_policy, epochs=2.0)
    with pytest.raises(Terminated), sigterm_as_exception():
        train(0, tmp_path / "sft", Signalled(after, execution), execution=execution)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # as after the end of the process
    monkeypatch.undo()
    kept = 2 if too_slow else after + 1
    reason = "not kept: it takes too long to write" if too_slow else "kept"
    assert capfd.readouterr().err.endswith(f"checkpoints: stopped, step {after + 1} is {reason}\n")
    assert max(checkpoints.glob("*/*/*/manifest.json")).parent.name == f"step-0000000{kept}"

    run = Recorded()
    train(0, tmp_path / "sft", run, execution=execution)
    released.set()
    assert run.tags["proofline.resumed_from"] == str(kept)
    assert weights_hash(tmp_path / "sft") == undisturbed


def test_data_workers_change_nothing(
    tiny_policy: Path, tmp_path: Path, undisturbed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no setting of them: rows are token ids before the first step. Resumed with some, nothing differs."""
    arguments = sft.trl_arguments
    monkeypatch.setattr(sft, "trl_arguments", lambda *given: arguments(*given) | {"dataloader_num_workers": 2})
    execution = replace(FOUR_ROWS, checkpoints=tmp_path / "checkpoints", save_steps=1)
    train = training("sft", tiny_policy, epochs=2.0)
    with pytest.raises(Stopped):
        train(0, tmp_path / "sft", Stops(execution=execution), execution=execution)
    train(0, tmp_path / "sft", Recorded(), execution=execution)
    assert weights_hash(tmp_path / "sft") == undisturbed


@pytest.mark.parametrize("last", [5, 400])
def test_processes_ask_each_other_at_the_same_steps_and_seldom(last: int) -> None:
    """Their clocks differ; one of them is told at some moment, without a signal. At the last step they ask anyway."""
    meeting = threading.Barrier(3)
    words: dict[int, list[Word]] = {}

    def hear(step: Callable[[], int], rank: int) -> Callable[[Word], list[Word]]:
        def heard(word: Word) -> list[Word]:
            words.setdefault(step(), [(False, 0)] * 3)[rank] = word
            meeting.wait()
            return words[step()]

        return heard

    def train(rank: int) -> int:
        at, now = 0, 100.0 * rank
        ending = Ending(hear(lambda: at, rank), seconds=60.0, clock=lambda: now)
        for at in range(1, last + 1):
            now += 0.01 * (rank + 1)
            if rank == 2 and at == last - 1:
                ending._since = time.monotonic()
            if ending.look(at, last):
                return at
        return 0

    with ThreadPoolExecutor(3) as processes:
        ended = list(processes.map(train, range(3)))
    assert ended == [last] * 3
    assert len(words) <= 3 + last * 0.01 / 0.5


def test_a_worker_that_no_signal_reaches_ends_by_an_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    noticed = threading.Event()
    monkeypatch.setattr(signals, "NOTICED", noticed)
    ending = Ending(None, seconds=60.0)
    assert not ending.look(1, 9)
    noticed.set()
    assert ending.look(2, 9)
    assert 0 < ending.seconds_left <= 60
    with pytest.raises(Terminated) as raised:
        ending.end()
    assert raised.value.code == 143
