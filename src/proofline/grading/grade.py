"""Solutions against their problems' reference answers: correct, wrong or unparsed, with what was read and why.

The work is split so that the costly part is small: the answer is read from the text here, equal (answer, reference)
pairs are compared once, plain integers without math-verify, and only the rest goes to the worker processes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import NamedTuple

from proofline.answers import clean, read_answer
from proofline.grading.compare import compare, compare_integers, state
from proofline.grading.pool import Outcome, Task, compare_all
from proofline.records import Grade, Problem, Solution, Verdict

GRADER = f"math-verify {version('math-verify')}"
DEADLINE_SECONDS = 10.0
"""Default for one comparison, of CPU time; a usual one takes 1 to 20 ms."""

SHARD_SOLUTIONS = 16_384
"""Solutions that a machine grades at a time: much work beside the second that its workers take to start."""


class Judged(NamedTuple):
    """The verdict on one text."""

    verdict: Verdict
    extracted: str | None
    reason: str


def grade_text(text: str, reference_answer: str) -> Judged:
    """Grade one text in this process, without a deadline: for tests and tools. Stages call `grade_all`."""
    reading = read_answer(text)
    if reading.answer is None:
        return Judged("unparsed", None, reading.reason)
    return _judged(reading.answer, reading.reason, compare(reading.answer, clean(reference_answer)))


def grade_all(
    solutions: Sequence[Solution],
    problems: Mapping[str, Problem],
    *,
    workers: int,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> list[Grade]:
    """One grade per solution, in the same order. `problems` maps problem ids; a missing one is a KeyError."""
    readings = [read_answer(solution.text) for solution in solutions]
    tasks: list[Task | None] = [
        None if reading.answer is None else (reading.answer, clean(problems[solution.problem_id].answer))
        for solution, reading in zip(solutions, readings, strict=True)
    ]
    outcomes = _compare_distinct({task for task in tasks if task is not None}, workers, deadline_seconds)
    grades = []
    for solution, reading, task in zip(solutions, readings, tasks, strict=True):
        judged = (
            Judged("unparsed", None, reading.reason)
            if task is None
            else _judged(task[0], reading.reason, outcomes[task])
        )
        grades.append(Grade(solution_id=solution.id, problem_id=solution.problem_id, **judged._asdict(), grader=GRADER))
    return grades


def _compare_distinct(tasks: set[Task], workers: int, deadline_seconds: float) -> dict[Task, Outcome]:
    """Outcomes of distinct comparisons: integers here, the rest in the workers, in an order that does not vary."""
    outcomes: dict[Task, Outcome] = {}
    for task in tasks:
        verdict = compare_integers(*task)
        if verdict is not None:
            outcomes[task] = (verdict, state(verdict, task[1]))
    rest = sorted(tasks - outcomes.keys())
    outcomes.update(zip(rest, compare_all(rest, workers=workers, deadline_seconds=deadline_seconds), strict=True))
    return outcomes


def _judged(answer: str, how_read: str, outcome: Outcome) -> Judged:
    verdict, reason = outcome
    return Judged(verdict, answer, f"{how_read}: {reason}")
