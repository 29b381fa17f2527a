"""Training problems -> demonstrations for supervised fine-tuning.

Generated problems are written out by the generator, in its styles; a published problem's own solution is its
demonstration, style `reference`. Where there are more than the recipe's limit the lowest hashes stay, so the choice
depends neither on order nor on the other problems; they are other hashes than `subset`'s, so that the problems
sampled later are no more often demonstrated ones than chance has it.
"""

from __future__ import annotations

from collections.abc import Sequence

from proofline.data import synthetic
from proofline.records import Demonstration, Problem, stable_id


def write_demonstrations(train: Sequence[Problem], limit: int, seed: int) -> list[Demonstration]:
    """One demonstration for each of at most `limit` training problems, in the problems' order."""
    ordered = sorted((problem.id for problem in train), key=lambda problem_id: stable_id("demonstrated", problem_id))
    chosen = set(ordered[:limit])
    problems = [problem for problem in train if problem.id in chosen]
    generated = synthetic.demonstrations((problem for problem in problems if problem.source == "synthetic"), seed)
    by_problem = {row.problem_id: row for row in generated}
    return [by_problem.get(problem.id) or _reference(problem) for problem in problems]


def _reference(problem: Problem) -> Demonstration:
    return Demonstration(
        id=stable_id("demonstration", problem.id, "reference"),
        problem_id=problem.id,
        question=problem.question,
        solution=problem.solution,
        style="reference",
    )
