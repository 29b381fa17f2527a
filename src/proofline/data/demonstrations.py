"""Training problems -> reference demonstrations for supervised fine-tuning.

Generated problems are written out by the generator, in its styles; a problem's own solution is its demonstration, style
`reference`; a user's problem without one has that of the recipe's template, style `template`, or none. Where there are
more than the recipe's limit the lowest hashes stay, so the choice depends neither on order nor on the other problems;
they are other hashes than `subset`'s, so that the problems sampled later are no more often demonstrated ones than
chance has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from proofline.data import synthetic
from proofline.records import Demonstration, Problem, stable_id

NONE: Mapping[str, str | None] = MappingProxyType({})


def write_demonstrations(
    train: Sequence[Problem], limit: int, seed: int, templated: Mapping[str, str | None] = NONE
) -> list[Demonstration]:
    """One demonstration for each of at most `limit` training problems, in the problems' order.

    `templated`: by the id of a problem that came without a solution, the template's; None: it is not demonstrated.
    """
    train = [problem for problem in train if templated.get(problem.id, "") is not None]
    ordered = sorted((problem.id for problem in train), key=lambda problem_id: stable_id("demonstrated", problem_id))
    chosen = set(ordered[:limit])
    problems = [problem for problem in train if problem.id in chosen]
    generated = synthetic.demonstrations((problem for problem in problems if problem.source == "synthetic"), seed)
    by_problem = {row.problem_id: row for row in generated}
    return [by_problem.get(problem.id) or _given(problem, templated.get(problem.id)) for problem in problems]


def _given(problem: Problem, templated: str | None) -> Demonstration:
    style = "reference" if templated is None else "template"
    return Demonstration(
        id=stable_id("demonstration", problem.id, style),
        problem_id=problem.id,
        question=problem.question,
        solution=problem.solution if templated is None else templated,
        style=style,
    )
