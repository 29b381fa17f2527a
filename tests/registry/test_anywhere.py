"""From a subfolder, from a clone with weights from a remote, with any store; and a sentence where it cannot be."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_repository import SmallRepository, clean_environment, free_port, mlflow_server

pytestmark = pytest.mark.slow(minutes=2)


@pytest.fixture(scope="module")
def pulled(trained: SmallRepository, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone after `dvc pull`, without a store; nobody leaves anything in it."""
    folder = tmp_path_factory.mktemp("pulled") / "clone"
    remote = folder.with_name("remote")
    shutil.copytree(trained.root / ".dvc" / "cache", remote)
    subprocess.run(["git", "clone", "-q", str(trained.root), str(folder)], check=True)
    clone = SmallRepository(folder)
    clone.run("dvc", "remote", "add", "-d", "store", str(remote))
    clone.run("dvc", "pull", check=False)
    assert (folder / "models" / "dpo" / "model.safetensors").exists()
    return folder


@pytest.fixture
def clone(pulled: Path) -> SmallRepository:
    """In the hands of somebody who has set nothing yet."""
    return SmallRepository(pulled)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    with mlflow_server(tmp_path / "server") as uri:
        yield uri


def test_a_clone_registers_from_a_subfolder_in_a_database_that_is_elsewhere(
    clone: SmallRepository, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    clone.variables["PROOFLINE_TRACKING_URI"] = f"sqlite:///{tmp_path}/elsewhere/other.db"
    assert clone.registry("register", "dpo", folder="docs").stdout == "models/dpo is version 1, the candidate\n"
    assert clone.loads("models:/proofline-dpo@candidate").returncode == 0
    assert not list(clone.root.rglob("mlflow.db"))


def test_a_clone_registers_lists_and_promotes_from_a_subfolder(clone: SmallRepository, server: str) -> None:
    clone.variables["PROOFLINE_TRACKING_URI"] = server
    assert clone.registry("register", "dpo", folder="docs").stdout == "models/dpo is version 1, the candidate\n"
    assert clone.registry("register", "dpo").stdout == "models/dpo is version 1, the candidate\n"
    clone.registry("promote", "dpo", folder="docs")
    listed = clone.registry("list", folder="docs").stdout
    assert "candidate, champion" in listed
    assert "models/dpo" in listed
    assert "accuracy 60.0%" in listed, "the card and the metrics lie in the clone, too"
    assert clone.registry("verify", folder="docs").returncode == 0
    assert clone.loads("models:/proofline-dpo@champion").returncode == 0
    version = clone.version("dpo", "champion")
    assert version.tags["proofline.seed"] == "0"
    assert version.description.startswith("# proofline-dpo")
    assert not list(clone.root.rglob("mlflow.db"))
    changed = clone.run("git", "status", "--porcelain", "--untracked-files=all").stdout.split()
    assert set(changed) <= {"M", ".dvc/config"}, "nothing is left in the tree"


def test_weights_that_are_not_the_locks_are_attributed_to_nobody(repository: SmallRepository) -> None:
    """Weights trained by hand over the ones in `dvc.lock`: no seed, no run that did not make them."""
    from safetensors.torch import load_file, save_file

    path = repository.root / "models" / "dpo" / "model.safetensors"
    weights = {name: tensor + 1 for name, tensor in load_file(path).items()}
    path.unlink()
    save_file(weights, path, {"format": "pt"})
    repository.registry("register", "dpo")
    version, first = repository.version("dpo"), repository.client().get_model_version("proofline-dpo", "1")
    assert version.version == 2
    assert "proofline.seed" not in version.tags
    assert version.run_id != first.run_id
    assert not version.description, "the report is about other weights"


def test_the_seed_of_a_version_is_the_one_that_trained_it(repository: SmallRepository, tmp_path: Path) -> None:
    """Not the one that stands in `params.yaml` by now."""
    repository.variables["PROOFLINE_TRACKING_URI"] = f"sqlite:///{tmp_path}/other.db"
    params = repository.root / "params.yaml"
    params.write_text(params.read_text().replace("\nseed: 0", "\nseed: 7"))
    repository.registry("register", "dpo")
    assert repository.version("dpo").tags["proofline.seed"] == "0"


ACTIONS = (["list"], ["verify"], ["history", "dpo"], ["promote", "dpo"], ["rollback", "dpo"], ["register", "dpo"])


@pytest.mark.parametrize("action", ACTIONS, ids=" ".join)
def test_an_empty_folder_is_no_repository_and_stays_empty(tmp_path: Path, action: list[str]) -> None:
    said = SmallRepository(tmp_path).refused(*action)
    assert "no dvc.yaml here or above" in said or "no *.safetensors here" in said
    assert len(said.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("action", ACTIONS[:-1], ids=" ".join)
def test_reading_a_store_that_does_not_exist_makes_none(tmp_path: Path, action: list[str]) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    assert "nothing has been registered here; run `dvc repro`" in SmallRepository(tmp_path).refused(*action)
    assert [path.name for path in tmp_path.iterdir()] == ["dvc.yaml"]


@pytest.mark.parametrize("action", ACTIONS, ids=" ".join)
def test_a_dead_server_is_one_sentence(repository: SmallRepository, action: list[str]) -> None:
    repository.variables["PROOFLINE_TRACKING_URI"] = f"http://127.0.0.1:{free_port()}"
    said = repository.refused(*action)
    assert "does not answer" in said
    assert len(said.splitlines()) == 1


def test_a_server_that_is_not_mlflow_is_one_sentence(repository: SmallRepository, tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "health").write_text("OK")
    port = free_port()
    command = ["python", "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(tmp_path / "pages")]
    pages = subprocess.Popen(command, env=clean_environment(None), stderr=subprocess.DEVNULL)
    try:
        repository.variables["PROOFLINE_TRACKING_URI"] = f"http://127.0.0.1:{port}"
        said = repository.refused("list")
        assert len(said.splitlines()) == 1
    finally:
        pages.terminate()
        pages.wait()


@pytest.mark.parametrize("content", [b"", b"not a database at all, but a text\n" * 100])
def test_a_broken_database_is_one_sentence(repository: SmallRepository, content: bytes) -> None:
    (repository.root / "mlflow.db").write_bytes(content)
    done = repository.registry("list", check=False)
    assert "Traceback" not in done.stderr
    assert "no versions" in done.stdout if not content else "file is not a database" in done.stderr


def test_a_damaged_report_costs_the_card_only(repository: SmallRepository) -> None:
    (repository.root / "reports" / "metrics.json").unlink()
    (repository.root / "reports" / "metrics.json").write_text("{}")
    done = repository.registry("register", "dpo")
    assert done.stdout == "models/dpo is version 1, the candidate\n"
    assert "no card and no metrics yet" in done.stderr


def test_versions_made_by_hand_are_listed_and_verified(repository: SmallRepository) -> None:
    client = repository.client()
    client.create_registered_model("proofline-sft")
    client.create_model_version("proofline-sft", f"file://{repository.root}/nowhere")
    client.create_model_version("proofline-dpo", repository.version("dpo").source)
    listed = repository.registry("list").stdout
    assert "proofline-sft 1" in listed
    assert "proofline-dpo 2" in listed
    checked = repository.registry("verify", check=False)
    assert "proofline-sft 1: its files are lost" in checked.stdout
    assert "proofline-dpo 2: loads" in checked.stdout
    assert "made by hand" in repository.refused("promote", "dpo", "--version", "2")
    assert "has no candidate" in repository.refused("promote", "sft")
