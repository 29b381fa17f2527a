"""The trained verifier as judge: the solution with the larger P(Yes) wins (Zhang et al. 2024).

It sees one solution at a time and no reference, so there is no order to be biased by; and it is a model of this very
study, so its win rates are no outside opinion. The judged policies include its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from proofline.judging.sides import Sides, judge_different
from proofline.records import Judgement, Problem, Side, Solution, Verdict, Verification

Candidates = Sequence[tuple[Problem, Solution, Verdict]]
Score = Callable[[Candidates], Sequence[Verification]]
"""Scores candidates, in their order; the verdict is a label that it does not look at."""


def judge_by_genrm(score: Score, sides: Sequence[Sides], judge: str) -> list[Judgement]:
    """In the order of `sides`. Each different solution is scored once."""

    def decide(different: Sequence[Sides]) -> list[Judgement]:
        candidates = {
            solution.id: (one.problem, solution, _UNKNOWN) for one in different for solution in (one.ours, one.theirs)
        }
        scored = {row.solution_id: row for row in score(list(candidates.values()))}
        return [_judgement(one, scored[one.ours.id], scored[one.theirs.id], judge) for one in different]

    return judge_different(sides, judge, decide)


def _judgement(one: Sides, ours: Verification, theirs: Verification, judge: str) -> Judgement:
    scores = (ours.p_yes, theirs.p_yes)
    winner: Side | None = "policy" if scores[0] > scores[1] else "opponent" if scores[1] > scores[0] else "tie"
    reason = "the larger P(Yes) wins"
    if any(map(math.isnan, scores)):
        winner, reason = None, "no chain of a solution has a verdict"
    return Judgement(
        problem_id=one.problem.id,
        policy=one.ours.policy,
        opponent=one.theirs.policy,
        winner=winner,
        reason=reason,
        judge=judge,
        replies=(*ours.chains, *theirs.chains),
        scores=scores,
        tokens=(sum(ours.tokens_per_chain), sum(theirs.tokens_per_chain)),
        server=ours.server,
    )


_UNKNOWN: Verdict = "unparsed"
