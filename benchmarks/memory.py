"""Peak memory of grading, pair and trace building and evaluation at 1x, 4x, 16x and 64x the problems, before and after.

    python benchmarks/memory.py [--before REVISION] [--problems 64] [--self-check]

The stages' own scripts run, of this working tree and of an earlier revision, each at each size in a process of its own,
so its peak is its own. Their inputs are invented: sums, solved rightly and wrongly in one step, which costs little.
What a model would write (test solutions, chains) is made up when a stage asks for it; nothing is recorded.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from report import table, write_result

from proofline.records import Decoding, Demonstration, Problem, Solution, Split
from proofline.storage.records import write_records

ROOT = Path(__file__).resolve().parents[1]
FACTORS = (1, 4, 16, 64)
STAGES = {
    "grade": ["--policy", "sft"], "build_pairs": [], "build_traces": [], "evaluate": ["--policy", "dpo"], "verify": [],
}  # fmt: skip
BESIDE = [("grade", ["--policy", "dpo"]), ("grade", ["--policy", "published"])]
"""What the others read, and is not measured."""
FILLER = "What has to be told before, in so many words that a row is as long as one that a policy writes. "
SAMPLES = {"sft": 8, "dpo": 2}
"""Solutions of a problem."""
CHECKOUT = ("src", "stages", "params.yaml", "dvc.yaml")
IMITATION = Path(__file__).with_name("memory_stage.py")


def problem(number: int, split: Split) -> Problem:
    a, b = number + 10, 3 * number + 15
    return Problem(
        id=f"{split}-{number}", source="synthetic", family="word" if number % 2 else "math", split=split,
        question=f"{FILLER}How much is {a} + {b}?", solution=f"{a}+{b}={a + b}\n#### {a + b}", answer=str(a + b),
        skeleton=f"{split}-{number}",
    )  # fmt: skip


def invented(one: Problem, policy: str, index: int) -> Solution:
    """Every other one is wrong."""
    answer = int(one.answer) + index * (index % 2)
    return Solution(
        id=f"{policy}-{one.id}-{index}", problem_id=one.id, policy=policy, weights="0" * 16,
        decoding=Decoding(temperature=0.7, top_p=1.0, max_new_tokens=128), sample_index=index, seed=index,
        text=f"{'Again, ' * index}{FILLER}\n{one.solution.split('=')[0]}={answer}\n#### {answer}", num_tokens=60,
        logprob=-9.0, finished=True,
    )  # fmt: skip


def write_inputs(count: int, data: Path) -> None:
    for split in ("train", "test"):
        write_records(data / f"problems/{split}.jsonl", (problem(number, split) for number in range(count)))
    train = [problem(number, "train") for number in range(count)]
    write_records(
        data / "demonstrations.jsonl",
        (
            Demonstration(id=f"d-{one.id}", problem_id=one.id, question=one.question, solution=one.solution, style="")
            for one in train[: count // 2]
        ),
    )
    for policy, samples in SAMPLES.items():
        rows = (invented(one, policy, index) for one in train for index in range(samples))
        write_records(data / f"samples/{policy}.jsonl", rows)
    for empty in ("published", "critiques"):
        (data / f"{empty}.jsonl").touch()


def checkouts(before: str, folder: Path) -> dict[str, Path]:
    """The two codes, each in a folder of its own."""
    archive = subprocess.run(["git", "archive", before, *CHECKOUT], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(folder / "before", filter="data")
    for name in CHECKOUT[:2]:
        shutil.copytree(ROOT / name, folder / "after" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in CHECKOUT[2:]:
        shutil.copy2(ROOT / name, folder / "after" / name)
    return {when: folder / when for when in ("before", "after")}


def run_stage(root: Path, stage: str, arguments: list[str]) -> float:
    """Its peak in MiB."""
    environment = os.environ | {"PYTHONPATH": str(root / "src"), "PROOFLINE_GRADER_WORKERS": "1"}
    command = [sys.executable, IMITATION, f"stages/{stage}.py", *arguments]
    done = subprocess.run(command, cwd=root, env=environment, stdout=subprocess.PIPE, check=True)
    return float(done.stdout.splitlines()[-1])


def measure(before: str, problems: int, factors: Sequence[int]) -> list[dict[str, Any]]:
    measured = []
    with tempfile.TemporaryDirectory() as temporary:
        roots = checkouts(before, Path(temporary))
        for factor in factors:
            for when, root in roots.items():
                shutil.rmtree(root / "data", ignore_errors=True)
                write_inputs(factor * problems, root / "data")
                for stage, arguments in BESIDE:
                    run_stage(root, stage, arguments)
                for stage, arguments in STAGES.items():
                    peak = run_stage(root, stage, arguments)
                    row = {"stage": stage, "code": when, "problems": factor * problems, "peak_mib": round(peak, 1)}
                    print(json.dumps(row), file=sys.stderr, flush=True)
                    measured.append(row)
    return measured


def shown(measured: list[dict[str, Any]], sizes: Sequence[int]) -> str:
    """A row for each stage and code; the last column is what a problem adds between the two largest sizes."""
    rows = []
    for stage in STAGES:
        for code in ("before", "after"):
            peaks = [row["peak_mib"] for row in measured if (row["stage"], row["code"]) == (stage, code)]
            grown = (peaks[-1] - peaks[-2]) * 1024 / (sizes[-1] - sizes[-2])
            rows.append([f"{stage}, {code}", *(f"{peak:.0f}" for peak in peaks), f"{grown:.2f}"])
    return table(["peak, MiB", *(f"{size:,} problems" for size in sizes), "kB a problem"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--before", default="1154513", help="the earlier revision")
    parser.add_argument("--problems", type=int, default=64, help="at 1x")
    parser.add_argument("--self-check", action="store_true", help="a few problems; no measurement")
    options = parser.parse_args()
    problems, factors = (32, FACTORS[:2]) if options.self_check else (options.problems, FACTORS)
    measured = measure(options.before, problems, factors)
    if options.self_check:
        print("SELF-CHECK with a few problems: it shows that the script runs, and measures nothing.")
    print(shown(measured, [factor * problems for factor in factors]))
    write_result(
        "memory-self-check" if options.self_check else "memory",
        {"problems": problems, "samples": SAMPLES, "before": options.before}, ["pydantic", "numpy"],
        self_check=options.self_check, memory=measured,
    )  # fmt: skip


if __name__ == "__main__":
    main()
