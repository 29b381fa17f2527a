"""Time and memory of sampling, grading and pair building at 1x, 4x and 16x the problems.

    python benchmarks/growth.py [--problems 512] [--threads 2] [--self-check]

Time should grow in proportion and memory stay flat. Each stage at each size is a process of its own, so that its peak
is its own. Sampling and grading go shard by shard, building pairs problem by problem, and all write as they go; the
problems themselves are held here. Memory alone, of the stages' own scripts: `memory.py`.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

from report import table, write_result

from proofline.base.source import BUNDLED
from proofline.config import load_params
from proofline.data.graded import by_problem, graded
from proofline.data.pairs import build_pairs
from proofline.data.synthetic import generate_problems
from proofline.records import Decoding, Grade, Problem, Solution
from proofline.storage.records import iter_records, write_records

NUM_SAMPLES = 8
SHARD = 512
"""Problems in a shard of `shard_size(8)`; spelt out, since grading must not import torch."""
T = TypeVar("T")
STAGES = ("sample", "grade", "pairs")
FACTORS = (1, 4, 16)


def sample(problems: Mapping[str, Problem], folder: Path, threads: int) -> int:
    from proofline.launch.work import take_place
    from proofline.sampling.policy import sample_solutions

    take_place(threads)
    prompts = load_params().prompts
    decoding = Decoding(temperature=0.7, top_p=1.0, max_new_tokens=160)
    shards = (
        sample_solutions(BUNDLED, "base", shard, prompts, decoding, NUM_SAMPLES, 0, rows=256)
        for shard in cut(problems.values(), SHARD)
    )
    return write_records(folder / "samples.jsonl", chain.from_iterable(shards))


def cut(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Shards of a stream."""
    stream = iter(items)
    while shard := list(islice(stream, size)):
        yield shard


def grade(problems: Mapping[str, Problem], folder: Path, threads: int) -> int:
    from proofline.grading import grade_all

    def grades() -> Iterator[Grade]:
        for shard in cut(iter_records(folder / "samples.jsonl", Solution), SHARD * NUM_SAMPLES):
            yield from grade_all(shard, problems, workers=threads)

    return write_records(folder / "grades.jsonl", grades())


def pairs(problems: Mapping[str, Problem], folder: Path, threads: int) -> int:
    solutions, grades = iter_records(folder / "samples.jsonl", Solution), iter_records(folder / "grades.jsonl", Grade)
    sampled = by_problem(problems.values(), graded(solutions, grades))
    return write_records(folder / "pairs.jsonl", build_pairs(sampled, load_params().pairs, 0, Counter()))


def run_stage(stage: str, count: int, folder: Path, threads: int) -> None:
    """One stage in this process; prints what it took, imports and loading included in memory but not in time."""
    problems = {problem.id: problem for problem in generate_problems("train", count, seed=0)}
    run = {"sample": sample, "grade": grade, "pairs": pairs}[stage]
    if stage == "sample":
        from proofline.sampling.policy import shared_sampler

        shared_sampler(BUNDLED, 256)
    began = time.perf_counter()
    rows = run(problems, folder, threads)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"stage": stage, "problems": count, "rows": rows, "seconds": seconds, "peak_mib": peak}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--problems", type=int, default=512, help="at 1x")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--self-check", action="store_true", help="a few problems; no measurement")
    parser.add_argument("--stage", nargs=3, metavar=("STAGE", "PROBLEMS", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        run_stage(options.stage[0], int(options.stage[1]), Path(options.stage[2]), options.threads)
        return
    problems = 8 if options.self_check else options.problems
    measured = []
    for factor in FACTORS:
        with tempfile.TemporaryDirectory() as folder:
            for stage in STAGES:
                command = [sys.executable, __file__, "--threads", str(options.threads), "--stage", stage]
                done = subprocess.run([*command, str(factor * problems), folder], stdout=subprocess.PIPE, check=True)
                measured.append(json.loads(done.stdout.splitlines()[-1]))
    if options.self_check:
        print("SELF-CHECK with a few problems: it shows that the script runs, and measures nothing.")
    print(table(
        ["stage", "problems", "records", "seconds", "ms a problem", "peak, MiB"],
        [[row["stage"], str(row["problems"]), str(row["rows"]), f"{row['seconds']:.1f}",
          f"{1000 * row['seconds'] / row['problems']:.2f}", f"{row['peak_mib']:.0f}"]
         for row in sorted(measured, key=lambda row: STAGES.index(row["stage"]))],
    ))  # fmt: skip
    write_result(
        "growth-self-check" if options.self_check else "growth",
        {"problems": problems, "num_samples": NUM_SAMPLES, "shard": SHARD, "threads": options.threads},
        ["torch", "transformers", "math-verify"], self_check=options.self_check, growth=measured,
    )  # fmt: skip


if __name__ == "__main__":
    main()
