"""What the store says of a training that was killed: all its steps once, its whole cost, and that it was resumed."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import forked
import pytest
from killed_stage import stage
from shared import empty_database

sys.path.append(str(Path(__file__).parents[1] / "tracking"))
from live_repository import clean_environment, stored_runs

pytestmark = pytest.mark.slow


class Trained:
    """A stage that trains eight steps, and may be killed in a step, in a folder of its own."""

    def __init__(self, folder: Path, policy: Path) -> None:
        self.folder, self.policy = folder, policy
        folder.mkdir()
        (folder / "mlflow.db").write_bytes(empty_database())
        self.uri = f"sqlite:///{folder}/mlflow.db"

    def run(self, *kill_at: int, save_steps: int = 0, **variables: str) -> int:
        environment = clean_environment(PROOFLINE_TRACKING_URI=self.uri, **variables)
        done = forked.begin(stage, self.policy, kill_at, save_steps, folder=self.folder, variables=environment)()
        print(done.stderr, file=sys.stderr)
        deadline = time.monotonic() + 600
        while list(self.folder.glob(".tracking/*.jsonl")) and time.monotonic() < deadline:
            time.sleep(0.1)  # the recorder of a killed stage outlives it
        return done.returncode

    def runs(self) -> list[Any]:
        return stored_runs(self.uri)

    def points(self, run: Any, name: str) -> list[int]:
        from mlflow.tracking import MlflowClient

        return [point.step for point in MlflowClient(self.uri).get_metric_history(run.info.run_id, name)]


def assert_like(resumed: Trained, undisturbed: Any) -> Any:
    """The last run has every step once, the same curve, and the cost of the whole training."""
    run = resumed.runs()[-1]
    assert run.info.status == "FINISHED"
    for name in ("loss", "learning_rate", "num_tokens", "tokens_per_second"):
        assert resumed.points(run, name) == list(range(1, 9)), name
    for name in ("tokens", "final_loss", "steps", "num_tokens"):
        assert run.data.metrics[name] == undisturbed.data.metrics[name], name
    metrics = run.data.metrics
    assert metrics["mean_tokens_per_second"] == pytest.approx(metrics["tokens"] / metrics["seconds"])
    from mlflow.tracking import MlflowClient

    history = MlflowClient(resumed.uri).get_metric_history
    assert all(point.value > 0 for point in history(run.info.run_id, "tokens_per_second"))
    return run


@pytest.fixture(scope="module")
def undisturbed(tiny_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    whole = Trained(tmp_path_factory.mktemp("whole") / "whole", tiny_policy)
    assert whole.run() == 0
    (run,) = whole.runs()
    assert run.info.status == "FINISHED"
    assert not {"proofline.resumed_from", "proofline.restarts", "proofline.continues"} & run.data.tags.keys()
    return run


def test_a_killed_stage_goes_on_in_its_run(tiny_policy: Path, tmp_path: Path, undisturbed: Any) -> None:
    """Steps 5 and 6 were logged before each of its deaths, and the checkpoint is of step 4: no point comes twice."""
    trained = Trained(tmp_path / "killed", tiny_policy)
    for _ in range(2):
        assert trained.run(6, 6, save_steps=4) == -9, "killed two steps after its checkpoint"
        (killed,) = trained.runs()
        assert killed.info.status == "FAILED"
        assert killed.data.tags["proofline.error"] == "the stage's process was killed"
        assert trained.points(killed, "loss") == list(range(1, 7))
    assert trained.run(save_steps=4) == 0
    (run,) = trained.runs()
    assert run.info.run_id == killed.info.run_id
    assert_like(trained, undisturbed)
    assert run.data.tags["proofline.resumed_from"] == "4"
    assert run.data.tags["proofline.restarts"] == "2"
    assert run.data.tags["proofline.interrupted"] == "the stage's process was killed"
    assert not {"proofline.error", "proofline.continues"} & run.data.tags.keys()


@pytest.mark.parametrize(
    ("kill_at", "save_steps", "resumed_from"),
    [((6, 7), 4, "4"), ((7,), 3, "6"), ((6,), 0, None)],
    ids=["after a checkpoint", "between logs", "without checkpoints"],
)
def test_processes_started_again_by_the_launcher_write_one_run(
    kill_at: tuple[int, ...],
    save_steps: int,
    resumed_from: str | None,
    tiny_policy: Path,
    tmp_path: Path,
    undisturbed: Any,
) -> None:  # fmt: skip
    trained = Trained(tmp_path / "launched", tiny_policy)
    launched = {"PROOFLINE_LAUNCHER": "accelerate", "PROOFLINE_PROCESSES": "1", "PROOFLINE_RESTARTS": "2"}
    assert trained.run(*kill_at, save_steps=save_steps, **launched) == 0
    (run,) = trained.runs()
    assert_like(trained, undisturbed)
    assert run.data.tags["proofline.restarts"] == str(len(kill_at))
    assert run.data.tags.get("proofline.resumed_from") == resumed_from
    assert "proofline.continues" not in run.data.tags
