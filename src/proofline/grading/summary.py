"""Grades of one policy in numbers: how many of each verdict, accuracy, and how many problems are mixed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import get_args

from proofline.records import Grade, Problem, Verdict

Summary = dict[str, "int | float | Summary"]


def summarise(grades: Sequence[Grade], problems: Mapping[str, Problem]) -> Summary:
    """Counts and shares over all grades, and the same by family; a share of nothing is NaN.

    `accuracy` is the share of solutions graded correct, unparsed ones included; `mixed` the share of problems with a
    correct solution and one that is not: those that give preference pairs.
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
    for grade in grades:
        outcomes[grade.problem_id].add(grade.verdict == "correct")
    mixed = sum(len(seen) == 2 for seen in outcomes.values())
    return {
        "solutions": len(grades),
        **{verdict: counts[verdict] for verdict in get_args(Verdict)},
        "accuracy": counts["correct"] / len(grades) if grades else float("nan"),
        "problems": len(outcomes),
        "mixed": mixed / len(outcomes) if outcomes else float("nan"),
    }
