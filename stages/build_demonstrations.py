"""build_demonstrations: references, or graded samples of the base -> data/demonstrations.jsonl and its ledger."""

from __future__ import annotations

import _checkout  # noqa: F401 - before the package

from proofline.config import load_params
from proofline.data.graded import Candidate
from proofline.data.rejection import build_demonstrations
from proofline.records import Demonstration, Grade, Problem, Solution
from proofline.storage.artifacts import write_json
from proofline.storage.records import read_records, write_records
from proofline.tracking import track


def main() -> None:
    params = load_params()
    section, prompts, seed = params.demonstrations, params.prompts, params.seed
    with track("build_demonstrations", sections={"demonstrations": section, "prompts": prompts, "seed": seed}) as run:
        problems = {problem.id: problem for problem in read_records("data/problems/train.jsonl", Problem)}
        references = read_records("data/references.jsonl", Demonstration)
        samples, grades = (
            read_records("data/samples/base.jsonl", Solution),
            read_records("data/grades/base.jsonl", Grade),
        )
        drawn = [Candidate(solution, grade) for solution, grade in zip(samples, grades, strict=True)]
        rows, ledger = build_demonstrations(problems, references, drawn, section, prompts.solution, seed)
        write_records("data/demonstrations.jsonl", rows)
        write_json("data/demonstrations.json", ledger)
        run.log_metrics(ledger)


if __name__ == "__main__":
    main()
