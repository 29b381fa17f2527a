"""Grades of one policy in numbers: how many of each verdict, accuracy, mixed problems, where the graders disagree."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from sys import intern
from typing import get_args

from proofline.records import Grade, Problem, Undecided, Verdict

Summary = dict[str, "int | float | Summary"]


def summarise(grades: Iterable[Grade], problems: Mapping[str, Problem]) -> Summary:
    """Counts and shares over all grades, and the same by family; a share of nothing is NaN.

    `accuracy` is the share of solutions graded correct, unparsed ones included; `mixed` the share of problems with a
    correct solution and one that is not. `agreed` counts the solutions that both graders call right, or both wrong:
    those that may become training data; `disputed` those on which they differ, `single` those that one alone judged.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    outcomes: dict[str, int] = defaultdict(int)
    families: dict[str, str] = {}
    for grade in grades:
        if grade.problem_id not in families:
            families[grade.problem_id] = intern(problems[grade.problem_id].family)
        outcomes[grade.problem_id] |= 1 if grade.verdict == "correct" else 2
        counts[families[grade.problem_id]].update(_marks(grade))
    for problem_id, seen in outcomes.items():
        counts[families[problem_id]].update(problems=1, mixed=int(seen == 3))
    every = sum(counts.values(), Counter())
    return {**_numbers(every), "families": {family: _numbers(counts[family]) for family in sorted(counts)}}


def _marks(grade: Grade) -> dict[str, int]:
    """What one grade counts for."""
    cause = {_cause(grade.undecided): 1} if grade.undecided else {}
    judged = {"agreed": int(grade.agreed), "disputed": int(grade.disputed), "single": int(_single(grade))}
    return {"solutions": 1, grade.verdict: 1, **cause, **judged}


def _cause(undecided: Undecided) -> str:
    return f"unparsed_{undecided.replace(' ', '_')}"


def _numbers(counts: Counter[str]) -> Summary:
    solutions, problems = counts["solutions"], counts["problems"]
    names = ("solutions", *get_args(Verdict), *map(_cause, get_args(Undecided)), "agreed", "disputed", "single")
    return {
        **{name: counts[name] for name in names},
        "accuracy": counts["correct"] / solutions if solutions else float("nan"),
        "problems": problems,
        "mixed": counts["mixed"] / problems if problems else float("nan"),
    }


def disagreements(grades: Iterable[Grade], problems: Mapping[str, Problem]) -> list[dict[str, str]]:
    """The solutions that the graders do not judge alike, each with the answer, the reference and both reasons."""
    return [
        {
            "solution_id": grade.solution_id,
            "answer": grade.extracted or "",
            "reference": problems[grade.problem_id].answer,
            "first": f"{grade.verdict}: {grade.reason}",
            "second": f"{grade.second_verdict}: {grade.second_reason}",
        }
        for grade in grades
        if grade.disputed or _single(grade)
    ]


def _single(grade: Grade) -> bool:
    return grade.second_verdict is not None and (grade.verdict == "unparsed") != (grade.second_verdict == "unparsed")
