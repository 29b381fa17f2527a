"""Repositories and stores as a person has them: every command a process of its own, without this one's variables."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import forked


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

    def proofline(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = forked.command(command, self.root, clean_environment())
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

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
