"""A checkout whose graph ends with SFT, on few rows: experiments, runs and versions are made as by the whole one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from checkout import commit, make_checkout
from ruamel.yaml import YAML

BRIEF = """
import json
from pathlib import Path
from proofline.storage.weights import weights_hash

weights = weights_hash("models/sft")
evaluation, headline = Path("reports/evaluate/sft/metrics.json"), Path("reports/headline.json")
evaluation.parent.mkdir(parents=True, exist_ok=True)
evaluation.write_text(json.dumps({"weights": weights}))
headline.write_text(json.dumps({"of_these_weights": int(weights[:4], 16)}))
"""
"""In the evaluation's place: whose weights they are, and a number of their own."""


def make_short(folder: Path) -> Path:
    """Committed, before anything has run in it."""
    make_checkout(folder)
    yaml = YAML()
    graph = yaml.load(folder / "dvc.yaml")
    del graph["plots"]
    graph["stages"] = {name: graph["stages"][name] for name in ("prepare", "base", "train_sft")} | {
        "evaluate": {
            "cmd": "python stages/brief.py", "deps": ["stages/brief.py", "models/sft"],
            "outs": ["reports/evaluate/sft/metrics.json"], "metrics": ["reports/headline.json"],
        },
        "references": {
            "cmd": "cp data/references.jsonl data/demonstrations.jsonl", "deps": ["data/references.jsonl"],
            "outs": ["data/demonstrations.jsonl"],
        },
    }  # fmt: skip
    yaml.dump(graph, folder / "dvc.yaml")
    (folder / "stages/brief.py").write_text(BRIEF)
    recipe = yaml.load(folder / "params.yaml")
    recipe["prepare"]["demonstrations"], recipe["sft"]["precision"] = 32, "fp32"
    yaml.dump(recipe, folder / "params.yaml")
    commit(folder)
    return folder


def ask(folder: Path, question: str) -> list[Any]:
    """Rows of the MLflow database."""
    with closing(sqlite3.connect(folder / "mlflow.db")) as store:
        return store.execute(question).fetchall()
