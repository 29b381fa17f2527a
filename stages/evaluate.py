"""evaluate: a policy's greedy and sampled solutions of test problems, graded -> reports/evaluate/<policy>/."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import _checkout  # noqa: F401 - before the package

from proofline.config import load_environment, load_params
from proofline.config.schema import EVALUATED
from proofline.data.subset import subset
from proofline.evaluation.metrics import evaluate_policy, scalars
from proofline.grading import SHARD_SOLUTIONS, grade_all
from proofline.launch import spread
from proofline.records import Decoding, Problem
from proofline.storage.artifacts import write_json
from proofline.storage.records import read_records, write_records
from proofline.tracking import track


def main(policy: str) -> None:
    params, environment = load_params(), load_environment()
    section, folder = params.evaluation, Path("reports/evaluate", policy)
    weights = Path("models", policy).absolute()
    sections = {"evaluation": section, "prompts": params.prompts, "seed": params.seed}
    with track("evaluate", sections=sections, policy=policy) as run:
        from proofline.sampling.served import drawing_by

        problems = subset(read_records("data/problems/test.jsonl", Problem), section.problems)
        by_id = {problem.id: problem for problem in problems}
        graded = {}
        for kind, temperature, top_p, count in (
            ("greedy", 0.0, 1.0, 1),
            ("sample", section.temperature, section.top_p, section.num_samples),
        ):
            decoding = Decoding(temperature=temperature, top_p=top_p, max_new_tokens=section.max_new_tokens)
            draw = drawing_by(
                environment, weights, policy,
                prompts=params.prompts, decoding=decoding, num_samples=count, run_seed=params.seed,
            )  # fmt: skip
            solutions = list(
                spread(draw.function, problems, environment, shard_size=draw.shard_size, each=draw.each, draws=count)
            )
            grade = partial(
                grade_all, problems=by_id, workers=environment.grader_workers,
                deadline_seconds=environment.grader_deadline_seconds,
            )  # fmt: skip
            grades = list(spread(grade, solutions, environment, shard_size=SHARD_SOLUTIONS, each="machine"))
            write_records(folder / ("greedy.jsonl" if kind == "greedy" else "samples.jsonl"), solutions)
            write_records(folder / f"{kind}_grades.jsonl", grades)
            graded[kind] = (solutions, grades)
        metrics = evaluate_policy(problems, *graded["greedy"], *graded["sample"], section, params.seed)
        write_json(folder / "metrics.json", metrics)
        run.log_metrics(scalars(metrics))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", required=True, choices=EVALUATED)
    main(parser.parse_args().policy)
