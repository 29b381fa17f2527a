"""Two policies' greedy solutions of the same problems. Identical ones tie unjudged: exactly one half each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from proofline.records import Judgement, Problem, Solution

IDENTICAL = "identical solutions"


class JudgingError(ValueError):
    """Solutions that cannot be compared."""


@dataclass(frozen=True)
class Sides:
    """One problem, solved by both."""

    problem: Problem
    ours: Solution
    theirs: Solution

    @property
    def identical(self) -> bool:
        return self.ours.text.strip() == self.theirs.text.strip()

    def tie(self, judge: str) -> Judgement:
        """The judgement of identical solutions."""
        return Judgement(
            problem_id=self.problem.id, policy=self.ours.policy, opponent=self.theirs.policy, winner="tie",
            reason=IDENTICAL, judge=judge,
        )  # fmt: skip


def pair_up(problems: Sequence[Problem], ours: Sequence[Solution], theirs: Sequence[Solution]) -> list[Sides]:
    """In the order of the problems. Raises JudgingError where a problem has no solution by one of the two."""
    mine, others = ({solution.problem_id: solution for solution in side} for side in (ours, theirs))
    for problem in problems:
        if problem.id not in mine or problem.id not in others:
            raise JudgingError(f"{problem.id} has no greedy solution by both policies; `dvc repro` makes them")
    return [Sides(problem, mine[problem.id], others[problem.id]) for problem in problems]


def judge_different(
    sides: Sequence[Sides], judge: str, decide: Callable[[Sequence[Sides]], Sequence[Judgement]]
) -> list[Judgement]:
    """A judgement for each: by `decide` where the solutions differ."""
    decided = iter(decide([one for one in sides if not one.identical]))
    return [one.tie(judge) if one.identical else next(decided) for one in sides]
