"""SIGTERM in a stage of several processes: one checkpoint, an end that DVC reports, and a second start that goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from checkout import PATIENCE_SECONDS
from training_rows import Recorded, training

from proofline.storage.weights import weights_hash
from proofline.training.execution import Execution

sys.path.append(str(Path(__file__).parents[1] / "tracking"))
from live_repository import clean_environment, stored_runs

pytestmark = pytest.mark.slow(minutes=3)

STAGE = """
import sys, threading, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from training_rows import training
from proofline.config import load_environment
from proofline.launch import launch
from proofline.tracking import track
from proofline.tracking.spool import Spool
from proofline.training.execution import Execution

HERE = Path({here!r})
log_metrics = Spool.log_metrics

def wait_at_three(self, metrics, step=None):
    from proofline.tracking.ending import NOTICED  # of this process
    log_metrics(self, metrics, step)
    if step != 3 or (HERE / "signalled").exists():
        return
    (HERE / "at three").touch()
    while not (HERE / "signalled").exists():
        time.sleep(0.01)
    if threading.current_thread() is not threading.main_thread():  # in a worker of Ray
        NOTICED.wait()

Spool.log_metrics = wait_at_three

def train(run):
    Spool.log_metrics = wait_at_three  # in a worker this file was not run
    execution = Execution(threads=1, micro_batch=4, checkpoints=HERE / "checkpoints")
    return training("sft", Path({policy!r}), epochs=6.0)(0, HERE / "sft", run, execution=execution)

if __name__ == "__main__":
    with track("train_sft", sections={{"seed": 0}}) as run:
        run.log_metrics(launch(train, run, load_environment()))
"""
GRAPH = "stages:\n  train_sft:\n    cmd: python stage.py\n    deps: [stage.py]\n    outs: [sft]\n"


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not so within {PATIENCE_SECONDS:g} s"
        time.sleep(0.02)


def curve(root: Path) -> list[tuple[int, float]]:
    from mlflow.tracking import MlflowClient

    uri = f"sqlite:///{root}/mlflow.db"
    (run,) = stored_runs(uri)
    return [(point.step, point.value) for point in MlflowClient(uri).get_metric_history(run.info.run_id, "loss")]


@pytest.fixture(scope="module")
def undisturbed(tiny_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[tuple[int, float]]]:
    """Weights and losses of one process that nobody disturbs, which are those of two without ZeRO."""
    out_dir, run = tmp_path_factory.mktemp("undisturbed") / "sft", Recorded()
    training("sft", tiny_policy, epochs=6.0)(0, out_dir, run, execution=Execution(threads=1, micro_batch=4))
    return weights_hash(out_dir), [(step, point["loss"]) for step, point in run.curves if step and "loss" in point]


@pytest.mark.parametrize("launcher", ["accelerate", "ray"])
def test_sigterm_keeps_a_step_and_dvc_goes_on_in_the_same_run(
    launcher: str, tiny_policy: Path, tmp_path: Path, undisturbed: tuple[str, list[tuple[int, float]]]
) -> None:
    """As a supervisor does it, to every process of the stage, and a second time; a worker of Ray gets none.

    What goes on is one process, which starts faster.
    """
    tests = str(Path(__file__).parents[1] / "training")
    (tmp_path / "stage.py").write_text(STAGE.format(tests=tests, here=str(tmp_path), policy=str(tiny_policy)))
    (tmp_path / "dvc.yaml").write_text(GRAPH)
    environment = clean_environment(
        PROOFLINE_TRACKING_URI=f"sqlite:///{tmp_path}/mlflow.db", PROOFLINE_LAUNCHER=launcher, PROOFLINE_THREADS="1",
        PROOFLINE_PROCESSES="2", PROOFLINE_RESTARTS="2", DVC_NO_ANALYTICS="1",
    )  # fmt: skip
    environment["PYTHONPATH"] = os.pathsep.join([tests, environment["PYTHONPATH"]])
    subprocess.run(["dvc", "init", "-q", "--no-scm"], cwd=tmp_path, env=environment, check=True)

    dvc = subprocess.Popen(
        ["dvc", "repro"], cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    wait_until(lambda: (tmp_path / "at three").exists() or dvc.poll() is not None)
    (stage,) = (one for one in psutil.Process(dvc.pid).children(recursive=True) if one.cmdline()[-1:] == ["stage.py"])
    told = [stage] if launcher == "ray" else [stage, *stage.children(recursive=True)]
    for _ in range(2):
        for process in told:
            process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
    (tmp_path / "signalled").touch()
    said, _ = dvc.communicate(timeout=PATIENCE_SECONDS)
    assert dvc.returncode != 0
    assert "exited with 143" in said
    assert "train_sft: interrupted (SIGTERM)" in said
    (manifest,) = tmp_path.glob("checkpoints/*/*/*/manifest.json")
    kept = int(manifest.parent.name.removeprefix("step-"))
    assert 3 <= kept < 24
    (interrupted,) = stored_runs(f"sqlite:///{tmp_path}/mlflow.db")
    assert interrupted.info.status == "FAILED"

    environment |= {"PROOFLINE_LAUNCHER": "local", "PROOFLINE_PROCESSES": "1"}
    subprocess.run(["dvc", "repro"], cwd=tmp_path, env=environment, check=True, timeout=PATIENCE_SECONDS)
    weights, losses = undisturbed
    assert weights_hash(tmp_path / "sft") == weights
    (run,) = stored_runs(f"sqlite:///{tmp_path}/mlflow.db")
    assert (run.info.run_id, run.info.status) == (interrupted.info.run_id, "FINISHED")
    assert run.data.tags["proofline.resumed_from"] == str(kept)
    assert run.data.tags["proofline.interrupted"] == "Terminated: SIGTERM"
    assert (run.data.params["execution.launcher"], run.data.tags["resumed.execution.launcher"]) == (launcher, "local")
    assert curve(tmp_path) == losses
