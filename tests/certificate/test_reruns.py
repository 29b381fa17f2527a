"""`benchmarks/reruns.py` gathers what each execution measured, and runs none twice."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from small_graph import Repository

SCRIPT = Path(__file__).parents[2] / "benchmarks/reruns.py"


@pytest.mark.slow
def test_every_variant_is_one_run_of_the_recipe(repository: Repository) -> None:
    (repository.root / "benchmarks/results").mkdir(parents=True)
    shutil.copy(SCRIPT, repository.root / "benchmarks")
    gathered = repository.root / "benchmarks/results/reruns.json"

    def run(*names: str, **variables: str) -> str:
        return repository.run(sys.executable, "benchmarks/reruns.py", "--only", *names, **variables).stdout

    run("one thread", ROUNDING="1e-6", LUCK="3,4")
    printed = run("one thread", "AVX2", ROUNDING="1e-6", LUCK="5")
    assert "one thread: there already" in printed
    made = json.loads(gathered.read_text())
    assert [run["name"] for run in made["runs"]] == ["one thread", "AVX2"]
    shares = [run["metrics"]["evaluate@sft.greedy_accuracy"] for run in made["runs"]]
    assert shares == pytest.approx([40 / 60, 39 / 60])
    assert "2 different of 2 runs" in printed
    repository.edit("params.yaml", "rate: 1e-5", "rate: 2e-5")
    repository.run("dvc", "repro", "-q")
    repository.proofline("manifest")
    repository.commit("another recipe")
    run("AVX2")
    made = json.loads(gathered.read_text())
    assert [run["name"] for run in made["runs"]] == ["AVX2"], "what another recipe measured says nothing"
