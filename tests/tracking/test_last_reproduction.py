"""The runs behind `dvc.lock`, and `proofline ui` on them: a real repository, a real server."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from checkout import PATIENCE_SECONDS
from live_repository import Repository, clean_environment

from proofline.tracking.lineage import LineageError
from proofline.tracking.mlflow_run import open_experiment
from proofline.tracking.reproduction import Reproduction, runs_of_last_reproduction, tag_reproduction
from proofline.tracking.ui import addresses

pytestmark = pytest.mark.slow


def last(repository: Repository) -> tuple[Any, Reproduction]:
    client, experiment_id = open_experiment(repository.uri, repository.root / "mlartifacts")
    return client, runs_of_last_reproduction(client, experiment_id, repository.root)


def test_every_stage_leads_to_the_run_that_computed_it(repository: Repository) -> None:
    _, reproduction = last(repository)
    assert reproduction.run_ids == [run.info.run_id for run in repository.runs()]
    assert reproduction.summary == "3 stages: 3 run by the last command, 0 reused from earlier runs"


def test_stages_that_did_not_run_again_are_reused(repository: Repository) -> None:
    recipe = repository.root / "params.yaml"
    recipe.write_text(recipe.read_text().replace("1e-5", "2e-5"))
    repository.run("dvc", "repro")
    _, changed = last(repository)
    assert changed.summary == "3 stages: 2 run by the last command, 1 reused from earlier runs"
    newest = repository.runs()[-1]
    assert newest.data.tags["proofline.dirty"] == "true"
    diff = Path(urlsplit(newest.info.artifact_uri).path) / "params.diff"
    assert "-  rate: 1e-5\n+  rate: 2e-5" in diff.read_text()

    recipe.write_text(recipe.read_text().replace("2e-5", "1e-5"))
    repository.run("dvc", "repro")
    assert len(repository.runs()) == 5, "DVC restored both stages from its cache, so there is no sixth run"
    _, restored = last(repository)
    assert restored.run_ids == [run.info.run_id for run in repository.runs()[:3]], "the runs that filled the cache"
    assert restored.id != changed.id


def test_an_experiment_in_a_copy_of_the_repository_is_recorded_in_the_one_store(repository: Repository) -> None:
    repository.run("dvc", "exp", "run", "--temp", "--name", "faster", "-S", "sft.rate=3e-5")
    runs = [run for run in repository.runs() if run.data.tags.get("proofline.experiment") == "faster"]
    assert [run.info.run_name for run in runs] == ["count@a", "count@b"]
    commit = repository.run("git", "rev-parse", "HEAD").stdout.strip()
    for run in runs:
        assert run.data.tags["proofline.baseline"] == commit
        assert {used.dataset.name for used in run.inputs.dataset_inputs} > {"out/rows"}, "inputs are those of the copy"
    assert last(repository)[1].summary.startswith("3 stages: 3 run"), "the repository's own results are as they were"


def test_a_stage_whose_run_is_elsewhere_is_reported_as_restored(repository: Repository) -> None:
    client, complete = last(repository)
    client.delete_run(complete.run_ids[0])
    _, reproduction = last(repository)
    assert reproduction.stages[-1].stage == "write"
    assert reproduction.stages[-1].run_id is None
    assert reproduction.summary.endswith("1 restored from a cache, without a run here (write)")
    assert reproduction.id == complete.id, "the results are the same"


def test_a_failed_run_computed_nothing(repository: Repository) -> None:
    client, complete = last(repository)
    client.set_terminated(complete.run_ids[0], "FAILED")
    assert last(repository)[1].stages[-1].run_id is None


def test_nothing_reproduced_is_said_in_words(repository: Repository) -> None:
    (repository.root / "dvc.lock").unlink()
    with pytest.raises(LineageError, match=r"dvc\.lock is absent: .* run `dvc repro` first"):
        last(repository)


def test_the_pages_find_the_runs_they_promise(repository: Repository) -> None:
    client, reproduction = last(repository)
    tag_reproduction(client, reproduction)
    pages = addresses("http://server", "1", reproduction)
    query = parse_qs(urlsplit(pages["runs"].replace("#", "")).query)
    assert query["workflowType"] == ["machine_learning"]
    found = client.search_runs(["1"], query["searchFilter"][0], order_by=["start_time"])
    assert [run.info.run_id for run in found] == reproduction.run_ids
    curves = parse_qs(urlsplit(pages["training"].replace("#", "")).query)
    assert client.search_runs(["1"], curves["searchFilter"][0]) == [], "no stage here is called train_…"


def test_the_ui_serves_the_runs_and_leaves_no_process_behind(repository: Repository) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ui = subprocess.Popen(
        ["proofline", "ui", "--port", str(port)], cwd=repository.root, env=clean_environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert ui.stdout is not None
        assert ui.stdout.readline().startswith("3 stages: 3 run by the last command"), ui.communicate()[1]
        page = ui.stdout.readline().split()[1]
        assert page.startswith(f"http://127.0.0.1:{port}/#/experiments/1/runs?")
        search = parse_qs(urlsplit(page.replace("#", "")).query)["searchFilter"][0]
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/2.0/mlflow/runs/search",
            json.dumps({"experiment_ids": ["1"], "filter": search}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            names = {run["info"]["run_name"] for run in json.load(answer)["runs"]}
        assert names == {"write", "count@a", "count@b"}
    finally:
        ui.send_signal(signal.SIGTERM)
        ui.communicate(timeout=PATIENCE_SECONDS)
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        pass
