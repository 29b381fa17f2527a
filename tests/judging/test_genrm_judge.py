"""The trained verifier as judge."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from solved import sides

from proofline.judging.genrm import judge_by_genrm
from proofline.records import Verification


def scored(by_text: dict[str, float], asked: list[str]) -> Any:
    def score(candidates: Sequence[Any]) -> list[Verification]:
        asked.extend(solution.id for _, solution, _ in candidates)
        return [
            Verification(
                solution_id=solution.id, problem_id=problem.id, label=label, p_yes=by_text[solution.text],
                p_yes_per_chain=(by_text[solution.text],), chains=(f"about {solution.text}",), tokens_per_chain=(7,),
            )
            for problem, solution, label in candidates
        ]  # fmt: skip

    return score


def test_the_larger_p_yes_wins_and_no_verdict_is_no_tie() -> None:
    asked: list[str] = []
    p_yes = {"good": 0.9, "bad": 0.2, "as good": 0.9, "mute": math.nan}
    texts = [("good", "bad"), ("bad", "good"), ("good", "as good"), ("good", "mute"), ("mute", "mute"), ("bad", "bad")]
    rows = judge_by_genrm(scored(p_yes, asked), sides(*texts), "genrm 0123")
    assert [row.winner for row in rows] == ["policy", "opponent", "tie", None, "tie", "tie"]
    assert [row.reason for row in rows][3:] == ["no chain of a solution has a verdict", *["identical solutions"] * 2]
    assert (rows[0].scores, rows[0].replies, rows[0].tokens) == ((0.9, 0.2), ("about good", "about bad"), (7, 7))
    assert (rows[0].judge, rows[0].by_order, rows[0].server) == ("genrm 0123", (), "")
    assert len(asked) == 8, "identical solutions are not scored"


def test_a_solution_is_scored_once_for_all_comparisons() -> None:
    asked: list[str] = []
    once = sides(("good", "bad"), ("bad", "good"))
    judge_by_genrm(scored({"good": 0.9, "bad": 0.2}, asked), [*once, *once], "genrm 0123")
    assert len(asked) == len(set(asked)) == 4
