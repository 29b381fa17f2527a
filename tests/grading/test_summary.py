"""Counts, accuracy and mixed problems of a policy's grades."""

from __future__ import annotations

import math

from proofline.grading.summary import summarise
from proofline.records import Grade, Problem, Verdict


def problem(name: str, family: str) -> Problem:
    return Problem(id=name, source="synthetic", family=family, split="train", question=name, solution="#### 1",
                   answer="1", skeleton=name)  # fmt: skip


def grades(name: str, *verdicts: Verdict) -> list[Grade]:
    return [Grade(solution_id=f"{name}{i}", problem_id=name, verdict=verdict, extracted=None, reason="r", grader="g")
            for i, verdict in enumerate(verdicts)]  # fmt: skip


def test_a_problem_is_mixed_where_some_are_right_and_some_are_not() -> None:
    problems = {name: problem(name, family) for name, family in (("a", "word"), ("b", "word"), ("c", "math"))}
    rows = [*grades("a", "correct", "wrong"), *grades("b", "wrong", "unparsed"), *grades("c", "correct", "unparsed")]
    summary = summarise(rows, problems)
    assert (summary["solutions"], summary["correct"], summary["wrong"], summary["unparsed"]) == (6, 2, 2, 2)
    assert (summary["accuracy"], summary["mixed"]) == (2 / 6, 2 / 3)
    assert summary["families"]["word"]["mixed"] == 1 / 2
    assert list(summary["families"]) == ["math", "word"]


def test_shares_of_nothing_are_undefined() -> None:
    summary = summarise([], {})
    assert math.isnan(summary["accuracy"])
    assert math.isnan(summary["mixed"])
