"""How much do trainings by one recipe differ when only rounding does? `proofline certify` under other executions.

    python benchmarks/reruns.py [--only NAME ...] [--revision REV] [--keep DIR]

Every variant runs the whole graph of a commit in a clone of its own with an empty cache, under a limit of instruction
sets or another number of threads. What each measured goes into results/reruns.json after every variant, so a stopped
run loses one; variants that are there already, for this recipe, are not run again. `certify` takes the spread from
there (src/proofline/certificate/equivalence.py). Variants that come out bit for bit alike count once.
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

from proofline.certificate.check import locked
from proofline.certificate.commit import read_commit

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results/reruns.json"
VARIANTS: dict[str, dict[str, str]] = {
    "as it is": {},
    "one thread": {"PROOFLINE_THREADS": "1"},
    "two threads": {"PROOFLINE_THREADS": "2"},
    "AVX2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    "AVX2, one thread": {
        "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "PROOFLINE_THREADS": "1",
    },
    "ATen at AVX2": {"ATEN_CPU_CAPABILITY": "avx2"},
    "oneDNN at AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2"},
    "no vectors in ATen": {"ATEN_CPU_CAPABILITY": "default"},
    "MKL compatible": {"MKL_CBWR": "COMPATIBLE"},
    "MKL compatible, one thread": {"MKL_CBWR": "COMPATIBLE", "PROOFLINE_THREADS": "1"},
    "batches of 64 while sampling": {"PROOFLINE_SAMPLING_ROWS": "64"},
}  # fmt: skip
"""Execution settings by name: none of them is part of the recipe."""


def run_variant(name: str, revision: str, keep: Path | None) -> dict[str, Any] | None:
    """One certificate's metrics and classes; None where the graph did not run to its end."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "certificate.json")
        command = [sys.executable, "-m", "proofline.cli", "certify", revision, "--output", str(file)]
        command += ["--keep", str(keep / name.replace(" ", "-").replace(",", ""))] if keep else []
        # "different" ends with status 1: what was measured counts all the same.
        subprocess.run(command, cwd=ROOT, env=os.environ | VARIANTS[name], check=False)
        if not file.exists():
            return None
        predicate = json.loads(file.read_text(encoding="utf-8"))["predicate"]
    machine = predicate["environment"]["reproduced"]
    return {
        "name": name,
        "variables": VARIANTS[name],
        "verdict": predicate["verdict"],
        "seconds": predicate["seconds"],
        "cpu": machine["hardware.cpu"],
        "instruction_sets": machine["hardware.instruction_sets"],
        "metrics": {test["metric"]: test["reproduced"] for test in predicate["metrics"]["tests"]},
    }


def gathered(recipe: str) -> dict[str, Any]:
    """What is known of a recipe; runs of another one say nothing about it and are left behind."""
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    return known if known.get("recipe") == recipe else {"recipe": recipe, "runs": []}


def table(runs: list[dict[str, Any]]) -> str:
    """Mean, spread and range of every metric over the runs that differ."""
    distinct = list({json.dumps(run["metrics"], sort_keys=True): run["metrics"] for run in runs}.values())
    lines = [
        f"| metric, {len(distinct)} different of {len(runs)} runs | mean | sd | min | max |",
        "|---|---|---|---|---|",
    ]
    for name in distinct[0] if distinct else []:
        values = [100 * one[name] for one in distinct if one.get(name) is not None]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        lines.append(
            f"| {name} | {statistics.mean(values):.2f} | {spread:.2f} | {min(values):.2f} | {max(values):.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS), metavar="NAME")
    parser.add_argument("--revision", default="HEAD")
    parser.add_argument("--keep", type=Path, help="leave each variant's clone in a folder below")
    options = parser.parse_args()
    known = gathered(locked(read_commit(ROOT, options.revision)).recipe)
    done = {run["name"] for run in known["runs"]}
    for name in options.only:
        if name in done:
            print(f"{name}: there already; remove it from {RESULTS} to run it again")
            continue
        print(f"{name}: {VARIANTS[name]}", flush=True)
        made = run_variant(name, options.revision, options.keep)
        if made is None:
            print(f"{name}: did not run to its end")
            continue
        known["runs"].append(made)
        RESULTS.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(table(known["runs"]))


if __name__ == "__main__":
    main()
