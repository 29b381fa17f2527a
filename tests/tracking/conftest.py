"""A DVC repository with three small stages, run for real: `write`, and `count@a`, `count@b` that read what it wrote."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

STAGE = """
import json, os, sys, time
from pathlib import Path
from proofline.tracking import track

policy = sys.argv[1] if len(sys.argv) > 1 else None
with track("count" if policy else "write", policy=policy, sections={"seed": 7, "sft": {"rate": 1e-5}}) as run:
    Path("out").mkdir(exist_ok=True)
    if policy is None:
        Path("out/rows").mkdir()
        Path("out/rows/one.txt").write_text("1\\n")
    else:
        for step in range(3):
            run.log_metrics({"loss": 1 / (step + 1), "nested": {"pass@8": 0.5}}, step=step)
        Path(f"out/{policy}.txt").write_text(policy)
"""
GRAPH = """
stages:
  write:
    cmd: python stage.py
    deps: [source, stage.py]
    params: [seed]
    outs: [out/rows]
  count:
    matrix: {policy: [a, b]}
    cmd: python stage.py ${item.policy}
    deps: [out/rows, stage.py]
    params: [seed, sft]
    outs: ["out/${item.policy}.txt"]
"""


@dataclass
class Repository:
    """A repository and the commands a person would give in it."""

    root: Path
    uri: str

    def run(self, *command: str, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.root, env=clean_environment(**variables), capture_output=True, text=True, check=check,
            timeout=600,
        )  # fmt: skip

    def runs(self) -> list[Any]:
        return stored_runs(self.uri)


def clean_environment(**variables: str) -> dict[str, str]:
    """This process's variables without what DVC or a user set, and with this Python's commands first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "PROOFLINE_", "MLFLOW_"))}
    kept["PATH"] = f"{Path(sys.executable).parent}:{kept['PATH']}"
    return kept | {"OMP_NUM_THREADS": "1", "DVC_NO_ANALYTICS": "1"} | variables


def stored_runs(uri: str) -> list[Any]:
    """All runs in a store, oldest first."""
    from proofline.tracking.mlflow_run import EXPERIMENT, quiet_mlflow

    quiet_mlflow()
    from mlflow.tracking import MlflowClient

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    return client.search_runs([experiment.experiment_id], order_by=["start_time"]) if experiment else []


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The repository after its first `dvc repro`, on a store that did not exist."""
    root = tmp_path_factory.mktemp("reproduced")
    repository = Repository(root, f"sqlite:///{root}/mlflow.db")
    (root / "source").mkdir()
    (root / "source" / "problems.txt").write_text("2 + 2\n")
    (root / "stage.py").write_text(STAGE)
    (root / "dvc.yaml").write_text(GRAPH)
    (root / "params.yaml").write_text("seed: 7\nsft:\n  rate: 1e-5\n  layers: [1, 2]\n")
    repository.run("git", "init", "-q")
    repository.run("dvc", "init", "-q")
    (root / ".gitignore").write_text("/.tracking/\n/mlflow.db\n/mlartifacts/\n/out/\n")
    repository.run("git", "add", ".")
    repository.run("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "start")
    repository.run("dvc", "repro")
    return repository
