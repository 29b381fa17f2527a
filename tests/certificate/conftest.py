"""One reproduced repository for all workers, and what `certify` made of it on three kinds of processor."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from shared import made_once
from small_graph import LUCKY, SAME, Repository, make_repository


@pytest.fixture(scope="session")
def untouched(request: pytest.FixtureRequest) -> Path:
    """Nobody works in this one."""
    folder = made_once(request, "reproduced-certificate", lambda folder: make_repository(folder / "an experiment"))
    return folder / "an experiment"


@pytest.fixture(scope="session")
def reproduced(untouched: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Nobody changes this one."""
    root = tmp_path_factory.mktemp("reproduced") / untouched.name
    return Repository(Path(shutil.copytree(untouched, root, symlinks=True)))


@pytest.fixture
def repository(reproduced: Repository, tmp_path: Path) -> Repository:
    """A copy with its cache and its results and no runs yet, to be changed."""
    left = shutil.ignore_patterns("mlflow.db*", "mlartifacts")
    shutil.copytree(reproduced.root, tmp_path / "copy", symlinks=True, ignore=left)
    return Repository(tmp_path / "copy")


@pytest.fixture(scope="session")
def run_again(untouched: Path, request: pytest.FixtureRequest) -> Repository:
    """The repository whose commit was run again into `clones`; its store has those runs."""

    def make(folder: Path) -> None:
        repository = Repository(Path(shutil.copytree(untouched, folder / untouched.name, symlinks=True)))
        kinds = {"identical": {}, "same": SAME, "lucky": LUCKY, "broken": {"LUCK": "3,4,5"}}
        for name, variables in kinds.items():
            keep, output = str(folder / name), str(folder / f"{name}.json")
            repository.proofline("certify", "--keep", keep, "--output", output, check=name != "broken", **variables)

    return Repository(made_once(request, "certified", make) / untouched.name)


@pytest.fixture(scope="session")
def clones(run_again: Repository) -> dict[str, Path]:
    """Folders in which the commit was run again: `identical`, `same`, `lucky`, `broken` (other answers of the same
    weights); the certificate of each lies beside it."""
    return {name: run_again.root.parent / name for name in ("identical", "same", "lucky", "broken")}
