"""Demonstrations that suit the base: its own right solutions, by rejection sampling (Yuan et al. 2023, "Scaling
Relationship on Learning Mathematical Reasoning", arXiv 2308.01825, section 3.3). Or the references, as they came.

In: references, and graded solutions of the base. Out: Demonstration rows in the problems' order and a ledger that
accounts for every solution. Kept are solutions that both graders call right, that ended by themselves and that state
no false equation; of a problem's, those that reckon alike are one, where the paper keeps the unlike by edit distance.
All rows, references too, state the answer in the form that is asked for. A sampled row has its solution's id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from proofline.answers.forms import asked_forms, restated
from proofline.config.schema import Demonstrations
from proofline.data.equations import find_equations
from proofline.data.graded import Candidate, Sampled
from proofline.data.verdicts import known_label
from proofline.records import Demonstration, Problem, Solution, stable_id

Ledger = dict[str, "int | float"]
REFUSALS = ("without_label", "wrong", "cut_off", "false_equation", "alike", "over_limit")
"""Why a solution is not demonstrated; the first that holds is counted."""
STYLE = "style "
"""Before a style's name among the counts."""


class DemonstrationsError(ValueError):
    """Nothing to demonstrate."""


def build_demonstrations(
    problems: Mapping[str, Problem],
    references: Iterable[Demonstration],
    sampled: Iterable[Sampled],
    section: Demonstrations,
    prompt: str,
    seed: int,
    counts: Counter[str],
) -> Iterator[Demonstration]:
    """The rows of the section's source, counted in passing: see `ledger`. `prompt`: the recipe's template.

    Raises DemonstrationsError, in the end, where there are none.
    """
    for row in references if section.source == "reference" else _chosen(sampled, section, seed, counts):
        shown = _in_form(row, prompt, problems[row.problem_id])
        counts["demonstrations"] += 1
        counts["restated"] += shown.solution != row.solution
        counts[f"{STYLE}{row.style}"] += 1
        yield shown
    if not counts["demonstrations"]:
        raise DemonstrationsError(
            f"no solution of the base is fit to be demonstrated: {ledger(counts)}; sample "
            "more (sampling.base_problems, sampling.num_samples), ask in prompts.solution for an answer that can be "
            "read, or set demonstrations.source to reference"
        )


def ledger(counts: Counter[str]) -> Ledger:
    """What `build_demonstrations` has counted; of solutions, where there were some, every count though it is 0."""
    styles = {name.removeprefix(STYLE): counts[name] for name in sorted(counts) if name.startswith(STYLE)}
    shown: Ledger = {"demonstrations": counts["demonstrations"], **styles, "restated": counts["restated"]}
    if not counts["problems_sampled"]:
        return shown
    refused = {f"solutions_{name}": counts[name] for name in REFUSALS}
    taken = counts["taken"]
    solutions = taken + sum(refused.values())
    return {
        **shown,
        "problems_sampled": counts["problems_sampled"],
        "problems_demonstrated": counts["problems_demonstrated"],
        "solutions": solutions,
        **refused,
        "yield": taken / solutions,
        "mean_tokens": counts["tokens"] / taken if taken else float("nan"),
    }


def _chosen(
    sampled: Iterable[Sampled], section: Demonstrations, seed: int, counts: Counter[str]
) -> Iterator[Demonstration]:
    """The solutions that are demonstrated, problem by problem."""
    for problem, streams in sampled:
        right: list[Solution] = []
        for candidate in (row for rows in streams for row in rows):
            if reason := refusal(candidate):
                counts[reason] += 1
            else:
                right.append(candidate.solution)
        unlike: dict[object, Solution] = {}
        for solution in sorted(right, key=_order(section, seed)):
            unlike.setdefault(reasoning(solution.text), solution)
        taken = list(unlike.values())[: section.per_problem]
        counts.update(
            alike=len(right) - len(unlike), over_limit=len(unlike) - len(taken), taken=len(taken),
            problems_sampled=1, problems_demonstrated=bool(taken), tokens=sum(row.num_tokens for row in taken),
        )  # fmt: skip
        for solution in taken:
            yield _demonstration(solution, problem)


def refusal(candidate: Candidate) -> str | None:
    """Why a solution is not to be learnt from; None where it may be."""
    solution, label = candidate.solution, known_label(candidate.grade)
    if not label:
        return "without_label" if label is None else "wrong"
    if not solution.finished:
        return "cut_off"
    return None if all(equation.holds for equation in find_equations(solution.text)) else "false_equation"


def reasoning(text: str) -> object:
    """What a solution reckons, in order, whatever words stand around it: equal for solutions that reckon alike."""
    return tuple(equation.reckoning for equation in find_equations(text))


def _order(section: Demonstrations, seed: int) -> Callable[[Solution], tuple[int, str]]:
    def key(solution: Solution) -> tuple[int, str]:
        length = solution.num_tokens if section.rule == "shortest" else 0
        return length, stable_id("demonstrated", seed, solution.id)

    return key


def _demonstration(solution: Solution, problem: Problem) -> Demonstration:
    return Demonstration(
        id=solution.id,
        problem_id=problem.id,
        question=problem.question,
        solution=solution.text,
        style=solution.policy,
    )


def _in_form(row: Demonstration, prompt: str, problem: Problem) -> Demonstration:
    """The row, its answer as the prompt asks for it; where it names no form, as the problem's source states it."""
    return row.model_copy(update={"solution": restated(row.solution, asked_forms([prompt], problem.solution))})
