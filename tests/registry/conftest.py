"""Stores and repositories; none of them is the one that MLflow takes by default in this process."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from shared import empty_database, made_once
from small_repository import SmallRepository, commit, copied, make_repository

from proofline.registry.store import open_registry


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(client, experiment id) of an empty SQLite store that the environment points to."""
    root = tmp_path_factory.mktemp("store")
    (root / "mlflow.db").write_bytes(empty_database())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROOFLINE_TRACKING_URI", f"sqlite:///{root}/mlflow.db")
        patch.setenv("DVC_ROOT", str(root))
        patch.chdir(root)
        yield open_registry()


@pytest.fixture
def named(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's own functions are told of the store, as a person would tell them."""
    client, _ = store
    monkeypatch.setenv("MLFLOW_TRACKING_URI", client.tracking_uri)


@pytest.fixture(scope="session")
def trained(request: pytest.FixtureRequest) -> SmallRepository:
    """A repository after its first `dvc repro`, committed. Not to be changed: take `repository`."""

    def make(folder: Path) -> None:
        made = make_repository(folder / "repository", request.getfixturevalue("tiny_policy"))
        made.run("dvc", "repro")
        commit(made, "first results")

    return SmallRepository(made_once(request, "trained", make) / "repository")


@pytest.fixture
def repository(trained: SmallRepository, tmp_path: Path) -> SmallRepository:
    """A copy of it, to be changed."""
    return copied(trained, tmp_path)


@pytest.fixture(scope="session")
def shifted(tiny_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[float], Path]:
    """The tiny policy with other weights: as many different ones as are asked for."""
    from safetensors.torch import load_file, save_file

    def make(shift: float) -> Path:
        folder = Path(shutil.copytree(tiny_policy, tmp_path_factory.mktemp("shifted") / "policy"))
        weights = {name: tensor + shift for name, tensor in load_file(folder / "model.safetensors").items()}
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
        return folder

    return make
