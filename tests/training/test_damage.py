"""A checkpoint that is not what was written, or of other code, or a disk that fills: never other weights."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from forked_launch import launch
from training_rows import Recorded, Stopped, Stops, train_all, training, until_kept

from proofline.config import Environment
from proofline.storage.lock import held
from proofline.storage.space import DiskFullError, room_for
from proofline.storage.weights import weights_hash
from proofline.training import resuming
from proofline.training.execution import Execution

REPOSITORY = Path(__file__).parents[2]
FOUR_ROWS = Execution(threads=1, micro_batch=4)
TRAININGS = ("sft", "dpo", "genrm")

pytestmark = pytest.mark.slow


def keeping(checkpoints: Path) -> Execution:
    return replace(FOUR_ROWS, checkpoints=checkpoints, save_steps=1)


@pytest.fixture(scope="module")
def undisturbed(tiny_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The weights of each training, by their hash."""
    out_dir = tmp_path_factory.mktemp("undisturbed")
    train_all(TRAININGS, tiny_policy, out_dir, FOUR_ROWS, Recorded())
    return {name: weights_hash(out_dir / name) for name in TRAININGS}


@pytest.fixture(scope="module")
def stopped(tiny_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By training, the checkpoints of one that was stopped."""
    kept = {}
    for name in TRAININGS:
        kept[name] = tmp_path_factory.mktemp("stopped") / "checkpoints"
        with pytest.raises(Stopped):
            training(name, tiny_policy)(0, kept[name] / "out", Stops(), execution=keeping(kept[name]))
        assert kept_steps(kept[name]) == [2, 3]
    return kept


def kept_steps(checkpoints: Path) -> list[int]:
    return sorted(int(path.parent.name[5:]) for path in checkpoints.glob("*/*/step-*/manifest.json"))


def empty(file: Path) -> None:
    file.write_bytes(b"")


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "file", "harm"),
    [
        ("sft", "model.safetensors", flip),
        ("sft", "manifest.json", empty),
        ("sft", "manifest.json", Path.unlink),
        ("dpo", "optimizer.safetensors", empty),
        ("genrm", "state.json", cut),
        ("genrm", "state.json", Path.unlink),
    ],
)
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_taken(
    name: str, file: str, harm: Callable[[Path], None], tiny_policy: Path, tmp_path: Path, stopped: dict[str, Path],
    undisturbed: dict[str, str], capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    checkpoints = tmp_path / "checkpoints"
    shutil.copytree(stopped[name], checkpoints)
    (damaged,) = checkpoints.glob("*/*/step-00000003")
    (harmed,) = damaged.rglob(file)
    harm(harmed)
    run = Recorded()
    training(name, tiny_policy)(0, tmp_path / name, run, execution=keeping(checkpoints))
    said = capfd.readouterr().err
    assert f"checkpoints: {damaged} is not used: " in said
    assert file in said
    assert run.tags["proofline.resumed_from"] == "2"
    assert weights_hash(tmp_path / name) == undisturbed[name]
    assert not list(checkpoints.glob("*/*"))


def test_where_none_is_whole_training_starts_again(
    tiny_policy: Path, tmp_path: Path, stopped: dict[str, Path], undisturbed: dict[str, str]
) -> None:
    checkpoints = tmp_path / "checkpoints"
    shutil.copytree(stopped["sft"], checkpoints)
    for state in checkpoints.glob("*/*/*/*/state.json"):
        cut(state)
    run = Recorded()
    training("sft", tiny_policy)(0, tmp_path / "sft", run, execution=keeping(checkpoints))
    assert [step for step, _ in run.curves] == [1, 2, 3, 4]
    assert weights_hash(tmp_path / "sft") == undisturbed["sft"]


# Whose checkpoint it is

NAME = """
import sys
from pathlib import Path
from training_rows import SFT
from proofline.training.checkpoints import checkpoints_of
from proofline.training.execution import Execution
print(checkpoints_of(Execution(checkpoints=Path("kept")), "train_sft", SFT, 0, Path(sys.argv[1]), ["a"]).folder)
"""


def test_code_libraries_and_configuration_are_part_of_a_checkpoints_name(tiny_policy: Path, tmp_path: Path) -> None:
    source = tmp_path / "src"
    shutil.copytree(REPOSITORY / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
    policy = tmp_path / "policy"
    shutil.copytree(tiny_policy, policy)

    def name(*first: Path) -> str:
        path = os.pathsep.join(map(str, [*first, source, Path(__file__).parent]))
        command = [sys.executable, "-c", NAME, str(policy)]
        variables = os.environ | {"PYTHONPATH": path}
        return subprocess.run(command, env=variables, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    names = [name()]
    edited = source / "proofline/tracking/ui.py"
    edited.write_text(edited.read_text() + "\n# records only\n")
    assert name() == names[0]
    for file in ("training/loop.py", "training/fp8_names.py", "data/prompts.py", "checkpoints/store.py"):
        edited = source / "proofline" / file
        edited.write_text(edited.read_text() + "\n# may decide\n")
        names.append(name())
    for library in ("trl", "torch", "accelerate"):
        newer = tmp_path / library / f"{library}-99.dist-info"
        newer.mkdir(parents=True)
        (newer / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {library}\nVersion: 99\n")
        names.append(name(newer.parent))
    config = policy / "config.json"
    config.write_text(config.read_text().replace('"rms_norm_eps": 1e-06', '"rms_norm_eps": 1e-05'))
    names.append(name())
    assert len(set(names)) == len(names)


TWICE = """
import sys
from pathlib import Path
from training_rows import Recorded, train_all
from proofline.training.execution import Execution

policy, checkpoints = map(Path, sys.argv[1:])
for out_dir, kept in (("resumed", checkpoints), ("scratch", None)):
    execution = Execution(threads=1, micro_batch=4, save_steps=2, checkpoints=kept)
    train_all(["sft"], policy, Path(out_dir), execution, Recorded())
"""


def test_a_training_of_edited_code_starts_from_its_beginning(
    tiny_policy: Path, tmp_path: Path, stopped: dict[str, Path]
) -> None:
    """The edit doubles every step of SFT; what is left of the old code's steps must not be in its weights."""
    checkpoints, source = tmp_path / "checkpoints", tmp_path / "src"
    shutil.copytree(stopped["sft"], checkpoints)
    shutil.copytree(REPOSITORY / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
    loop = source / "proofline/training/loop.py"
    loop.write_text(
        loop.read_text().replace('"learning_rate": section.learning_rate', '"learning_rate": 2 * section.learning_rate')
    )
    variables = os.environ | {"PYTHONPATH": os.pathsep.join([str(source), str(Path(__file__).parent)])}
    command = [sys.executable, "-c", TWICE, str(tiny_policy), str(checkpoints)]
    subprocess.run(command, env=variables, cwd=tmp_path, check=True, capture_output=True)
    assert weights_hash(tmp_path / "resumed/sft") == weights_hash(tmp_path / "scratch/sft")
    assert kept_steps(checkpoints) == [2, 3], "the old code's are still there for the old code"


def test_two_trainings_that_are_the_same_do_not_share_a_folder(
    tiny_policy: Path, tmp_path: Path, stopped: dict[str, Path], undisturbed: dict[str, str],
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(resuming, "WAIT_SECONDS", 0.1)
    checkpoints = tmp_path / "checkpoints"
    shutil.copytree(stopped["sft"], checkpoints)
    before = sorted(checkpoints.glob("*/*/*"))
    (folder,) = checkpoints.glob("*/*")
    run = Recorded()
    with held(folder / resuming.LOCK):
        training("sft", tiny_policy)(0, tmp_path / "sft", run, execution=keeping(checkpoints))
    assert "does this very training too" in capfd.readouterr().err
    assert [step for step, _ in run.curves] == [1, 2, 3, 4]
    assert sorted(checkpoints.glob("*/*/*")) == before
    assert weights_hash(tmp_path / "sft") == undisturbed["sft"]


# A disk that fills

BIG = 64 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own, which only root may mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={BIG}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, leave_bytes: int) -> None:
    """Ballast that leaves so much room, while another process may write there too."""
    with open(disk / "ballast", "wb") as ballast:
        while (room := shutil.disk_usage(disk).free - leave_bytes) > 0:
            with suppress(OSError):  # less is free by now
                os.posix_fallocate(ballast.fileno(), 0, room + os.fstat(ballast.fileno()).st_size)
                return


class Fills(Recorded):
    """Fills the disk at a step, before its checkpoint is written and when the one before is."""

    def __init__(self, disk: Path, step: int, leave_bytes: int, execution: Execution = FOUR_ROWS) -> None:
        super().__init__(execution=execution)
        self.disk, self.step, self.leave_bytes = disk, step, leave_bytes

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        super().log_metrics(metrics, step)
        if step == self.step:
            until_kept(self.execution, step)
            fill(self.disk, self.leave_bytes)


@pytest.mark.parametrize(("name", "leave_bytes"), [("sft", 0), ("dpo", 300_000), ("genrm", 700_000)])
def test_a_disk_that_fills_is_named_and_the_last_good_checkpoint_kept(
    name: str, leave_bytes: int, disk: Path, tiny_policy: Path, tmp_path: Path
) -> None:
    """The steps go on while it is written, so it is said a step or two later."""
    execution = keeping(disk / "checkpoints")
    train = training(name, tiny_policy, epochs=2.0)
    said = (
        rf"mounted at {disk} has no room for .*step-00000003.*: .* or more are needed, .* are free, .* are missing\. "
        r"step 2 is kept, and the training goes on from it: make room"
    )
    with pytest.raises(DiskFullError, match=said):
        train(0, tmp_path / name, Fills(disk, 3, leave_bytes, execution), execution=execution)
    assert kept_steps(disk / "checkpoints") == [1, 2]

    (disk / "ballast").unlink()
    run = Recorded()
    train(0, tmp_path / name, run, execution=execution)
    assert run.tags["proofline.resumed_from"] == "2"
    train(0, tmp_path / "undisturbed", Recorded(), execution=FOUR_ROWS)
    assert weights_hash(tmp_path / name) == weights_hash(tmp_path / "undisturbed")


def test_a_first_checkpoint_without_room_is_said_too(disk: Path, tiny_policy: Path, tmp_path: Path) -> None:
    said = r"step-00000001.*: .* are missing\. There is none before it: make room"
    with pytest.raises(DiskFullError, match=said):
        training("sft", tiny_policy, epochs=2.0)(
            0, tmp_path / "sft", Fills(disk, 1, 500_000), execution=keeping(disk / "checkpoints")
        )


def test_one_of_two_processes_without_room_ends_both_with_the_same_words(
    disk: Path, tiny_policy: Path, tmp_path: Path
) -> None:
    settings = Environment(launcher="accelerate", processes=2, restarts=2, threads=1)
    execution = keeping(disk / "checkpoints")
    train = partial(train_all, ["sft"], tiny_policy, tmp_path, execution, epochs=2.0)
    with pytest.raises(DiskFullError, match="step 2 is kept"):
        launch(train, Fills(disk, 3, 0, execution), settings)


def test_weights_without_room_are_said_too(disk: Path, tiny_policy: Path) -> None:
    with pytest.raises(DiskFullError, match=r"no room for .*sft\.partial: .* are missing\. Make room and start"):
        training("sft", tiny_policy)(0, disk / "models/sft", Fills(disk, 4, 100_000), execution=FOUR_ROWS)
    assert not list((disk / "models").iterdir())


def test_a_limit_of_the_process_is_called_by_its_name(tmp_path: Path) -> None:
    script = f"""
import resource
from pathlib import Path
from proofline.storage.artifacts import write_text
from proofline.storage.space import room_for
resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))
for write in (lambda: write_text({str(tmp_path / "rows.jsonl")!r}, "x" * 20000),):
    try:
        write()
    except ValueError as error:
        print(error)
part = Path({str(tmp_path / "part")!r})
try:
    with room_for(part, 20000, "Lift it."):
        raise RuntimeError("unexpected pos 64 vs 0")
except ValueError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    rows, part = done.stdout.splitlines()
    assert rows.startswith("File too large: the disk mounted at ")
    assert "rows.jsonl is as it was" in rows
    assert part.startswith("File too large: the disk mounted at ")
    assert not list(tmp_path.iterdir())


def test_another_error_stays_itself(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="another"), room_for(tmp_path / "part", 1000, "Make room."):
        raise RuntimeError("another")
