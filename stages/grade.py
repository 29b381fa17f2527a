"""grade --policy P: samples of a policy (or the published candidates) -> data/grades/P.jsonl and P.json."""

from __future__ import annotations

import argparse
from functools import partial

import _checkout  # noqa: F401 - before the package

from proofline.config import load_environment
from proofline.grading import SHARD_SOLUTIONS, grade_all
from proofline.grading.summary import disagreements, summarise
from proofline.launch import keeping, spread
from proofline.records import Grade, Problem, Solution
from proofline.storage.artifacts import write_json
from proofline.storage.rows import ById, Rows, write_rows
from proofline.tracking import track

SAMPLES = {
    **{policy: f"data/samples/{policy}.jsonl" for policy in ("base", "sft", "dpo")},
    "published": "data/published.jsonl",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", required=True, choices=sorted(SAMPLES))
    policy = parser.parse_args().policy
    environment = load_environment()
    inputs = ("data/problems/train.jsonl",)
    with (
        track("grade", sections={}, policy=policy) as run,
        keeping("grade", {}, inputs, environment, run, policy) as kept,
    ):
        problems = ById(Rows(inputs[0], Problem))
        grade = partial(
            grade_all, problems=problems, workers=environment.grader_workers,
            deadline_seconds=environment.grader_deadline_seconds,
        )  # fmt: skip
        solutions = Rows(SAMPLES[policy], Solution)
        graded = spread(grade, solutions, environment, shard_size=SHARD_SOLUTIONS, each="machine", kept=kept(Grade))
        grades = write_rows(f"data/grades/{policy}.jsonl", graded, Grade)
        summary = summarise(grades, problems)
        write_json(f"data/grades/{policy}.json", {**summary, "disagreements": disagreements(grades, problems)})
        run.log_metrics(summary)


if __name__ == "__main__":
    main()
