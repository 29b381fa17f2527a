"""A training that is killed resumes and ends with the same bits; two processes do what one does."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from forked_launch import exit_status
from training_rows import SFT, Recorded, Stopped, train_all, training

from proofline.config import Environment
from proofline.storage.weights import weights_hash
from proofline.training import loop, snapshot
from proofline.training.checkpoints import checkpoints_of
from proofline.training.execution import Execution
from proofline.training.snapshot import Snapshot

FOUR_ROWS = Execution(threads=1, micro_batch=4)


def in_processes(
    number: int, names: Sequence[str], policy_dir: Path, out_dir: Path, kept: Path | None = None, kill_at: int = 0
) -> int:
    """Run trainings in so many processes, with a checkpoint every second step unless SIGTERM is to be what ends them;
    how the process ended that launched them."""
    execution = replace(FOUR_ROWS, checkpoints=kept, save_steps=2 if kill_at >= 0 else None)
    train = partial(train_all, names, policy_dir, out_dir, execution)
    launcher = "local" if number == 1 else "accelerate"
    return exit_status(
        train, Recorded(kill_at, execution=execution), Environment(launcher=launcher, processes=number, threads=1)
    )


def test_another_recipe_seed_or_set_of_rows_is_another_folder(tiny_policy: Path, tmp_path: Path) -> None:
    longer = SFT.model_copy(update={"epochs": 2.0})
    folders = [
        checkpoints_of(Execution(checkpoints=tmp_path), "train_sft", section, seed, tiny_policy, rows)
        for section, seed, rows in ((SFT, 0, ["a"]), (longer, 0, ["a"]), (SFT, 1, ["a"]), (SFT, 0, ["b"]))
    ]
    assert len(set(folders)) == 4
    assert checkpoints_of(Execution(), "train_sft", SFT, 0, tiny_policy, ["a"]) is None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sft", "dpo", "solutions"])
def test_killed_and_resumed_is_bit_identical_to_undisturbed(name: str, tiny_policy: Path, tmp_path: Path) -> None:
    checkpoints, undisturbed = tmp_path / "checkpoints", Recorded()
    training(name, tiny_policy)(0, tmp_path / "undisturbed", undisturbed, execution=FOUR_ROWS)

    assert in_processes(1, [name], tiny_policy, tmp_path, checkpoints, 3) == -signal.SIGKILL
    (saved,) = checkpoints.glob("*/*/step-*")
    assert saved.name == "step-00000002"
    assert not (tmp_path / name).exists()
    # A process that dies just after its manifest is there leaves the draft of it.
    kept = {path.name.partition(".json.")[0] for path in saved.rglob("*") if path.is_file()}
    assert {name.rpartition(".")[2] for name in kept} <= {"safetensors", "json", "manifest"}

    half_written = saved.with_name("step-00000003") / "aaaaaaaa-00000"
    half_written.mkdir(parents=True)
    (half_written / "model.safetensors").write_bytes(b"half a file")
    run = Recorded()
    resumable = replace(FOUR_ROWS, checkpoints=checkpoints, save_steps=2)
    training(name, tiny_policy)(0, tmp_path / name, run, execution=resumable)
    assert [step for step, _ in run.curves] == [step for step, _ in undisturbed.curves], "the whole curve"
    assert weights_hash(tmp_path / name) == weights_hash(tmp_path / "undisturbed")
    assert not list(checkpoints.glob("*/*"))


class Until(Recorded):
    """Stopped when it says its curve's point at a step."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        if step == self.kill_at:
            raise Stopped
        super().log_metrics(metrics, step)


class Waits(Until):
    """At every step the checkpoint of the one before has been written."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        if step and step > 1:
            assert self.execution.checkpoints
            assert list(self.execution.checkpoints.glob(f"*/*/step-{step - 1:08d}/manifest.json"))
        super().log_metrics(metrics, step)


@pytest.mark.slow
def test_without_memory_for_a_copy_the_steps_wait_for_the_writing(
    tiny_policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training("sft", tiny_policy)(0, tmp_path / "undisturbed", Recorded(), execution=FOUR_ROWS)
    monkeypatch.setattr(snapshot, "has_room", lambda _: False)
    monkeypatch.setattr(Snapshot, "_copy", None)
    execution = replace(FOUR_ROWS, checkpoints=tmp_path / "checkpoints", save_steps=1)
    with pytest.raises(Stopped):
        training("sft", tiny_policy)(0, tmp_path / "sft", Waits(4, execution=execution), execution=execution)
    training("sft", tiny_policy)(0, tmp_path / "sft", Recorded(), execution=execution)
    assert weights_hash(tmp_path / "sft") == weights_hash(tmp_path / "undisturbed")


@pytest.mark.slow
def test_two_processes_take_the_same_steps_as_one(tiny_policy: Path, tmp_path: Path) -> None:
    assert in_processes(2, ["sft", "dpo", "solutions"], tiny_policy, tmp_path / "two") == 0
    for name in ("sft", "dpo", "solutions"):
        training(name, tiny_policy)(0, tmp_path / "one" / name, Recorded(), execution=FOUR_ROWS)
        assert weights_hash(tmp_path / "one" / name) == weights_hash(tmp_path / "two" / name)


@pytest.mark.slow
@pytest.mark.parametrize(("killed", "resumed", "name"), [(2, 1, "sft"), (1, 2, "dpo")])
def test_another_number_of_processes_takes_up_the_checkpoint_and_ends_with_the_same_bits(
    killed: int, resumed: int, name: str, tiny_policy: Path, tmp_path: Path
) -> None:
    """Without ZeRO, each process holds all of the state; the random states of processes that are new decide nothing."""
    training(name, tiny_policy)(0, tmp_path / "undisturbed", Recorded(), execution=FOUR_ROWS)
    checkpoints = tmp_path / "checkpoints"
    assert in_processes(killed, [name], tiny_policy, tmp_path, checkpoints, 3) != 0
    (saved,) = checkpoints.glob("*/*/step-*/manifest.json")
    assert in_processes(resumed, [name], tiny_policy, tmp_path, checkpoints) == 0
    assert not saved.exists(), "it trained under another name, from its beginning"
    assert weights_hash(tmp_path / name) == weights_hash(tmp_path / "undisturbed")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "section"), [("sft", {}), ("dpo", {"sft_weight": 0.5})])
def test_resumed_between_two_points_of_the_curve_nothing_differs(
    name: str, section: dict[str, float], tiny_policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of an epoch, with what a point sums up half there. The state at step 9 is compared to the byte."""
    monkeypatch.setattr(loop, "POINTS_ON_A_CURVE", 2)
    train = training(name, tiny_policy, epochs=2.5, **section)
    runs, at_nine = [], []
    for stops in ((10,), (5, 10)):
        checkpoints = tmp_path / f"checkpoints-{len(stops)}"
        execution = replace(FOUR_ROWS, checkpoints=checkpoints, save_steps=3)
        for stop in stops:
            run = Until(stop, execution=execution)
            with pytest.raises(Stopped):
                train(0, tmp_path / "out", run, execution=execution)
        (manifest,) = checkpoints.glob("*/*/step-00000009/manifest.json")
        objects = json.loads(manifest.read_bytes())["content"]["objects"]
        at_nine.append({name.partition("/")[2]: part for name, part in objects.items() if not name.endswith("json")})
        runs.append(Recorded())
        train(0, tmp_path / f"out-{len(stops)}", runs[-1], execution=execution)
    assert at_nine[0] == at_nine[1]
    curves = [
        [(step, {k: v for k, v in point.items() if "per_second" not in k}) for step, point in run.curves]
        for run in runs
    ]  # fmt: skip
    assert curves[0] == curves[1]
    assert [step for step, _ in curves[0]] == [5, 10]
    assert weights_hash(tmp_path / "out-1") == weights_hash(tmp_path / "out-2")


@pytest.mark.slow
def test_sigterm_keeps_the_step_that_it_comes_in(tiny_policy: Path, tmp_path: Path) -> None:
    """With no checkpoint due before: a machine that is taken away loses nothing."""
    undisturbed = Recorded()
    training("sft", tiny_policy)(0, tmp_path / "undisturbed", undisturbed, execution=FOUR_ROWS)
    checkpoints = tmp_path / "checkpoints"
    assert in_processes(1, ["sft"], tiny_policy, tmp_path, checkpoints, -2) == -signal.SIGTERM
    (saved,) = checkpoints.glob("*/*/step-*/manifest.json")
    assert saved.parent.name == "step-00000003"
    run = Recorded()
    training("sft", tiny_policy)(0, tmp_path / "sft", run, execution=replace(FOUR_ROWS, checkpoints=checkpoints))
    assert run.tags["proofline.resumed_from"] == "3"
    assert weights_hash(tmp_path / "sft") == weights_hash(tmp_path / "undisturbed")
