"""evaluate: a policy's greedy and sampled solutions of test problems, graded and read -> reports/evaluate/<policy>/."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import _checkout  # noqa: F401 - before the package

from proofline.config import load_environment, load_params
from proofline.config.schema import EVALUATED
from proofline.data.examples import NO_EXAMPLES, Examples, draw_examples
from proofline.data.subset import subset
from proofline.evaluation.metrics import evaluate_policy, scalars
from proofline.evaluation.readings import read_all
from proofline.grading import SHARD_SOLUTIONS, grade_all
from proofline.launch import keeping, spread
from proofline.records import Decoding, Demonstration, Grade, Problem, Solution
from proofline.storage.artifacts import write_json
from proofline.storage.records import read_records, write_records
from proofline.tracking import track


def main(policy: str) -> None:
    params, environment = load_params(), load_environment()
    section, folder = params.evaluation, Path("reports/evaluate", policy)
    weights = Path("models", policy).absolute()
    sections = {"evaluation": section, "prompts": params.prompts, "seed": params.seed}
    inputs = (f"models/{policy}", "data/problems/test.jsonl")
    with (
        track("evaluate", sections=sections, policy=policy) as run,
        keeping("evaluate", sections, inputs, environment, run, policy) as kept,
    ):
        from proofline.sampling.served import drawing_by

        problems = subset(read_records("data/problems/test.jsonl", Problem), section.problems)
        by_id = {problem.id: problem for problem in problems}
        demonstrations = read_records("data/demonstrations.jsonl", Demonstration)

        def solve(
            temperature: float, top_p: float, count: int, examples: Examples = NO_EXAMPLES
        ) -> tuple[list[Solution], list[Grade]]:
            decoding = Decoding(temperature=temperature, top_p=top_p, max_new_tokens=section.max_new_tokens)
            draw = drawing_by(
                environment, weights, policy,
                prompts=params.prompts, decoding=decoding, num_samples=count, run_seed=params.seed, examples=examples,
            )  # fmt: skip
            solutions = list(
                spread(
                    draw.function, problems, environment, shard_size=draw.shard_size, each=draw.each, draws=count,
                    kept=kept(Solution, decoding, count, examples),
                )
            )  # fmt: skip
            grade = partial(
                grade_all, problems=by_id, workers=environment.grader_workers,
                deadline_seconds=environment.grader_deadline_seconds,
            )  # fmt: skip
            grades = spread(grade, solutions, environment, shard_size=SHARD_SOLUTIONS, each="machine", kept=kept(Grade))
            return solutions, list(grades)

        train = read_records("data/problems/train.jsonl", Problem)
        greedy, samples = solve(0.0, 1.0, 1), solve(section.temperature, section.top_p, section.num_samples)
        examples = [draw_examples(demonstrations, train, problems, shots, params.seed) for shots in section.shots[1:]]
        drawn = [solve(0.0, 1.0, 1, some) for some in examples]
        few_shot = [row for rows, _ in drawn for row in rows], [row for _, rows in drawn for row in rows]
        shown = {row.id: row for row in demonstrations}
        read = partial(read_all, problems=by_id, prompt=params.prompts.solution, shown=shown)
        readings = [*read(*greedy), *read(*few_shot)]
        for name, rows in (("greedy", greedy), ("samples", samples), ("few_shot", few_shot)):
            write_records(folder / f"{name}.jsonl", rows[0])
            write_records(folder / f"{name.removesuffix('s')}_grades.jsonl", rows[1])
        write_records(folder / "readings.jsonl", readings)
        metrics = evaluate_policy(problems, *greedy, *samples, section, params.seed)
        write_json(folder / "metrics.json", metrics)
        run.log_metrics(scalars(metrics))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", required=True, choices=EVALUATED)
    main(parser.parse_args().policy)
