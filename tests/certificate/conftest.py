"""One reproduced repository for the session, and what `certify` made of it on three kinds of processor."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from small_graph import LUCKY, SAME, Repository, make_repository


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Nobody changes this one."""
    return make_repository(tmp_path_factory.mktemp("reproduced") / "an experiment")


@pytest.fixture
def repository(reproduced: Repository, tmp_path: Path) -> Repository:
    """A copy with its cache and its results and no runs yet, to be changed."""
    left = shutil.ignore_patterns("mlflow.db*", "mlartifacts")
    shutil.copytree(reproduced.root, tmp_path / "copy", symlinks=True, ignore=left)
    return Repository(tmp_path / "copy")


@pytest.fixture(scope="session")
def clones(reproduced: Repository, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders in which the commit was run again: `identical`, `same`, `lucky`, `broken` (other answers of the same
    weights); the certificate of each lies beside it."""
    folder = tmp_path_factory.mktemp("clones")
    kinds = {"identical": {}, "same": SAME, "lucky": LUCKY, "broken": {"LUCK": "3,4,5"}}
    for name, variables in kinds.items():
        keep, output = str(folder / name), str(folder / f"{name}.json")
        reproduced.proofline("certify", "--keep", keep, "--output", output, check=name != "broken", **variables)
    return {name: folder / name for name in kinds}
