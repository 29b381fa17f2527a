"""A repository is moved, copied, or loses its artifacts: versions are found, or it says so and stores them again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from small_repository import SmallRepository

pytestmark = pytest.mark.slow(minutes=2)


@pytest.fixture
def moved(repository: SmallRepository, tmp_path: Path) -> SmallRepository:
    """It lies elsewhere now, in a folder with blanks and umlauts; where it lay there is nothing."""
    other = tmp_path / "größere Platte" / "repository"
    other.parent.mkdir()
    return SmallRepository(Path(shutil.move(repository.root, other)))


def test_in_a_moved_repository_versions_are_found_and_new_ones_stay_inside(
    moved: SmallRepository, tmp_path: Path
) -> None:
    said = moved.registry("promote", "dpo")
    assert "this repository is elsewhere now" in said.stderr
    assert "version 1 is the first one" in moved.refused("rollback", "dpo")
    assert moved.loads("models:/proofline-dpo@champion").returncode == 0
    moved.run("dvc", "exp", "run", "-S", "dpo.learning_rate=0.1", "train_dpo")
    assert int(moved.version("dpo").version) == 2
    assert moved.loads("models:/proofline-dpo@candidate").returncode == 0
    assert not (tmp_path / "repository").exists(), "the old place was made again"
    runs = moved.client().search_runs([moved.client().get_experiment_by_name("proofline").experiment_id])
    assert all(str(tmp_path / "repository") not in run.info.artifact_uri for run in runs)


def test_a_copy_keeps_to_itself(trained: SmallRepository, tmp_path: Path) -> None:
    copy = SmallRepository(Path(shutil.copytree(trained.root, tmp_path / "copy", symlinks=True)))
    before = trained.stored_weights()
    copy.run("dvc", "exp", "run", "-S", "dpo.learning_rate=0.1", "train_dpo")
    assert len(copy.stored_weights()) == len(before) + 1
    assert trained.stored_weights() == before
    sources = {version.source for version in copy.client().search_model_versions()}
    assert not [source for source in sources if str(trained.root) in source]


def test_lost_artifacts_are_seen_and_stored_again(repository: SmallRepository) -> None:
    shutil.rmtree(repository.root / "mlartifacts")
    assert "2 of 2 versions do not hold" in repository.refused("verify")
    assert "version 1 stays out: its files are lost" in repository.refused("promote", "dpo")
    assert "champion" not in repository.registry("list").stdout
    said = repository.registry("register", "dpo")
    assert "version 1 of proofline-dpo is stored again: its files are lost" in said.stderr
    assert repository.registry("promote", "dpo").returncode == 0
    assert repository.loads("models:/proofline-dpo@champion").returncode == 0
    checked = repository.registry("verify", check=False)
    assert "proofline-dpo 1: loads, with the weights it was registered with" in checked.stdout
    assert "proofline-genrm 1: its files are lost" in checked.stdout


def test_a_moved_repository_without_its_artifacts_stores_them_in_the_new_place(
    moved: SmallRepository, tmp_path: Path
) -> None:
    shutil.rmtree(moved.root / "mlartifacts")
    moved.registry("register", "dpo")
    assert moved.loads("models:/proofline-dpo@candidate").returncode == 0
    assert not (tmp_path / "repository").exists()


def test_deleted_logged_models_and_runs_do_not_stand_in_the_way(repository: SmallRepository) -> None:
    """What is deleted in the UI beside the version; then its files go."""
    client, version = repository.client(), repository.version("dpo")
    client.delete_logged_model(version.source.split("/")[-2])
    client.delete_run(version.run_id)
    shutil.rmtree(repository.root / "mlartifacts")
    repository.registry("register", "dpo")
    assert repository.loads("models:/proofline-dpo@candidate").returncode == 0
    assert "proofline-dpo 1" in repository.registry("list").stdout
