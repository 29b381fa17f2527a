"""What is left of an experiment that was killed, and what goes on from it."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from checkout import clean_variables, end_all, typed
from short_graph import ask, make_short

from proofline.storage.weights import weights_hash

pytestmark = [pytest.mark.slow(minutes=3), pytest.mark.timeout(1800)]
WAIT_SECONDS = 300.0  # generous: other work may hold the cores


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Path]:
    yield make_short(tmp_path / "copy")
    end_all(tmp_path / "copy")


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not so within {WAIT_SECONDS:g} s"
        time.sleep(0.02)


def test_a_killed_experiment_goes_on_in_another_copy(copy: Path) -> None:
    """And another recipe's, killed beside it, keeps its own checkpoints."""
    settings = {"PROOFLINE_SAVE_STEPS": "1", "PROOFLINE_THREADS": "1"}
    command = ["dvc", "exp", "run", "--temp", "-S", "sft.epochs=12.0", "train_sft"]
    typed(["dvc", "repro", "prepare", "base"], copy, **settings)
    for rate in ("5.0e-4", "4.0e-4"):
        before = set(copy.glob("checkpoints/train_sft/*"))
        dvc = subprocess.Popen([*command, "-S", f"sft.learning_rate={rate}"], cwd=copy, env=clean_variables(**settings))
        wait_until(lambda before=before: [
            marker for marker in copy.glob("checkpoints/train_sft/*/*/manifest.json") if marker.parents[1] not in before
        ])  # fmt: skip
        dvc.send_signal(signal.SIGTERM)
        dvc.wait()
        wait_until(lambda: ask(copy, "SELECT DISTINCT status FROM runs WHERE name = 'train_sft'") == [("FAILED",)])
    folders = set(copy.glob("checkpoints/train_sft/*"))
    assert len(folders) == 2
    assert not (copy / "checkpoints/train_sft").is_symlink()

    typed(command, copy, **settings)
    (run,) = ask(copy, "SELECT run_uuid FROM runs WHERE name = 'train_sft' AND status = 'FINISHED'")
    resumed_from = f"SELECT value FROM tags WHERE run_uuid = '{run[0]}' AND key = 'proofline.resumed_from'"
    assert ask(copy, resumed_from), "it started again from its beginning"
    assert len(set(copy.glob("checkpoints/train_sft/*")) & folders) == 1

    restored = typed(["dvc", "exp", "run", "-S", "sft.epochs=12.0", "train_sft"], copy, **settings)
    assert "Stage 'train_sft' is cached" in restored
    resumed = weights_hash(copy / "models/sft")
    typed(["dvc", "repro", "--force", "--single-item", "train_sft"], copy, PROOFLINE_THREADS="1")
    assert weights_hash(copy / "models/sft") == resumed
