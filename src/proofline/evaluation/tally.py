"""Grades as arrays, one row a problem; and the benchmarks they are reported under.

In: problems and the grades of their solutions. Out: `Tally` with answers of shape (problems, samples).
All right answers are one vote, and wrong ones are where they are equal (`20.0` and `$20.00`, `3/4` and `0.75`), by the
second grader's equivalence; what that cannot compare is another vote unless it is spelled alike. An answer that cannot
be compared with the reference votes too: whoever votes does not know the reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from sys import intern

import numpy as np

from proofline.answers import equivalent
from proofline.evaluation.selection import RIGHT, UNREAD, Floats, Ints
from proofline.records import Grade, Problem

BENCHMARKS = {
    "synthetic/word": "Synthetic word",
    "synthetic/math": "Synthetic math",
    "gsm8k/word": "GSM8K",
    "math/math": "MATH",
}


class EvaluationError(ValueError):
    """Grades that do not belong to the problems, or not equally many for each."""


@dataclass(frozen=True)
class Tally:
    """What was answered, problem by problem."""

    problem_ids: tuple[str, ...]
    benchmarks: tuple[str, ...]
    """`source/family` of each problem."""
    solution_ids: tuple[tuple[str, ...], ...]
    answers: Ints
    """(problems, samples): `RIGHT`, `UNREAD` (none was read), or another number per wrong answer of the problem."""

    @property
    def right(self) -> Floats:
        """(problems, samples), 1 where right."""
        return (self.answers == RIGHT).astype(float)

    @property
    def unread(self) -> Floats:
        return (self.answers == UNREAD).astype(float)

    def parts(self) -> dict[str, Ints]:
        """Row numbers of each benchmark."""
        return {name: np.flatnonzero(np.array(self.benchmarks) == name) for name in in_order(self.benchmarks)}


def tally(problems: Iterable[Problem], grades: Iterable[Grade], samples: int | None = None) -> Tally:
    """Group grades by problem, in the order of `problems`. `samples`: how many each must have; None: equally many.

    A problem's grades lie together, as they are written: of those that have passed, ids and numbers are held.
    """
    ids: dict[str, tuple[str, ...]] = {}
    rows: dict[str, list[int]] = {}
    for problem_id, group in groupby(grades, key=attrgetter("problem_id")):
        if problem_id in rows:
            raise EvaluationError(
                f"the grades of {problem_id} do not lie together; `dvc repro` writes them so, sort an edited file"
            )
        row = list(group)
        ids[problem_id], rows[problem_id] = tuple(grade.solution_id for grade in row), _answers(row)
    benchmarks = {problem.id: intern(benchmark_of(problem)) for problem in problems}
    if strangers := rows.keys() - benchmarks:
        raise EvaluationError(f"{len(strangers)} graded problems are not evaluated ones, e.g. {min(strangers)}")
    expected = samples or max((len(row) for row in rows.values()), default=0)
    for name in benchmarks:
        if (found := len(rows.get(name, ()))) != expected:
            raise EvaluationError(
                f"{name} has {found} grades where {expected} are expected: grade all solutions of all problems, once"
            )
    answers = [rows.get(name, []) for name in benchmarks]
    return Tally(
        problem_ids=tuple(benchmarks),
        benchmarks=tuple(benchmarks.values()),
        solution_ids=tuple(ids.get(name, ()) for name in benchmarks),
        answers=np.array(answers, dtype=np.int64).reshape(len(answers), expected),
    )


def _answers(row: Sequence[Grade]) -> list[int]:
    distinct: list[str] = []
    answers = []
    for grade in row:
        if grade.verdict == "correct":
            answers.append(RIGHT)
        elif grade.extracted is None:
            answers.append(UNREAD)
        else:
            answers.append(_number_of(grade.extracted, distinct) + 1)
    return answers


def _number_of(answer: str, distinct: list[str]) -> int:
    """Place of the first answer in `distinct` that is equal to this one; a new one is appended."""
    for number, other in enumerate(distinct):
        if answer == other or equivalent(answer, other):
            return number
    distinct.append(answer)
    return len(distinct) - 1


def benchmark_of(problem: Problem) -> str:
    return f"{problem.source}/{problem.family}"


def benchmark_title(name: str) -> str:
    """`gsm8k/word` -> `GSM8K`."""
    return BENCHMARKS.get(name, name)


def in_order(benchmarks: Iterable[str]) -> list[str]:
    """Each once, in the order of `BENCHMARKS`, unknown ones last."""
    known = list(BENCHMARKS)
    return sorted(set(benchmarks), key=lambda name: (known.index(name) if name in known else len(known), name))
