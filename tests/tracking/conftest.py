"""A DVC repository with three small stages, run for real: `write`, and `count@a`, `count@b` that read what it wrote."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_repository import Repository
from live_server import Server
from shared import made_once

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


@pytest.fixture(scope="session")
def reproduced(request: pytest.FixtureRequest) -> Repository:
    """The repository after its first `dvc repro`, on a store that did not exist. Not to be changed: take a copy."""
    root = made_once(request, "reproduced-tracking", reproduce)
    return Repository(root, f"sqlite:///{root}/mlflow.db")


@pytest.fixture
def repository(reproduced: Repository, tmp_path: Path) -> Repository:
    """A copy of it with its store, free to be changed."""
    root = tmp_path / "repository"
    shutil.copytree(reproduced.root, root, symlinks=True)
    return Repository(root, f"sqlite:///{root}/mlflow.db")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """An MLflow server of one test's own, which may kill it."""
    (tmp_path / "server").mkdir()
    server = Server(tmp_path / "server")
    yield server
    server.kill()


def reproduce(root: Path) -> None:
    repository = Repository(root, f"sqlite:///{root}/mlflow.db")
    (root / "source").mkdir(parents=True)
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
