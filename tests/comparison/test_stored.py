"""Comparing what a repository keeps: commits, experiments, runs and versions, with DVC's and MLflow's own commands."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import forked
import pytest

pytestmark = pytest.mark.slow(minutes=2)

REPOSITORY = Path(__file__).parents[2]
PREPARE = """
from proofline.records import Problem
from proofline.storage.records import write_records

write_records("data/problems/test.jsonl", [
    Problem(id=Problem.make_id("synthetic", f"What is {n} + 1?"), source="synthetic", family="word", split="test",
            question=f"What is {n} + 1?", solution=f"#### {n + 1}", answer=str(n + 1), skeleton=f"s{n // 4}")
    for n in range(48)
])
"""
TRAIN = """
from pathlib import Path
from proofline.config import load_params
from proofline.tracking import track

params = load_params()
with track("train_dpo", sections={"seed": params.seed}) as run:
    Path("models/dpo").mkdir(parents=True)
    Path("models/dpo/weights").write_text(f"weights {params.seed}")
"""
EVALUATE = """
import sys
from pathlib import Path
from proofline.config import load_params
from proofline.records import Grade, Problem
from proofline.storage.artifacts import write_json
from proofline.storage.records import read_records, write_records
from proofline.tracking import track

policy, params = sys.argv[1], load_params()
folder, solved = Path("reports/evaluate", policy), {"base": 12, "dpo": 24 + params.seed}[policy]
with track("evaluate", sections={"seed": params.seed}, policy=policy) as run:
    problems = read_records("data/problems/test.jsonl", Problem)
    for name, samples in (("greedy", 1), ("sample", 2)):
        write_records(folder / f"{name}_grades.jsonl", [
            Grade(solution_id=f"{n}-{k}", problem_id=problem.id, verdict="correct" if n < solved else "unparsed",
                  extracted=None, reason="", grader="test")
            for n, problem in enumerate(problems) for k in range(samples)
        ])
    write_json(folder / "metrics.json", {"weights": f"hash of seed {params.seed}" if policy == "dpo" else "base"})
"""
GRAPH = """
stages:
  prepare:
    cmd: python prepare.py
    deps: [prepare.py]
    outs: [data/problems/test.jsonl]
  train_dpo:
    cmd: python train.py
    params: [seed]
    deps: [train.py]
    outs: [models/dpo]
  evaluate:
    foreach:
      base: {weights: train.py}
      dpo: {weights: models/dpo}
    do:
      cmd: python evaluate.py ${key}
      params: [seed]
      deps: [evaluate.py, data/problems/test.jsonl, "${item.weights}"]
      outs:
        - reports/evaluate/${key}/greedy_grades.jsonl
        - reports/evaluate/${key}/sample_grades.jsonl
        - reports/evaluate/${key}/metrics.json
"""
IGNORED = "/.tracking/\n/mlflow.db*\n/mlartifacts/\n/models/\n/reports/\n/data/\n"


def ran(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "PROOFLINE_", "MLFLOW_"))}
    variables = {"PATH": f"{Path(sys.executable).parent}:{kept['PATH']}", "PYTHONPATH": str(REPOSITORY / "src")}
    variables |= {"DVC_NO_ANALYTICS": "1", "OMP_NUM_THREADS": "1"}
    if command[0] == "proofline":
        return forked.command(command[1:], root, kept | variables)
    return subprocess.run(command, cwd=root, env=kept | variables, capture_output=True, text=True, timeout=1200)


def typed(root: Path, *command: str) -> str:
    done = ran(root, *command)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def compared(root: Path, a: str, b: str, *options: str) -> dict[str, Any]:
    typed(root, "proofline", "compare", a, b, "--json", "compared.json", *options)
    found: dict[str, Any] = json.loads((root / "compared.json").read_text())
    return found


def refused(root: Path, *arguments: str) -> str:
    done = ran(root, "proofline", "compare", *arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def client_of(root: Path) -> Any:
    from proofline.tracking.mlflow_run import quiet_mlflow

    quiet_mlflow()
    from mlflow.tracking import MlflowClient

    return MlflowClient(f"sqlite:///{root}/mlflow.db", registry_uri=f"sqlite:///{root}/mlflow.db")


def runs_of(root: Path, stage: str) -> list[Any]:
    client = client_of(root)
    experiment = client.get_experiment_by_name("proofline").experiment_id
    return list(client.search_runs([experiment], f"tags.`proofline.stage` = '{stage}'", order_by=["start_time DESC"]))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one commit of results and the experiment `more`, of another seed."""
    root = tmp_path_factory.mktemp("compared") / "repository"
    root.mkdir()
    for name, text in (("prepare", PREPARE), ("train", TRAIN), ("evaluate", EVALUATE)):
        (root / f"{name}.py").write_text(text)
    (root / "dvc.yaml").write_text(GRAPH)
    (root / ".gitignore").write_text(IGNORED)
    shutil.copy(REPOSITORY / "profiles/embedded.yaml", root / "params.yaml")
    for command in (
        "git init -q", "git config user.name t", "git config user.email t@localhost", "dvc init -q", "dvc repro",
        "git add .", "git commit -qm results", "dvc exp run -n more -S seed=12",
    ):  # fmt: skip
        typed(root, *command.split())
    typed(root, "git", "checkout", "-q", "--", ".")
    return root


def test_an_experiment_against_a_commit_policy_by_policy(root: Path) -> None:
    found = compared(root, "more", "HEAD", "--no-log")
    assert found["items"] == 48
    assert found["clusters"] == 12
    assert list(found["metrics"]) == [
        "base: greedy accuracy", "base: accuracy of single samples",
        "dpo: greedy accuracy", "dpo: accuracy of single samples",
    ]  # fmt: skip
    assert found["metrics"]["dpo: greedy accuracy"]["difference"]["value"] == pytest.approx(12 / 48)
    assert found["metrics"]["base: greedy accuracy"]["difference"]["value"] == 0


def test_one_policy_against_another_of_the_same_commit(root: Path) -> None:
    found = compared(root, "HEAD:dpo", "HEAD:base", "--no-log")
    assert list(found["metrics"]) == ["greedy accuracy", "accuracy of single samples"]
    assert found["metrics"]["greedy accuracy"]["difference"]["value"] == pytest.approx(12 / 48)


def test_seeds_are_experiments_separated_by_commas(root: Path) -> None:
    found = compared(root, "HEAD:dpo,more:dpo", "HEAD:base,more:base", "--no-log")
    assert found["metrics"]["greedy accuracy"]["seeds_a"] == [0.5, 0.75]
    assert found["metrics"]["greedy accuracy"]["difference"]["value"] == pytest.approx(0.375)


def test_two_runs_are_compared_and_the_comparison_leads_to_both(root: Path) -> None:
    runs = [run for run in runs_of(root, "evaluate") if run.data.tags["proofline.policy"] == "dpo"]
    new, old = (run.info.run_id for run in runs)
    found = compared(root, new, old)
    assert found["metrics"]["greedy accuracy"]["difference"]["value"] == pytest.approx(12 / 48)
    assert [found["a"][0]["run"], found["b"][0]["run"]] == [new, old]
    logged = runs_of(root, "compare")[0]
    assert logged.data.tags["proofline.compare.a_runs"] == new
    assert logged.data.tags["proofline.compare.b_runs"] == old
    assert logged.data.metrics["greedy accuracy.difference"] == pytest.approx(12 / 48)
    assert "48 identical items" in logged.data.tags["mlflow.note.content"]
    read = {one.dataset.digest for one in logged.inputs.dataset_inputs}
    wrote = {one.dataset.digest for one in runs[0].inputs.dataset_inputs if one.dataset.name.endswith("grades.jsonl")}
    assert wrote
    assert wrote <= read


def test_two_versions_are_compared_by_the_evaluations_of_their_weights(root: Path) -> None:
    client = client_of(root)
    client.create_registered_model("proofline-dpo")
    for number, run in enumerate(reversed(runs_of(root, "train_dpo"))):
        tags = {"proofline.weights": f"hash of seed {12 * number}"}
        client.create_model_version("proofline-dpo", str(root / "models/dpo"), run.info.run_id, tags)
    client.set_registered_model_alias("proofline-dpo", "champion", "1")
    found = compared(root, "proofline-dpo/2", "proofline-dpo@champion", "--no-log")
    assert found["metrics"]["greedy accuracy"]["difference"]["value"] == pytest.approx(12 / 48)
    assert found["a"][0]["origin"].startswith("version 2 of proofline-dpo")
    assert "has no version 9; there are: 1, 2" in refused(root, "proofline-dpo/9", "proofline-dpo/1")
    wrong = client.create_model_version(
        "proofline-dpo", "x", runs_of(root, "train_dpo")[0].info.run_id, {"proofline.weights": "others"}
    )
    assert "has weights others" in refused(root, f"proofline-dpo/{wrong.version}", "proofline-dpo/1")


def test_other_problems_are_refused_with_what_differs(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(root, other, symlinks=True)
    (other / "prepare.py").write_text(PREPARE.replace("answer=str(n + 1)", "answer=str(n + 1 + (n == 7))"))
    typed(other, "dvc", "repro", "evaluate@dpo")
    said = refused(other, "workspace:dpo", "HEAD:dpo")
    assert "47 in both" in said
    assert "1 only in workspace:dpo:\n      What is 7 + 1? → 9" in said
    assert "1 only in HEAD:dpo:\n      What is 7 + 1? → 8" in said


def test_names_that_lead_nowhere_are_refused_with_a_remedy(root: Path) -> None:
    assert "`dvc exp show` lists the experiments" in refused(root, "nowhere", "HEAD")
    assert "evaluations of base, dpo, none of sft" in refused(root, "HEAD:sft", "HEAD:dpo")
    assert "samples_x.jsonl: no such file" in refused(root, "samples_x.jsonl", "HEAD")
    assert "stands there twice" in refused(root, "HEAD:dpo,HEAD:dpo", "HEAD:base")
    assert "f" * 32 in refused(root, "f" * 32, "HEAD")


def test_results_come_from_the_remote_where_the_cache_is_empty(root: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    typed(root, "dvc", "remote", "add", "-d", "-f", "store", str(tmp_path / "store"))
    typed(root, "dvc", "push")
    typed(tmp_path, "git", "clone", "-q", str(root), str(clone))
    shutil.copy(root / ".dvc/config", clone / ".dvc/config")
    found = compared(clone, "HEAD:dpo", "HEAD:base", "--no-log")
    assert found["metrics"]["greedy accuracy"]["difference"]["value"] == pytest.approx(12 / 48)
    shutil.rmtree(tmp_path / "store")
    shutil.rmtree(clone / ".dvc/cache", ignore_errors=True)
    assert "neither DVC's cache nor its remote has" in refused(clone, "HEAD:dpo", "HEAD:base")
