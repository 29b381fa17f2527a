"""Does each effect hold on other seeds? The whole graph for several run seeds, each in a clone of this repository.

    python benchmarks/seeds.py [--seeds 0 1 2]

The run seed decides problems, demonstrations, order, samples and test set; the base and the split of template
skeletons stay. A clone shares this repository's DVC cache, so a seed that has been run is restored. Writes
results/seeds.json and a table.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from proofline.config.schema import EVALUATED

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"


def run_seed(seed: int, folder: Path) -> dict[str, Any]:
    """Reproduce the committed recipe with another seed; returns what the report and the verifier measured."""
    clone = folder / f"seed-{seed}"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    params = clone / "params.yaml"
    lines = params.read_text().splitlines(keepends=True)
    params.write_text("".join(f"seed: {seed}\n" if line.startswith("seed:") else line for line in lines))
    environment = os.environ | {
        "PYTHONPATH": str(clone / "src"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    for command in (["dvc", "cache", "dir", "--local", str(ROOT / ".dvc/cache")], ["dvc", "repro"]):
        subprocess.run(command, cwd=clone, env=environment, check=True)
    reports = clone / "reports"
    policies = {
        path.parent.name: json.loads(path.read_text())["overall"] for path in reports.glob("evaluate/*/metrics.json")
    }
    return {"policies": policies, "verifier": json.loads((reports / "verify/metrics.json").read_text())["overall"]}


def figures(measured: dict[str, Any]) -> dict[str, float]:
    """The effects in one row, shares in [0, 1]."""
    row = {
        f"{policy} {kind}": measured["policies"][policy][f"{kind}_accuracy"]["value"]
        for policy in EVALUATED
        for kind in ("greedy", "sampled")
    }
    verifier = measured["verifier"]
    row["AUROC within problems and layout"] = verifier["auroc_within_layout"]["value"]
    row["AUROC within problems"] = verifier["auroc_within"]["value"]
    row["AUROC pooled"] = verifier["auroc_pooled"]["value"]
    for gain in ("best_of_over_one", "best_of_over_majority", "weighted_over_majority"):
        row[gain.replace("_", " ")] = verifier["gains"][gain]["difference"]["value"]
    row["false accepts of worked wrong solutions"] = verifier["worked"]["false_accept_rate"]["value"]
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    seeds = parser.parse_args().seeds
    with TemporaryDirectory() as folder:
        measured = {seed: run_seed(seed, Path(folder)) for seed in seeds}
    rows = {seed: figures(result) for seed, result in measured.items()}
    table = [
        "| measure | " + " | ".join(f"seed {seed}" for seed in seeds) + " | mean |",
        "| --- " * (len(seeds) + 2) + "|",
    ]
    for name in next(iter(rows.values())):
        values = [rows[seed][name] for seed in seeds]
        cells = " | ".join(f"{value:.3f}" for value in [*values, statistics.mean(values)])
        table.append(f"| {name} | {cells} |")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "seeds.md").write_text("\n".join(table) + "\n")
    (RESULTS / "seeds.json").write_text(json.dumps(measured, indent=1) + "\n")
    print("\n".join(table))


if __name__ == "__main__":
    main()
