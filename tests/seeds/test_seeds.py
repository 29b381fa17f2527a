"""`proofline seeds` on a repository whose graph takes a second: DVC's experiments and MLflow's store are real."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from checkout import EMBEDDED, REPOSITORY, commit, tried, typed

from proofline.seeds.table import Seeds, as_markdown

REPORT = """
import sys
from pathlib import Path
from proofline.config import load_params
from proofline.records import Grade
from proofline.storage.artifacts import write_json
from proofline.storage.records import write_records

seed, reports = load_params().seed, Path("reports")
if Path("broken").read_text().strip() == str(seed):
    sys.exit("this seed does not work")
Path("made").open("a").write(f"{seed}")
TITLES = ("base", "sft", "dpo", "solutions", "genrm")

def estimate(value, half=0.04):
    return {"value": value, "low": value - half, "high": value + half, "p": 0.01}

for policy in TITLES:
    grades = [
        Grade(solution_id=f"{policy}-{i}-{k}", problem_id=f"p{i}", verdict="correct" if (i + k) % 3 else "wrong",
              extracted="1", reason="", grader="test")
        for i in range(20) for k in range(4)
    ]
    write_records(reports / "evaluate" / policy / "sample_grades.jsonl", grades)
policies = {
    policy: {
        "accuracy": estimate(0.2 * number + seed / 50),
        "sampled_accuracy": estimate(0.5 + seed / 100),
        "weights": f"{policy}-{seed}",
    }
    for number, policy in enumerate(TITLES)
}
changes = {
    "sft_over_base": {"greedy": estimate(0.2 + seed / 50), "sampled": estimate(0.01 * (-1) ** seed)},
}
gains = {"best_of_over_majority": estimate(0.02)}
verifier = {
    "auroc_within_layout": estimate(0.8 + seed / 100), "gains": gains,
    "genrm_over_strongest_cheap": {"baseline": "agreement", **estimate(0.1 + seed / 100)},
    "worked": {"false_accept_rate": estimate(0.2 - seed / 100)},
}
write_json(reports / "metrics.json", {"policies": policies, "changes": changes, "verifier": verifier})
"""
GRAPH = """
stages:
  report:
    cmd: python report.py
    params: [seed]
    deps: [report.py, broken]
    outs: [reports]
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "report.py").write_text(REPORT)
    (folder / "dvc.yaml").write_text(GRAPH)
    (folder / "broken").write_text("none\n")
    (folder / ".gitignore").write_text("/mlflow.db*\n/mlartifacts\n/made\n")
    shutil.copy2(EMBEDDED, folder / "params.yaml")
    typed(["git", "init", "-q"], folder)
    typed(["dvc", "init", "-q"], folder)
    commit(folder)
    return folder


CODE = {"PYTHONPATH": str(REPOSITORY / "src")}


def ask(repository: Path, question: str) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(repository / "mlflow.db")) as store:
        return store.execute(question).fetchall()


@pytest.mark.slow
def test_three_seeds_become_a_table_a_file_and_a_group_of_runs(repository: Path) -> None:
    printed = typed(["proofline", "seeds", "run", "3", "--output", "seeds.json"], repository, **CODE)
    seeds = Seeds.of_json(json.loads((repository / "seeds.json").read_text()))
    assert seeds.seeds == (0, 1, 2)
    assert as_markdown(seeds) in printed
    gain = seeds.rows["base → +SFT, greedy"]
    assert gain.values == pytest.approx((0.2, 0.22, 0.24))
    assert gain.mean.value == pytest.approx(0.22)
    assert gain.holds
    assert not seeds.rows["base → +SFT, samples"].holds
    assert seeds.rows["GenRM's AUROC over the strongest cheap ranking's"].mean.value == pytest.approx(0.11)
    assert seeds.rows["GenRM's AUROC over the strongest cheap ranking's"].holds
    assert seeds.rows["GenRM's false accepts of worked wrong solutions"].mean.value == pytest.approx(0.19)
    assert "- Not shown over 3 seeds: base → +SFT, samples" in printed

    family = """
        SELECT runs.name FROM runs JOIN tags USING (run_uuid)
        WHERE key = 'mlflow.parentRunId' AND value IN (SELECT run_uuid FROM runs WHERE name LIKE 'seeds of %')
    """
    assert sorted(ask(repository, family)) == [("seed-0",), ("seed-1",), ("seed-2",)]
    assert not (repository / "reports").exists(), "the workspace stays as it is"


@pytest.mark.slow
def test_a_seed_that_failed_is_taken_up_by_the_same_command(repository: Path) -> None:
    (repository / "broken").write_text("1\n")
    failed = tried(["proofline", "seeds", "run", "3"], repository, **CODE)
    assert failed.returncode == 1
    assert "seed 1: `dvc exp run` ended with" in failed.stderr
    alone = tried(["proofline", "seeds", "show"], repository, **CODE)
    assert "1 experiments seed-N of this commit" in alone.stderr

    (repository / "broken").write_text("none\n")
    printed = typed(["proofline", "seeds", "run", "2"], repository, **CODE)
    assert "seed 1" in printed
    again = typed(["proofline", "seeds", "run", "2"], repository, **CODE)
    assert again.count("Stage 'report' is cached") == 2, "a seed that has been run is not run again"
    assert again.splitlines()[-1] == printed.splitlines()[-1]


def test_one_seed_says_nothing(repository: Path) -> None:
    refused = tried(["proofline", "seeds", "run", "1"], repository, **CODE)
    assert refused.returncode == 1
    assert "give 2 or more" in refused.stderr
