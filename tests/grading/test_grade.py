"""Verdicts, and the worker processes behind them: hangs, deaths, order."""

from __future__ import annotations

import os
import signal
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofline.grading import GRADER, grade_all, grade_text
from proofline.grading import compare as comparing
from proofline.grading import pool as pooling
from proofline.grading.pool import GraderError, compare_all
from proofline.records import Decoding, Problem, Solution

HANG = "(x+1)^{100000}"
"""Minutes of SymPy."""


@pytest.mark.parametrize(
    ("text", "reference", "verdict"),
    [
        ("#### 42", "42", "correct"),
        ("#### 42.0", "42", "correct"),
        ("#### 41", "42", "wrong"),
        ("#### 1,600", "1600", "correct"),
        ("about 42", "42", "unparsed"),
        (r"\boxed{0.5}", r"\frac{1}{2}", "correct"),
        (r"\boxed{1/2}", r"\frac12", "correct"),
        (r"\boxed{2/4}", r"\frac{1}{3}", "wrong"),
        (r"\boxed{x^2+1}", "1+x^2", "correct"),
        (r"\boxed{a + b + d}", "a + b + c", "wrong"),
        (r"\boxed{c+b+a}", "a + b + c", "correct"),
        (r"\boxed{44\%}", "44", "correct"),
        (r"\boxed{x=5}", "5", "correct"),
        (r"\boxed{\text{Evelyn}}", r"\text{Evelyn}", "correct"),
        (r"\boxed{\text{Bob}}", r"\text{Evelyn}", "wrong"),
        (r"\boxed{-1}", r"\begin{pmatrix} -1 & 0 \\ 0 & -1 \end{pmatrix}.", "wrong"),
        (r"\boxed{(3,4)}", "(4,3)", "wrong"),
        (r"\boxed{05:00}", "05:00", "correct"),
        (r"\boxed{5:00}", "05:00", "unparsed"),
    ],
)
def test_verdicts(text: str, reference: str, verdict: str) -> None:
    judged = grade_text(text, reference)
    assert judged.verdict == verdict, judged
    assert judged.reason


@settings(max_examples=200, deadline=None)
@given(st.integers(-(10**15) + 1, 10**15 - 1), st.one_of(st.none(), st.integers(-(10**15) + 1, 10**15 - 1)))
def test_the_short_cut_for_integers_agrees_with_math_verify(reference: int, other: int | None) -> None:
    answer = reference if other is None else other
    short = comparing.compare_integers(str(answer), str(reference))
    long = comparing._equal(comparing._parse(str(reference)), comparing._parse(str(answer)))
    assert short == ("correct" if long else "wrong")


def problem(answer: str) -> Problem:
    question = f"What is {answer}?"
    return Problem(id=Problem.make_id("math", question), source="math", family="math", split="train",
                   question=question, solution=rf"\boxed{{{answer}}}", answer=answer, skeleton="s")  # fmt: skip


def solution(problem: Problem, index: int, answer: str) -> Solution:
    return Solution(id=f"{problem.id}-{index}", problem_id=problem.id, policy="sft", weights="w",
                    decoding=Decoding(temperature=1.0, top_p=1.0, max_new_tokens=9), sample_index=index, seed=index,
                    text=rf"\boxed{{{answer}}}", num_tokens=1, logprob=-1.0, finished=True)  # fmt: skip


def test_grades_come_in_order_and_say_what_was_read() -> None:
    half, two = problem(r"\frac{1}{2}"), problem("2")
    solutions = [solution(half, 0, "0.5"), solution(two, 1, "3"), solution(half, 2, ""), solution(half, 3, "0.5")]
    grades = grade_all(solutions, {half.id: half, two.id: two}, workers=2)
    assert [grade.solution_id for grade in grades] == [row.id for row in solutions]
    assert [grade.verdict for grade in grades] == ["correct", "wrong", "unparsed", "correct"]
    assert [grade.extracted for grade in grades] == ["0.5", "3", None, "0.5"]
    assert {grade.grader for grade in grades} == {GRADER}


def test_plain_integers_start_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooling, "_Worker", None)
    two = problem("2")
    grades = grade_all([solution(two, i, str(i)) for i in range(4)], {two.id: two}, workers=2)
    assert [grade.verdict for grade in grades] == ["wrong", "wrong", "correct", "wrong"]


def test_an_answer_that_hangs_is_unparsed_and_the_rest_is_graded() -> None:
    half = problem(r"\frac{1}{2}")
    answers = ["0.5", HANG, "1/2", "1/3", "10^{10^{10}}", "2/4"]
    grades = grade_all(
        [solution(half, i, answer) for i, answer in enumerate(answers)], {half.id: half}, workers=2, deadline_seconds=1
    )
    assert [grade.verdict for grade in grades] == ["correct", "unparsed", "correct", "wrong", "unparsed", "correct"]
    assert grades[1].reason.endswith("timed out after 1s of CPU time")
    assert [grades[i].undecided for i in (0, 1)] == [None, "timed out"]
    assert not grades[1].agreed


def kill_worker_on(monkeypatch: pytest.MonkeyPatch, answer: str, times: int) -> None:
    """From outside, SIGKILL the worker that is given an answer, so many times."""
    original, left = pooling._Worker.give, [times]

    def give(self: pooling._Worker, index: int, task: tuple[str, str]) -> None:
        if task[0] == answer and left[0]:
            left[0] -= 1
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
        original(self, index, task)

    monkeypatch.setattr(pooling._Worker, "give", give)


@pytest.mark.parametrize(("deaths", "verdict"), [(1, "correct"), (2, "unparsed")])
def test_a_killed_worker_is_replaced(monkeypatch: pytest.MonkeyPatch, deaths: int, verdict: str) -> None:
    kill_worker_on(monkeypatch, "2/4", deaths)
    tasks = [(f"{n}/{2 * n}", r"\frac{1}{2}") for n in range(1, 6)]
    outcomes = compare_all(tasks, workers=1, deadline_seconds=20)
    assert [outcome[0] for outcome in outcomes] == ["correct", verdict, "correct", "correct", "correct"]
    assert (verdict == "correct") or "exit status -9" in outcomes[1][1]
    assert outcomes[1][2] == (None if verdict == "correct" else "worker died")


def test_a_stalled_worker_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    original = pooling._Worker.give

    def give(self: pooling._Worker, index: int, task: tuple[str, str]) -> None:
        original(self, index, task)
        if task[0] == HANG:
            os.kill(self.process.pid, signal.SIGSTOP)
            self.expires = time.monotonic() + 0.2

    monkeypatch.setattr(pooling._Worker, "give", give)
    outcomes = compare_all([(HANG, "1/2"), ("0.5", "1/2")], workers=2, deadline_seconds=20)
    assert [outcome[0] for outcome in outcomes] == ["unparsed", "correct"]
    assert "died 2 times" in outcomes[0][1]


def test_workers_that_cannot_start_are_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: os.PathLike[str]) -> None:
    monkeypatch.setattr(pooling.sys, "executable", "/bin/false")
    with pytest.raises(GraderError, match="do not start"):
        compare_all([("0.5", "1/2")], workers=2, deadline_seconds=5)


def test_an_orphaned_worker_ends_itself() -> None:
    worker = pooling._Worker(1.0)
    try:
        assert worker.replies.readline() == "ready\n"
        worker.give(0, (HANG, "0.5"))
        assert worker.process.wait(timeout=300) == -signal.SIGPROF
    finally:
        worker.end()
