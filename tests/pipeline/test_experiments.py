"""Experiments as docs/experiments.md shows them, and what is left of one that was killed. On half of the graph."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from checkout import REPOSITORY, clean_variables, commit, end_all, make_checkout, typed
from ruamel.yaml import YAML

from proofline.storage.weights import weights_hash

pytestmark = [pytest.mark.slow(minutes=4), pytest.mark.timeout(1800)]
WAIT_SECONDS = 300.0  # generous: other work may hold the cores


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Path]:
    """A checkout whose graph ends with the evaluation of SFT, on few rows."""
    folder = make_checkout(tmp_path / "copy")
    yaml = YAML()
    graph = yaml.load(folder / "dvc.yaml")
    del graph["plots"]
    graph["stages"]["evaluate"]["foreach"] = ["sft"]
    kept = ("prepare", "base", "train_sft", "evaluate")
    graph["stages"] = {name: stage for name, stage in graph["stages"].items() if name in kept}
    graph["stages"]["references"] = {
        "cmd": "cp data/references.jsonl data/demonstrations.jsonl",
        "deps": ["data/references.jsonl"],
        "outs": ["data/demonstrations.jsonl"],
    }
    yaml.dump(graph, folder / "dvc.yaml")
    recipe = yaml.load(folder / "params.yaml")
    recipe["prepare"]["demonstrations"], recipe["sft"]["precision"] = 32, "fp32"
    recipe["evaluation"] |= {"problems": 8, "num_samples": 2}
    yaml.dump(recipe, folder / "params.yaml")
    commit(folder)
    yield folder
    end_all(folder)


def ask(copy: Path, question: str) -> list[Any]:
    """Rows of the MLflow database."""
    with closing(sqlite3.connect(copy / "mlflow.db")) as store:
        return store.execute(question).fetchall()


def test_the_page_about_experiments_does_what_it_says(copy: Path) -> None:
    page = (REPOSITORY / "docs/experiments.md").read_text(encoding="utf-8")
    for block in re.findall(r"```console\n(.*?)```", page, flags=re.DOTALL):
        for command in block.splitlines():
            typed(["bash", "-c", command], copy, PROOFLINE_THREADS="1", PYTHONPATH=str(REPOSITORY / "src"))

    (shown,) = json.loads(typed(["dvc", "exp", "show", "--json", "-n", "1"], copy))[1:]
    names = {experiment["name"] for experiment in shown["experiments"]}
    assert len(names) == 4
    assert names > {"slower", "seed-1"}
    trained = """
        SELECT name.value, seed.value FROM runs JOIN tags name USING (run_uuid) JOIN params seed USING (run_uuid)
        WHERE runs.name = 'train_sft' AND name.key = 'proofline.experiment' AND seed.key = 'seed'
    """
    seeds = dict(ask(copy, trained))
    assert seeds.keys() == names
    assert sorted(seeds.values()) == ["0", "1", "2", "3"]
    assert (seeds["slower"], seeds["seed-1"]) == ("0", "1")
    assert ask(copy, "SELECT DISTINCT status FROM runs") == [("FINISHED",)]

    assert YAML(typ="safe").load(copy / "params.yaml")["seed"] == 1
    weights = "SELECT version, value FROM model_version_tags WHERE name = 'proofline-sft' AND key = 'proofline.weights'"
    versions = {hashed: version for version, hashed in ask(copy, weights)}
    assert len(versions) == 4
    champion = "SELECT version FROM registered_model_aliases WHERE name = 'proofline-sft' AND alias = 'champion'"
    assert ask(copy, champion) == [(versions[weights_hash(copy / "models/sft")],)]


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not so within {WAIT_SECONDS:g} s"
        time.sleep(0.02)


def test_a_killed_experiment_goes_on_in_another_copy(copy: Path) -> None:
    """And another seed's, killed beside it, keeps its own checkpoints."""
    settings = {"PROOFLINE_SAVE_STEPS": "1", "PROOFLINE_THREADS": "1"}
    command = ["dvc", "exp", "run", "--temp", "-S", "sft.epochs=12.0", "train_sft"]
    typed(["dvc", "repro", "prepare", "base"], copy, **settings)
    for seed in ("0", "1"):
        before = set(copy.glob("checkpoints/train_sft/*"))
        dvc = subprocess.Popen([*command, "-S", f"seed={seed}"], cwd=copy, env=clean_variables(**settings))
        wait_until(lambda before=before: [
            marker for marker in copy.glob("checkpoints/train_sft/*/*/manifest.json") if marker.parents[1] not in before
        ])  # fmt: skip
        dvc.send_signal(signal.SIGTERM)
        dvc.wait()
        wait_until(lambda: ask(copy, "SELECT DISTINCT status FROM runs WHERE name = 'train_sft'") == [("FAILED",)])
    folders = set(copy.glob("checkpoints/train_sft/*"))
    assert len(folders) == 2
    assert not (copy / "checkpoints/train_sft").is_symlink()

    typed([*command, "-S", "seed=0"], copy, **settings)
    (run,) = ask(copy, "SELECT run_uuid FROM runs WHERE name = 'train_sft' AND status = 'FINISHED'")
    resumed_from = f"SELECT value FROM tags WHERE run_uuid = '{run[0]}' AND key = 'proofline.resumed_from'"
    assert ask(copy, resumed_from), "it started again from its beginning"
    assert len(set(copy.glob("checkpoints/train_sft/*")) & folders) == 1

    restored = typed(["dvc", "exp", "run", "-S", "sft.epochs=12.0", "train_sft"], copy, **settings)
    assert "Stage 'train_sft' is cached" in restored
    resumed = weights_hash(copy / "models/sft")
    typed(["dvc", "repro", "--force", "--single-item", "train_sft"], copy, PROOFLINE_THREADS="1")
    assert weights_hash(copy / "models/sft") == resumed
