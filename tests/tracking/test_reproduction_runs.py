"""A real `dvc repro` on a real SQLite store: what the store says about each stage afterwards."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from proofline.tracking.lineage import locked_identities

pytestmark = pytest.mark.slow


def by_name(runs: list[Any]) -> dict[str, Any]:
    return {run.info.run_name: run for run in runs}


def lock_entries(root: Path) -> dict[str, Any]:
    return YAML(typ="safe", pure=True).load(root / "dvc.lock")["stages"]


def test_one_finished_flat_run_per_stage(reproduced: Any) -> None:
    runs = reproduced.runs()
    assert [run.info.run_name for run in runs] == ["write", "count@a", "count@b"]
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert not any("mlflow.parentRunId" in run.data.tags for run in runs)
    assert not list((reproduced.root / ".tracking").iterdir()), "all has arrived, so nothing is kept"


def test_params_metrics_and_provenance_are_there(reproduced: Any) -> None:
    run = by_name(reproduced.runs())["count@b"]
    assert run.data.params["sft.rate"] == "1e-05"
    assert run.data.params["seed"] == "7"
    assert run.data.params["execution.threads"].isdigit()
    assert run.data.metrics == {"loss": pytest.approx(1 / 3), "nested.pass_at_8": 0.5}
    tags = run.data.tags
    assert tags["proofline.stage"] == "count"
    assert tags["proofline.policy"] == "b"
    assert tags["proofline.started_by"] == "dvc"
    assert tags["proofline.dirty"] == "false"
    assert len(tags["mlflow.source.git.commit"]) == 40
    assert tags["version.torch"]
    assert tags["hardware.cpu"]
    assert int(tags["hardware.cores"]) == len(os.sched_getaffinity(0))


def test_inputs_and_outputs_have_the_hashes_that_dvc_wrote(reproduced: Any) -> None:
    entries = lock_entries(reproduced.root)
    for name, run in by_name(reproduced.runs()).items():
        datasets: dict[str, dict[str, str]] = {"input": {}, "output": {}}
        for used in run.inputs.dataset_inputs:
            datasets[used.tags[0].value][used.dataset.name] = used.dataset.digest
        deps = {dep["path"]: dep["md5"] for dep in entries[name]["deps"] if not dep["path"].endswith(".py")}
        assert datasets["input"] == deps
        assert datasets["output"] == {out["path"]: out["md5"] for out in entries[name]["outs"]}


def test_identity_in_the_store_is_the_one_of_dvc_lock(reproduced: Any) -> None:
    runs = by_name(reproduced.runs())
    identities = locked_identities(reproduced.root)
    assert {name: run.data.tags["proofline.identity"] for name, run in runs.items()} == identities
    assert len(set(identities.values())) == 3


def test_stages_of_one_command_share_its_invocation(reproduced: Any) -> None:
    assert len({run.data.tags["proofline.invocation"] for run in reproduced.runs()}) == 1


def test_a_run_is_found_by_the_content_it_read(reproduced: Any) -> None:
    from mlflow.tracking import MlflowClient

    rows = lock_entries(reproduced.root)["write"]["outs"][0]["md5"]
    found = MlflowClient(reproduced.uri).search_runs(["1"], f"dataset.digest = '{rows}'")
    assert {run.info.run_name for run in found} == {"write", "count@a", "count@b"}


def test_nothing_is_printed_where_all_goes_well(repository: Any) -> None:
    forced = repository.run("python", "stage.py", "a", PROOFLINE_TRACKING_URI=f"sqlite:///{repository.root}/other.db")
    assert (forced.stdout, forced.stderr) == ("", "")
