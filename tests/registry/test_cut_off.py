"""A registration that is killed on its way is told, and cleared up or concluded by the next one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forked
import pytest
from forked import Altered
from small_repository import SmallRepository, clean_environment

from proofline.registry import unfinished
from proofline.registry.unfinished import MAKER, cut_off, maker, settle

pytestmark = pytest.mark.slow


def dies(step: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments, **options: os.kill(os.getpid(), signal.SIGKILL)


STEPS = {
    "its run is begun": ("proofline.registry.register", "_log_model"),
    "half its files are stored": ("proofline.registry.files", "write_package"),
    "all its files are stored": ("proofline.registry.register", "create_model"),
    "its version is there": ("proofline.registry.register", "conclude"),
}


@pytest.fixture
def elsewhere(repository: SmallRepository, tmp_path: Path) -> SmallRepository:
    """With a store that has no version yet, and no run of the training."""
    repository.variables["PROOFLINE_TRACKING_URI"] = f"sqlite:///{tmp_path}/other.db"
    return repository


def logged_models(client: Any) -> list[Any]:
    found: list[Any] = client.search_logged_models([client.get_experiment_by_name("proofline").experiment_id])
    return found


def left(repository: SmallRepository) -> tuple[list[str], list[str], int]:
    """The states of the logged models and of the runs, and how many weights are stored for them."""
    client = repository.client()
    models = logged_models(client)
    runs = client.search_runs([client.get_experiment_by_name("proofline").experiment_id])
    folders = {model.artifact_location.rpartition("/models/")[2].partition("/")[0] for model in models}
    stored = [path for path in (repository.root / "mlartifacts").rglob("*.safetensors") if folders & set(path.parts)]
    return [str(model.status) for model in models], [run.info.status for run in runs], len(stored)


def kill(repository: SmallRepository, after: str) -> None:
    environment = clean_environment(repository.root, **repository.variables)
    killed = forked.command(["registry", "register", "dpo"], repository.root, environment, Altered(*STEPS[after], dies))
    assert killed.returncode == -signal.SIGKILL, killed.stderr


def test_killed_again_and_again_it_leaves_nothing(elsewhere: SmallRepository) -> None:
    before = len(elsewhere.stored_weights())
    for after in ("its run is begun", "half its files are stored", "all its files are stored"):
        kill(elsewhere, after)
    told = elsewhere.registry("verify").stdout
    assert told.count("was cut off; the next `proofline registry register dpo` clears up") == 1, told
    done = elsewhere.registry("register", "dpo")
    assert done.stdout == "models/dpo is version 1, the candidate\n"
    assert "was cut off: what it left is taken away" in done.stderr
    assert left(elsewhere) == (["READY"], ["FINISHED"], 1)
    assert len(elsewhere.stored_weights()) == before + 1
    assert not cut_off(elsewhere.client(), "dpo")


def test_killed_when_its_version_is_there_it_is_concluded(elsewhere: SmallRepository) -> None:
    kill(elsewhere, "its version is there")
    done = elsewhere.registry("register", "dpo")
    assert done.stdout == "models/dpo is version 1, the candidate\n"
    assert "was cut off: it is version 1" in done.stderr
    assert left(elsewhere) == (["READY"], ["FINISHED"], 1)
    (model,) = logged_models(elsewhere.client())
    assert '"version": 1' in model.tags["mlflow.modelVersions"]
    assert "proofline.registering" not in model.tags


def test_one_that_goes_on_is_left_alone(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client, experiment_id = store
    machine, number, start = maker().rsplit(" ", 2)
    makers = {
        "goes on": maker(),
        "had its number before": f"{machine} {number} {float(start) - 60}",
        "on another machine": f"elsewhere {number} {start}",
    }
    for doing, named in makers.items():
        client.create_logged_model(experiment_id, "proofline-dpo", tags={MAKER: named, "doing": doing})

    def here() -> set[str]:
        return {model.tags["doing"] for model in logged_models(client)}

    settle(client, "sft")
    assert here() == set(makers)
    settle(client, "dpo")
    assert here() == {"goes on", "on another machine"}
    monkeypatch.setattr(unfinished, "PATIENCE_SECONDS", 0.0)
    settle(client, "dpo")
    assert here() == {"goes on"}
