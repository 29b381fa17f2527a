"""build_pairs: graded samples of the SFT policy -> data/pairs.jsonl and its ledger, data/pairs.json."""

from __future__ import annotations

import _checkout  # noqa: F401 - before the package

from proofline.config import load_params
from proofline.data.pairs import build_pairs
from proofline.records import Grade, Problem, Solution
from proofline.storage.artifacts import write_json
from proofline.storage.records import read_records, write_records
from proofline.tracking import track


def main() -> None:
    params = load_params()
    with track("build_pairs", sections={"pairs": params.pairs, "seed": params.seed}) as run:
        problems = {problem.id: problem for problem in read_records("data/problems/train.jsonl", Problem)}
        solutions = read_records("data/samples/sft.jsonl", Solution) + read_records("data/published.jsonl", Solution)
        grades = read_records("data/grades/sft.jsonl", Grade) + read_records("data/grades/published.jsonl", Grade)
        pairs, ledger = build_pairs(problems, solutions, grades, params.pairs, params.seed)
        write_records("data/pairs.jsonl", pairs)
        write_json("data/pairs.json", ledger)
        run.log_metrics(ledger)


if __name__ == "__main__":
    main()
