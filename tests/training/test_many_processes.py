"""What several real processes train is what one trains: DDP and ZeRO over gloo, killed and resumed, and exported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from forked_launch import launch
from safetensors.torch import load_file
from training_rows import Stopped, Stops, difference, train_all, train_sharded

from proofline.config import Environment
from proofline.storage.weights import weights_hash
from proofline.tracking import NullRun
from proofline.training.execution import Execution

pytestmark = pytest.mark.slow(minutes=2)

TRAININGS = ("sft", "dpo", "genrm", "solutions", "adapters")
Trained = Callable[..., Path]


def settings(processes: int, restarts: int = 0) -> Environment:
    launcher = "local" if processes == 1 else "accelerate"
    return Environment(launcher=launcher, processes=processes, restarts=restarts, threads=1)


@pytest.fixture(scope="module")
def trained(tiny_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """All trainings with so many processes, two of them under every ZeRO stage, in fp32; each once."""
    done: dict[int, Path] = {}

    def train(processes: int, zero_stage: int = 0) -> Path:
        if processes not in done:
            out_dir = tmp_path_factory.mktemp(f"trained-{processes}")
            stages = (0, 1, 2, 3) if processes == 2 else (0,)
            execution = Execution(threads=1, micro_batch=2)
            function = partial(train_sharded, TRAININGS, tiny_policy, out_dir, execution, stages, precision="fp32")
            launch(function, NullRun(), settings(processes))
            done[processes] = out_dir
        return done[processes] / str(zero_stage)

    return train


@pytest.mark.parametrize("processes", [2, 4])
@pytest.mark.parametrize("name", TRAININGS)
def test_the_number_of_processes_changes_nothing(
    name: str, processes: int, trained: Trained, tiny_policy: Path
) -> None:
    assert difference(trained(1) / name, trained(processes) / name, tiny_policy) < 1e-3


@pytest.mark.parametrize("zero_stage", [1, 2, 3])
@pytest.mark.parametrize("name", TRAININGS)
def test_sharding_the_state_changes_nothing(name: str, zero_stage: int, trained: Trained, tiny_policy: Path) -> None:
    assert difference(trained(1) / name, trained(2, zero_stage) / name, tiny_policy) < 1e-3


LOADS = """
import sys
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer
for folder in sys.argv[1:]:
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.lm_head.weight.data_ptr() == model.model.embed_tokens.weight.data_ptr(), folder
    with safe_open(folder + "/model.safetensors", "pt") as stored:
        names = set(stored.keys())
    assert "lm_head.weight" not in names, folder
    assert names == {name for name, _ in model.named_parameters()}, (folder, names)
    model(**AutoTokenizer.from_pretrained(folder)("2+2=", return_tensors="pt"))
    assert not {"deepspeed", "transformer_engine"} & set(sys.modules), folder
"""


def test_what_is_exported_is_whole_and_tied_and_loads_by_itself(trained: Trained) -> None:
    folders = [trained(2, zero_stage) / "sft" for zero_stage in (0, 1, 2, 3)]
    done = subprocess.run([sys.executable, "-c", LOADS, *map(str, folders)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    for folder in folders:
        assert all(torch.isfinite(tensor).all() for tensor in load_file(folder / "model.safetensors").values())


def test_killed_it_starts_again_by_itself_and_ends_with_the_same_weights(
    trained: Trained, tiny_policy: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A training without ZeRO, and then one that shards all: each is killed once. Nothing is compiled for it."""
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path / "compiled"))
    checkpoints = tmp_path / "checkpoints"
    execution = Execution(threads=1, micro_batch=2, checkpoints=checkpoints, save_steps=2)
    killed = partial(train_sharded, ["sft"], tiny_policy, tmp_path / "killed", execution, (0, 3), kill_once_at=3)
    launch(killed, NullRun(), settings(2, restarts=2))
    assert capfd.readouterr().err.count("ended with signal 9; starting again") == 2
    for zero_stage in (0, 3):
        again, undisturbed = tmp_path / f"killed/{zero_stage}/sft", trained(2, zero_stage) / "sft"
        assert weights_hash(again) == weights_hash(undisturbed), zero_stage
    assert not list(checkpoints.glob("*/*"))
    assert not (tmp_path / "compiled").exists()


def test_what_any_of_several_processes_wrote_is_vouched_for(
    trained: Trained, tiny_policy: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Every process of ZeRO writes a part of the optimizer's state."""
    checkpoints = tmp_path / "checkpoints"
    execution = Execution(threads=1, micro_batch=2, zero_stage=2, checkpoints=checkpoints, save_steps=1)
    train = partial(train_all, ["sft"], tiny_policy, tmp_path / "resumed", execution)
    with pytest.raises(Stopped):
        launch(train, Stops(), settings(2))
    (damaged,) = checkpoints.glob("*/*/step-00000003/*-00001/optimizer.safetensors")
    damaged.unlink()
    launch(train, NullRun(), settings(2))
    assert f"{damaged.relative_to(damaged.parents[1])} missing" in capfd.readouterr().err
    assert weights_hash(tmp_path / "resumed/sft") == weights_hash(trained(2, zero_stage=2) / "sft")


@pytest.mark.parametrize(("killed", "resumed"), [((2, 3), (1, 0)), ((1, 0), (2, 2)), ((2, 1), (4, 3))])
def test_other_processes_and_another_stage_take_up_what_is_kept(
    killed: tuple[int, int], resumed: tuple[int, int], trained: Trained, tiny_policy: Path, tmp_path: Path
) -> None:
    """Each row once an epoch: were one repeated or skipped, the weights would be others."""
    execution = Execution(threads=1, micro_batch=2, checkpoints=tmp_path / "checkpoints", save_steps=1)
    for (processes, zero_stage), run in ((killed, Stops()), (resumed, NullRun())):
        execution = replace(execution, zero_stage=zero_stage)
        train = partial(train_all, ["sft"], tiny_policy, tmp_path / "resumed", execution)
        with pytest.raises(Stopped) if isinstance(run, Stops) else nullcontext():
            launch(train, run, settings(processes))
    assert not list((tmp_path / "checkpoints").glob("*/*")), "it trained under another name, from its beginning"
    assert difference(trained(1) / "sft", tmp_path / "resumed/sft", tiny_policy) < 1e-3
