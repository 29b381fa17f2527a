"""evaluate: a policy's greedy and sampled solutions of test problems, graded and read -> reports/evaluate/<policy>/."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

import _checkout  # noqa: F401 - before the package

from proofline.config import Environment, load_environment, load_params
from proofline.config.schema import EVALUATED, Evaluation, Prompts
from proofline.data.examples import NO_EXAMPLES, Examples, draw_examples
from proofline.data.subset import subset
from proofline.evaluation.metrics import evaluate_policy, scalars
from proofline.evaluation.readings import read_all
from proofline.grading import SHARD_SOLUTIONS, grade_all
from proofline.launch import keeping, spread
from proofline.launch.kept import Parts
from proofline.records import Decoding, Demonstration, Grade, Problem, Solution
from proofline.storage.artifacts import write_json
from proofline.storage.records import write_records
from proofline.storage.rows import ById, Rows, write_rows
from proofline.tracking import track

GREEDY = (0.0, 1.0)
"""Temperature and top-p."""


def main(policy: str) -> None:
    params, environment = load_params(), load_environment()
    section, folder = params.evaluation, Path("reports/evaluate", policy)
    sections = {"evaluation": section, "prompts": params.prompts, "seed": params.seed}
    inputs = (f"models/{policy}", "data/problems/test.jsonl")
    with (
        track("evaluate", sections=sections, policy=policy) as run,
        keeping("evaluate", sections, inputs, environment, run, policy) as kept,
    ):
        problems = subset(Rows(inputs[1], Problem), section.problems)
        by_id = ById(problems)
        train = Rows("data/problems/train.jsonl", Problem)
        demonstrations = Rows("data/demonstrations.jsonl", Demonstration)
        examples = [draw_examples(demonstrations, train, problems, shots, params.seed) for shots in section.shots[1:]]
        draw = partial(drawn, policy, problems, section, params.prompts, params.seed, environment, kept)
        solve = partial(solved, folder, by_id, environment, kept)
        greedy = solve("greedy", draw(GREEDY, 1))
        samples = solve("samples", draw((section.temperature, section.top_p), section.num_samples))
        few_shot = solve("few_shot", chain.from_iterable(draw(GREEDY, 1, some) for some in examples))
        shown = {row.id: row for some in examples for rows in some.values() for row in rows}
        read = partial(read_all, problems=by_id, prompt=params.prompts.solution, shown=shown)
        write_records(folder / "readings.jsonl", chain(read(*greedy), read(*few_shot)))
        metrics = evaluate_policy(problems, *greedy, *samples, section, params.seed)
        write_json(folder / "metrics.json", metrics)
        run.log_metrics(scalars(metrics))


def drawn(
    policy: str,
    problems: Sequence[Problem],
    section: Evaluation,
    prompts: Prompts,
    seed: int,
    environment: Environment,
    kept: Parts,
    chance: tuple[float, float],
    count: int,
    examples: Examples = NO_EXAMPLES,
) -> Iterator[Solution]:
    """`count` solutions of each problem, at a temperature and top-p, after these examples."""
    from proofline.sampling.served import drawing_by

    temperature, top_p = chance
    decoding = Decoding(temperature=temperature, top_p=top_p, max_new_tokens=section.max_new_tokens)
    by = drawing_by(
        environment, Path("models", policy).absolute(), policy,
        prompts=prompts, decoding=decoding, num_samples=count, run_seed=seed, examples=examples,
    )  # fmt: skip
    return spread(
        by.function, problems, environment, shard_size=by.shard_size, each=by.each, draws=count,
        kept=kept(Solution, decoding, count, examples),
    )  # fmt: skip


def solved(
    folder: Path,
    problems: Mapping[str, Problem],
    environment: Environment,
    kept: Parts,
    name: str,
    solutions: Iterable[Solution],
) -> tuple[Rows[Solution], Rows[Grade]]:
    """Solutions and their grades, written as they come."""
    grade = partial(
        grade_all, problems=problems, workers=environment.grader_workers,
        deadline_seconds=environment.grader_deadline_seconds,
    )  # fmt: skip
    rows = write_rows(folder / f"{name}.jsonl", solutions, Solution)
    grades = spread(grade, rows, environment, shard_size=SHARD_SOLUTIONS, each="machine", kept=kept(Grade))
    return rows, write_rows(folder / f"{name.removesuffix('s')}_grades.jsonl", grades, Grade)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", required=True, choices=EVALUATED)
    main(parser.parse_args().policy)
