"""Solutions against their problems' reference answers: correct, wrong or unparsed, with what was read and why.

The work is split so that the costly part is small: the answer is read from the text here, equal (answer, reference)
pairs are compared once, plain integers and equal texts without math-verify, and only the rest goes to the worker
processes. The second grader is quick and cannot hang: it works here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import NamedTuple

from proofline.answers import Reading, clean, read_answer
from proofline.grading.compare import compare, compare_plainly, state
from proofline.grading.pool import Outcome, Task, compare_all
from proofline.grading.second import SECOND_GRADER, second_opinion
from proofline.records import Grade, Problem, Solution, Undecided, Verdict

GRADER = f"math-verify {version('math-verify')}"
DEADLINE_SECONDS = 10.0
"""Default for one comparison, of CPU time; a usual one takes 1 to 20 ms."""

SHARD_SOLUTIONS = 16_384
"""Solutions that a machine grades at a time: much work beside the second that its workers take to start."""


class Judged(NamedTuple):
    """The verdicts on one text."""

    verdict: Verdict
    extracted: str | None
    reason: str
    undecided: Undecided | None
    second_verdict: Verdict
    second_reason: str
    second_grader: str = SECOND_GRADER


def grade_text(text: str, reference_answer: str) -> Judged:
    """Grade one text in this process, without a deadline: for tests and tools. Stages call `grade_all`."""
    reading = read_answer(text)
    if reading.answer is None:
        return _unread(reading)
    task = (reading.answer, clean(reference_answer))
    verdict, reason = compare(*task)
    return _judged(reading, (verdict, reason, "incomparable" if verdict == "unparsed" else None), second_opinion(*task))


def grade_all(
    solutions: Sequence[Solution],
    problems: Mapping[str, Problem],
    *,
    workers: int,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> list[Grade]:
    """One grade per solution, in the same order. `problems` maps problem ids; a missing one is a KeyError."""
    solutions = list(solutions)  # a shard may lie on the disk
    readings = [read_answer(solution.text, solution.finished) for solution in solutions]
    references = {key: clean(problems[key].answer) for key in {solution.problem_id for solution in solutions}}
    tasks: list[Task | None] = [
        None if reading.answer is None else (reading.answer, references[solution.problem_id])
        for solution, reading in zip(solutions, readings, strict=True)
    ]
    outcomes = _compare_distinct({task for task in tasks if task is not None}, workers, deadline_seconds)
    seconds = {task: second_opinion(*task) for task in outcomes}
    grades = []
    for solution, reading, task in zip(solutions, readings, tasks, strict=True):
        judged = _unread(reading) if task is None else _judged(reading, outcomes[task], seconds[task])
        grades.append(Grade(solution_id=solution.id, problem_id=solution.problem_id, **judged._asdict(), grader=GRADER))
    return grades


def _compare_distinct(tasks: set[Task], workers: int, deadline_seconds: float) -> dict[Task, Outcome]:
    """Outcomes of distinct comparisons: integers and equal texts here, the rest in the workers, in a stable order."""
    outcomes: dict[Task, Outcome] = {}
    for task in tasks:
        verdict = compare_plainly(*task)
        if verdict is not None:
            outcomes[task] = (verdict, state(verdict, task[1]), None)
    rest = sorted(tasks - outcomes.keys())
    outcomes.update(zip(rest, compare_all(rest, workers=workers, deadline_seconds=deadline_seconds), strict=True))
    return outcomes


def _unread(reading: Reading) -> Judged:
    return Judged("unparsed", None, reading.reason, "unread", "unparsed", "no answer was read")


def _judged(reading: Reading, first: Outcome, second: tuple[Verdict, str]) -> Judged:
    verdict, reason, undecided = first
    return Judged(verdict, reading.answer, f"{reading.reason}: {reason}", undecided, *second)
