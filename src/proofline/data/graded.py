"""Graded solutions, problem by problem: files joined as they are read, so that one problem's rows are held.

In: problems, and streams of graded solutions. The rows of a problem lie together, in the order of the problems: so
`prepare`, `sample` and `grade` write them, and it is checked. Out: each problem with its rows of each stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby, zip_longest
from operator import attrgetter
from typing import NamedTuple

from proofline.records import Grade, Problem, Solution


class JoinError(ValueError):
    """Files whose rows do not belong together, or do not lie in one order."""


class Candidate(NamedTuple):
    """A solution and its grade."""

    solution: Solution
    grade: Grade

    @property
    def problem_id(self) -> str:
        return self.solution.problem_id


class Sampled(NamedTuple):
    """A problem and its candidates, stream by stream."""

    problem: Problem
    streams: tuple[list[Candidate], ...]


def graded(solutions: Iterable[Solution], grades: Iterable[Grade]) -> Iterator[Candidate]:
    """Solutions with their grades, which stand in the same order. Raises JoinError where one has none."""
    for solution, grade in zip_longest(solutions, grades):
        if solution is None or grade is None or grade.solution_id != solution.id:
            what = f"solution {solution.id} has no grade" if solution else f"no solution {grade.solution_id} is graded"
            raise JoinError(f"{what} in its place: grade the samples again (`dvc repro grade`)")
        yield Candidate(solution, grade)


def by_problem(problems: Iterable[Problem], *streams: Iterable[Candidate]) -> Iterator[Sampled]:
    """The problems that have candidates, in their order. Raises JoinError, in the end, where one is left over."""
    parts = [groupby(stream, key=attrgetter("problem_id")) for stream in streams]
    heads = [next(part, None) for part in parts]
    for problem in problems:
        found: list[list[Candidate]] = [[] for _ in parts]
        for at, head in enumerate(heads):
            if head is not None and head[0] == problem.id:
                found[at] = list(head[1])
                heads[at] = next(parts[at], None)
        if any(found):
            yield Sampled(problem, tuple(found))
    for head in filter(None, heads):
        row = next(head[1]).solution
        raise JoinError(
            f"solution {row.id} ({row.policy}) of {row.problem_id} stands where no rows of this problem are expected: "
            "the rows of a problem lie together, in the order of data/problems/train.jsonl, which has each problem "
            "once. `dvc repro` writes them so; sort a file that you have edited or put together"
        )
