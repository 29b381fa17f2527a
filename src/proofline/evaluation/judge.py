"""The offline judge: whose greedy solution of a problem is right. It needs no network and makes no mistakes.

In: grades of two policies' greedy solutions of the same problems. Out: one `Judgement` a problem, and win rates
(wins + ties / 2) / n. Both right, or neither, is a tie. So the win rate is one half plus half the difference of
accuracies, and its interval and p-value are those of the paired difference (`Clusters.compare`).
Win rates of judges that read solutions (`proofline.judging`) are made here too, of what they gave a verdict on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from proofline.config.schema import Evaluation
from proofline.evaluation.clusters import Clusters
from proofline.evaluation.metrics import Metrics
from proofline.evaluation.tally import EvaluationError, benchmark_of, in_order
from proofline.records import Grade, Judgement, Problem

JUDGE = "ground_truth"


def judge(
    problems: Sequence[Problem], policy: str, opponent: str, ours: Sequence[Grade], theirs: Sequence[Grade]
) -> list[Judgement]:
    """Pairwise verdicts in the order of `problems`."""
    our_grades, their_grades = _by_problem(policy, ours), _by_problem(opponent, theirs)
    rows = []
    for problem in problems:
        if problem.id not in our_grades or problem.id not in their_grades:
            raise EvaluationError(f"{problem.id} has no graded greedy solution by both {policy} and {opponent}")
        a, b = our_grades[problem.id].verdict, their_grades[problem.id].verdict
        winner: Literal["policy", "opponent", "tie"] = "tie"
        if (a == "correct") != (b == "correct"):
            winner = "policy" if a == "correct" else "opponent"
        rows.append(
            Judgement(
                problem_id=problem.id,
                policy=policy,
                opponent=opponent,
                winner=winner,
                reason=f"{policy} {a}, {opponent} {b}",
                judge=JUDGE,
            )
        )
    return rows


def win_rates(problems: Sequence[Problem], judgements: Sequence[Judgement], section: Evaluation, seed: int) -> Metrics:
    """One policy against its opponent, overall and per benchmark. `seed` decides the bootstrap's draws alone."""
    judge_name = " and ".join(sorted({row.judge for row in judgements}))
    judgements = [row for row in judgements if row.winner]
    of = {problem.id: problem for problem in problems}
    parts = {row.problem_id: benchmark_of(of[row.problem_id]) for row in judgements}

    def measure(rows: Sequence[Judgement]) -> Metrics:
        won, lost = (np.array([row.winner == side for row in rows], bool) for side in ("policy", "opponent"))
        paired = Clusters.of([of[row.problem_id] for row in rows], section, seed).compare(won, lost)
        return {
            "win_rate": paired.difference.scaled(0.5, 0.5)._asdict(),
            "p_value": paired.p_value,
            "wins": paired.wins,
            "losses": paired.losses,
            "ties": paired.ties,
        }

    return {
        "judge": judge_name,
        "overall": measure(judgements),
        "benchmarks": {
            name: measure([row for row in judgements if parts[row.problem_id] == name])
            for name in in_order(parts.values())
        },
    }


def _by_problem(policy: str, grades: Sequence[Grade]) -> dict[str, Grade]:
    found = {grade.problem_id: grade for grade in grades}
    if len(found) != len(grades):
        raise EvaluationError(
            f"{policy}: {len(grades)} grades of {len(found)} problems; grade one greedy solution each"
        )
    return found
