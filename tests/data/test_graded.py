"""Files joined as they are read: every row finds its problem, and what lies in another order is refused."""

from __future__ import annotations

import pytest
from graded_rows import PROBLEM, grade, solution

from proofline.data.graded import Candidate, JoinError, by_problem, graded

PROBLEMS = [PROBLEM.model_copy(update={"id": name}) for name in "abcd"]


def candidate(index: int, problem_id: str, policy: str = "sft") -> Candidate:
    row = solution(index, f"text {index}", problem_id=problem_id, policy=policy)
    return Candidate(row, grade(row, "correct"))


def test_each_problem_comes_once_with_its_rows_of_each_stream() -> None:
    mine = [candidate(0, "a"), candidate(1, "a"), candidate(2, "c")]
    others = [candidate(3, "b"), candidate(4, "c")]
    joined = list(by_problem(PROBLEMS, mine, iter(others), []))
    assert [(one.problem.id, one.streams) for one in joined] == [
        ("a", (mine[:2], [], [])), ("b", ([], others[:1], [])), ("c", (mine[2:], others[1:], [])),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("order", "left"),
    [("ba", "s1"), ("aba", "s2"), ("az", "s1")],
    ids=["another order", "rows of a problem apart", "no such problem"],
)
def test_rows_in_another_place_are_refused(order: str, left: str) -> None:
    rows = [candidate(number, name) for number, name in enumerate(order)]
    with pytest.raises(JoinError, match=rf"solution {left} \(sft\) of {order[-1]} stands where .*`dvc repro`"):
        list(by_problem(PROBLEMS, rows))


def test_a_solution_without_its_grade_is_refused() -> None:
    rows = [solution(0, "x"), solution(1, "y")]
    grades = [grade(row, "correct") for row in rows]
    assert list(graded(rows, grades)) == list(map(Candidate, rows, grades))
    for wrong, said in ((grades[:1], "solution s1 has no grade"), (grades[::-1], "solution s0 has no grade")):
        with pytest.raises(JoinError, match=said):
            list(graded(rows, wrong))
    with pytest.raises(JoinError, match="no solution s1 is graded"):
        list(graded(rows[:1], grades))
