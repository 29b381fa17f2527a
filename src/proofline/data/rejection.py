"""Demonstrations that suit the base: its own right solutions, by rejection sampling (Yuan et al. 2023, "Scaling
Relationship on Learning Mathematical Reasoning", arXiv 2308.01825, section 3.3). Or the references, as they came.

In: references, and graded solutions of the base. Out: Demonstration rows in the problems' order and a ledger that
accounts for every solution. Kept are solutions that both graders call right, that ended by themselves and that state
no false equation; of a problem's, those that reckon alike are one, where the paper keeps the unlike by edit distance.
All rows, references too, state the answer in the form that is asked for. A sampled row has its solution's id.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from proofline.answers.forms import asked_forms, restated
from proofline.config.schema import Demonstrations
from proofline.data.graded import Candidate
from proofline.data.equations import find_equations
from proofline.data.verdicts import known_label
from proofline.records import Demonstration, Problem, Solution, stable_id

Ledger = dict[str, "int | float"]
REFUSALS = ("without_label", "wrong", "cut_off", "false_equation", "alike", "over_limit")
"""Why a solution is not demonstrated; the first that holds is counted."""


class DemonstrationsError(ValueError):
    """Nothing to demonstrate."""


def build_demonstrations(
    problems: Mapping[str, Problem],
    references: Sequence[Demonstration],
    drawn: Iterable[Candidate],
    section: Demonstrations,
    prompt: str,
    seed: int,
) -> tuple[list[Demonstration], Ledger]:
    """The rows of the section's source, and the ledger. `prompt`: the recipe's template. Raises DemonstrationsError."""
    rows, counts = (references, {}) if section.source == "reference" else sampled(problems, drawn, section, seed)
    if not rows:
        raise DemonstrationsError(
            f"no solution of the base is fit to be demonstrated: {counts}; sample more (sampling.base_problems, "
            "sampling.num_samples), ask in prompts.solution for an answer that can be read, or set "
            "demonstrations.source to reference"
        )
    shown = [_in_form(row, prompt, problems[row.problem_id]) for row in rows]
    again = sum(row.solution != before.solution for row, before in zip(shown, rows, strict=True))
    by_style = dict(sorted(Counter(row.style for row in rows).items()))
    return shown, {"demonstrations": len(rows), **by_style, "restated": again, **counts}


def sampled(
    problems: Mapping[str, Problem], drawn: Iterable[Candidate], section: Demonstrations, seed: int
) -> tuple[list[Demonstration], Ledger]:
    """The solutions that are demonstrated, and what became of all: every count there even where it is 0."""
    counts: Counter[str] = Counter()
    right: dict[str, list[Solution]] = defaultdict(list)
    for candidate in drawn:
        rows, reason = right[candidate.solution.problem_id], refusal(candidate)
        if reason:
            counts[reason] += 1
        else:
            rows.append(candidate.solution)
    taken: list[Solution] = []
    for rows in right.values():
        unlike: dict[object, Solution] = {}
        for solution in sorted(rows, key=_order(section, seed)):
            unlike.setdefault(reasoning(solution.text), solution)
        kept = list(unlike.values())[: section.per_problem]
        counts["alike"] += len(rows) - len(unlike)
        counts["over_limit"] += len(unlike) - len(kept)
        taken += kept
    solutions = len(taken) + counts.total()
    ledger: Ledger = {
        "problems_sampled": len(right),
        "problems_demonstrated": len({solution.problem_id for solution in taken}),
        "solutions": solutions,
        **{f"solutions_{name}": counts[name] for name in REFUSALS},
        "yield": len(taken) / solutions if solutions else float("nan"),
        "mean_tokens": sum(solution.num_tokens for solution in taken) / len(taken) if taken else float("nan"),
    }
    return [_demonstration(solution, problems[solution.problem_id]) for solution in taken], ledger


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
