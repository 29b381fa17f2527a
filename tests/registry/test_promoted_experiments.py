"""Experiments of DVC's end as versions that lead back to them, and are promoted by their name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from small_repository import SmallRepository, copied

from proofline.storage.weights import weights_hash

pytestmark = pytest.mark.slow(minutes=3)


@pytest.fixture(scope="module", params=[[], ["--temp"]], ids=["workspace", "temp"])
def swept(
    trained: SmallRepository, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> SmallRepository:
    """After `dvc exp run -n hot -S seed=12`, in the workspace or in a folder that is gone afterwards."""
    repository = copied(trained, tmp_path_factory.mktemp("swept"))
    changes = ["-S", "seed=12", "-S", "dpo.beta=0.2"]
    repository.run("dvc", "exp", "run", *request.param, "-n", "hot", *changes)
    return repository


def test_a_version_of_a_sweep_leads_back_to_its_experiment(swept: SmallRepository) -> None:
    version = swept.version("dpo")
    assert version.version == 2
    assert version.tags["proofline.seed"] == "12"
    assert version.tags["proofline.experiment"] == "hot"
    assert set(version.tags["proofline.edits"].split("; ")) == {"seed: 0 -> 12", "dpo.beta: 0.1 -> 0.2"}
    diff = Path(version.source.removeprefix("file://"), "params.diff").read_text()
    assert "+seed: 12" in diff
    lines = {re.split(r"  +", line)[0]: line for line in swept.registry("list").stdout.splitlines()}
    assert "12" in lines["proofline-dpo 2"]
    assert "hot; seed: 0 -> 12; dpo.beta: 0.1 -> 0.2" in lines["proofline-dpo 2"]
    assert "hot" not in lines["proofline-dpo 1"]
    assert "accuracy 72.0%" in lines["proofline-dpo 2"]


def test_an_experiment_is_promoted_by_its_name_with_its_own_reports(swept: SmallRepository) -> None:
    swept.run("git", "checkout", "-q", "--", ".")
    swept.run("dvc", "checkout", "-q")
    assert "models/dpo" in next(line for line in swept.registry("list").stdout.splitlines() if "dpo 1 " in line)
    assert "`--experiment hot`" in swept.refused("promote", "dpo", "--version", "2")
    before = sorted(path for path in swept.root.rglob("*") if "reports" in path.parts)
    assert swept.registry("promote", "dpo", "--experiment", "hot").stdout.startswith("version 2: +SFT+DPO beats base")
    assert swept.version("dpo", "champion").version == 2
    assert "+32.0 points" in swept.registry("history", "dpo").stdout
    assert sorted(path for path in swept.root.rglob("*") if "reports" in path.parts) == before
    assert swept.registry("promote", "dpo", "--experiment", "HEAD").stdout.startswith("version 1: ")


def test_two_experiments_of_a_queue_register_side_by_side_in_one_store(repository: SmallRepository) -> None:
    repository.run("dvc", "exp", "run", "--queue", "-S", "seed=range(1,3)", "train_dpo")
    repository.run("dvc", "exp", "run", "--run-all", "-j", "2")
    assert repository.run("dvc", "queue", "status").stdout.count("Success") == 2
    client = repository.client()
    found = client.search_model_versions("name = 'proofline-dpo'")
    seeds = {version.tags["proofline.seed"]: version for version in found}
    assert seeds.keys() == {"0", "1", "2"}
    stored = [weights_hash(Path(version.source.removeprefix("file://"), "model")) for version in found]
    assert stored == [version.tags["proofline.weights"] for version in found]
    shown = repository.run("dvc", "exp", "list", "--name-only").stdout.split()
    assert {seeds[seed].tags["proofline.experiment"] for seed in ("1", "2")} == set(shown)
    runs = [client.get_run(seeds[seed].run_id) for seed in ("1", "2")]
    assert {(run.info.status, run.data.params["seed"]) for run in runs} == {("FINISHED", "1"), ("FINISHED", "2")}


def test_an_experiment_that_is_not_there_is_named(repository: SmallRepository) -> None:
    assert "no reports of 'cold'" in repository.refused("promote", "dpo", "--experiment", "cold")
    beginning = repository.run("git", "rev-list", "--max-parents=0", "HEAD").stdout.strip()
    assert "no reports of" in repository.refused("promote", "dpo", "--experiment", beginning)


def test_the_page_of_a_version_has_its_card_and_its_evaluation(repository: SmallRepository) -> None:
    client, version = repository.client(), repository.version("genrm")
    assert version.description.startswith("# proofline-genrm"), "without the front matter of a hub"
    (model,) = [
        model
        for model in client.search_logged_models([client.get_experiment_by_name("proofline").experiment_id])
        if model.model_id in version.source
    ]
    metrics = {metric.key: metric.value for metric in model.metrics}
    expected = {"loss": 0.5, "accuracy": 0.62, "pass_at_8": 0.9, "over_base.difference": 0.22}
    assert metrics == expected | {"verifier.auroc_within_layout": 0.8}
    assert '"proofline-genrm"' in model.tags["mlflow.modelVersions"]
    assert len(version.tags) <= 6
    assert client.get_registered_model("proofline-genrm").description


def test_what_a_stage_writes_does_not_depend_on_the_registry(repository: SmallRepository) -> None:
    lock = (repository.root / "dvc.lock").read_text()
    repository.variables["PROOFLINE_TRACKING_URI"] = f"sqlite:///{repository.root}/other.db"
    repository.run("dvc", "repro", "-f", "-s", "train_dpo", "report")
    assert (repository.root / "dvc.lock").read_text() == lock
