"""Grades of one policy in numbers: how many of each verdict, accuracy, mixed problems, where the graders disagree."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import get_args

from proofline.records import Grade, Problem, Undecided, Verdict

Summary = dict[str, "int | float | Summary"]


def summarise(grades: Sequence[Grade], problems: Mapping[str, Problem]) -> Summary:
    """Counts and shares over all grades, and the same by family; a share of nothing is NaN.

    `accuracy` is the share of solutions graded correct, unparsed ones included; `mixed` the share of problems with a
    correct solution and one that is not. `agreed` counts the solutions that both graders call right, or both wrong:
    those that may become training data; `disputed` those on which they differ, `single` those that one alone judged.
    """
    families = sorted({problems[grade.problem_id].family for grade in grades})
    by_family: Summary = {
        family: _numbers([grade for grade in grades if problems[grade.problem_id].family == family])
        for family in families
    }
    return {**_numbers(grades), "families": by_family}


def _numbers(grades: Sequence[Grade]) -> Summary:
    counts = Counter(grade.verdict for grade in grades)
    outcomes: dict[str, set[bool]] = defaultdict(set)
    undecided = Counter(grade.undecided for grade in grades)
    for grade in grades:
        outcomes[grade.problem_id].add(grade.verdict == "correct")
    mixed = sum(len(seen) == 2 for seen in outcomes.values())
    return {
        "solutions": len(grades),
        **{verdict: counts[verdict] for verdict in get_args(Verdict)},
        **{f"unparsed_{cause.replace(' ', '_')}": undecided[cause] for cause in get_args(Undecided)},
        "agreed": sum(grade.agreed for grade in grades),
        "disputed": sum(grade.disputed for grade in grades),
        "single": sum(_single(grade) for grade in grades),
        "accuracy": counts["correct"] / len(grades) if grades else float("nan"),
        "problems": len(outcomes),
        "mixed": mixed / len(outcomes) if outcomes else float("nan"),
    }


def disagreements(grades: Sequence[Grade], problems: Mapping[str, Problem]) -> list[dict[str, str]]:
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
