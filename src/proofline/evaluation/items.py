"""The test problems one by one, and which of them stand behind a number.

In: problems, every policy's graded greedy solutions, the verified policy's samples and their verifications.
Out: `Items`, and what a query selects of them: pairs of a condition and its value, all of which must hold. `page.js`
asks the same conditions of the page's data.

    benchmark=synthetic/word  right=dpo  wrong=dpo  shows=dpo  hides=dpo        the problem; the greedy solution to it
    any=dpo  mixed=dpo  more=dpo~sft  picked=right                              all its samples
    graded=wrong  genrm=accepted  steps=shown                                   at least one and the same candidate

Wrong means not right: an answer that could not be read counts as well. A candidate without a verdict is not accepted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from proofline.evaluation.selection import RIGHT, best_of_k
from proofline.evaluation.study import PolicyResults
from proofline.evaluation.tally import EvaluationError, benchmark_of, in_order
from proofline.records import Grade, Problem, Solution, Verification

Query = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Graded:
    """A solution and what the graders say of it."""

    solution: Solution
    grade: Grade
    shows_steps: bool

    @property
    def right(self) -> bool:
        return self.grade.verdict == "correct"


@dataclass(frozen=True)
class Candidate(Graded):
    """A sample that the verifier has scored."""

    verification: Verification

    @property
    def accepted(self) -> bool:
        return self.verification.p_yes > 0.5


@dataclass(frozen=True)
class Item:
    """A test problem and all that was tried on it."""

    problem: Problem
    greedy: Mapping[str, Graded]
    """By policy."""
    right_samples: Mapping[str, int]
    """How many of a policy's samples are right."""
    candidates: tuple[Candidate, ...]

    @cached_property
    def picked(self) -> float:
        """Chance that the candidate with the highest P(Yes) is right, ties shared; NaN where there is none."""
        answers = np.array([RIGHT if one.right else RIGHT + 1 for one in self.candidates])
        return best_of_k(answers, np.array([one.verification.p_yes for one in self.candidates]), len(answers))


@dataclass(frozen=True)
class Items:
    """All of them, in the order of the problems."""

    rows: tuple[Item, ...]
    num_samples: int
    verified: str
    """The policy whose samples are the candidates."""

    @property
    def benchmarks(self) -> list[str]:
        return in_order(benchmark_of(item.problem) for item in self.rows)

    def select(self, query: Query) -> list[tuple[Item, list[Candidate]]]:
        """The items for which every condition holds, and of each the candidates for which theirs do."""
        found = []
        for item in self.rows:
            if all(ITEM_CONDITIONS[name](self, item, value) for name, value in query if name in ITEM_CONDITIONS):
                asked = [(CANDIDATE_CONDITIONS[name], value) for name, value in query if name not in ITEM_CONDITIONS]
                kept = [one for one in item.candidates if all(holds(one, value) for holds, value in asked)]
                if kept or not asked:
                    found.append((item, kept))
        return found


def _more(items: Items, item: Item, policies: str) -> bool:
    one, other = policies.split("~")
    return item.right_samples[one] > item.right_samples[other]


ITEM_CONDITIONS: dict[str, Callable[[Items, Item, str], bool]] = {
    "benchmark": lambda items, item, value: benchmark_of(item.problem) == value,
    "right": lambda items, item, policy: item.greedy[policy].right,
    "wrong": lambda items, item, policy: not item.greedy[policy].right,
    "shows": lambda items, item, policy: item.greedy[policy].shows_steps,
    "hides": lambda items, item, policy: not item.greedy[policy].shows_steps,
    "any": lambda items, item, policy: item.right_samples[policy] > 0,
    "mixed": lambda items, item, policy: 0 < item.right_samples[policy] < items.num_samples,
    "more": _more,
    "picked": lambda items, item, value: (item.picked > 0) == (value == "right"),
}
CANDIDATE_CONDITIONS: dict[str, Callable[[Candidate, str], bool]] = {
    "graded": lambda one, value: one.right == (value == "right"),
    "genrm": lambda one, value: one.accepted == (value == "accepted"),
    "steps": lambda one, value: one.shows_steps == (value == "shown"),
}


def gather_items(
    problems: Sequence[Problem],
    results: Mapping[str, PolicyResults],
    greedy: Mapping[str, Sequence[Solution]],
    verified: str,
    samples: Iterable[Candidate],
) -> Items:
    """`greedy`: the solutions that `results` grades. Raises EvaluationError where a problem lacks one."""
    by_problem: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in samples:
        by_problem[candidate.solution.problem_id].append(candidate)
    solved = {policy: _graded(greedy[policy], results[policy]) for policy in results}
    right = {policy: _right_samples(results[policy].sample_grades) for policy in results}
    rows = []
    for problem in problems:
        if missing := [policy for policy in results if problem.id not in solved[policy]]:
            raise EvaluationError(f"{problem.id} has no graded greedy solution of {missing[0]}: `dvc repro` makes it")
        rows.append(
            Item(
                problem,
                {policy: solved[policy][problem.id] for policy in results},
                {policy: right[policy][problem.id] for policy in results},
                tuple(by_problem[problem.id]),
            )
        )
    num_samples = len(results[verified].sample_grades) // max(len(problems), 1)
    return Items(tuple(rows), num_samples, verified)


def candidates(
    samples: Iterable[Solution], grades: Iterable[Grade], shown: Mapping[str, bool], rows: Iterable[Verification]
) -> list[Candidate]:
    """The samples that have a verification. `shown`: does it show its steps? By id."""
    verified, graded = {row.solution_id: row for row in rows}, {grade.solution_id: grade for grade in grades}
    return [
        Candidate(one, graded[one.id], shown[one.id], verified[one.id])
        for one in samples
        if one.id in graded and one.id in verified
    ]


def _graded(solutions: Iterable[Solution], results: PolicyResults) -> dict[str, Graded]:
    grades = {grade.solution_id: grade for grade in results.greedy_grades}
    return {
        one.problem_id: Graded(one, grades[one.id], results.worked[one.id]) for one in solutions if one.id in grades
    }


def _right_samples(grades: Iterable[Grade]) -> dict[str, int]:
    right: dict[str, int] = defaultdict(int)
    for grade in grades:
        right[grade.problem_id] += grade.verdict == "correct"
    return right
