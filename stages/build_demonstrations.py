"""build_demonstrations: references, or graded samples of the base -> data/demonstrations.jsonl and its ledger."""

from __future__ import annotations

from collections import Counter

import _checkout  # noqa: F401 - before the package

from proofline.config import load_params
from proofline.data.graded import by_problem, graded
from proofline.data.rejection import build_demonstrations, ledger
from proofline.records import Demonstration, Grade, Problem, Solution
from proofline.storage.artifacts import write_json
from proofline.storage.records import iter_records, write_records
from proofline.storage.rows import ById, Rows
from proofline.tracking import track


def main() -> None:
    params = load_params()
    section, prompts, seed = params.demonstrations, params.prompts, params.seed
    with track("build_demonstrations", sections={"demonstrations": section, "prompts": prompts, "seed": seed}) as run:
        problems = Rows("data/problems/train.jsonl", Problem)
        drawn = graded(iter_records("data/samples/base.jsonl", Solution), iter_records("data/grades/base.jsonl", Grade))
        counts: Counter[str] = Counter()
        rows = build_demonstrations(
            ById(problems), iter_records("data/references.jsonl", Demonstration), by_problem(problems, drawn),
            section, prompts.solution, seed, counts,
        )  # fmt: skip
        write_records("data/demonstrations.jsonl", rows)
        write_json("data/demonstrations.json", ledger(counts))
        run.log_metrics(ledger(counts))


if __name__ == "__main__":
    main()
