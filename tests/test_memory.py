"""How much of its rows a stage holds: with four times as many on the disk, only ids and numbers of them."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from proofline.config.schema import Evaluation, Pairs, Traces
from proofline.data import traces as tracing
from proofline.data.candidates import right_solutions
from proofline.data.graded import by_problem, graded
from proofline.data.pairs import build_pairs
from proofline.data.prompts import verdict
from proofline.data.traces import Asked, build_traces
from proofline.evaluation.metrics import evaluate_policy
from proofline.evaluation.readings import read_all
from proofline.evaluation.scored import Appearance
from proofline.evaluation.verifier import evaluate_verifier
from proofline.grading.summary import summarise
from proofline.records import Decoding, Grade, Problem, Solution, Verification, VerificationTrace
from proofline.storage.records import iter_records, write_records
from proofline.storage.rows import Aside, ById, Each, Rows

SAMPLES, FEW, MANY = 8, 12, 48
ROOM = "Words that say little and take their room. " * 24
HELD_BYTES = 600
"""Of a solution, at most. Written with its grade in 1.5 kB, it takes 4 to 5 kB as rows in memory."""


def problem(number: int) -> Problem:
    return Problem(
        id=f"p{number}", source="synthetic", family="word", split="test", question=f"{ROOM}{number} + 1?",
        solution=f"{number}+1={number + 1}\n#### {number + 1}", answer=str(number + 1), skeleton=f"s{number}",
    )  # fmt: skip


def sample(number: int, index: int) -> tuple[Solution, Grade]:
    right = index % 2 == 0
    answer, name = number + 1 + (not right) * index, f"p{number}-{index}"
    solution = Solution(
        id=name, problem_id=f"p{number}", policy="sft", weights="w", sample_index=index, seed=index, num_tokens=9,
        decoding=Decoding(temperature=0.7, top_p=1.0, max_new_tokens=64), logprob=-1.0, finished=True,
        text=f"{'' if right else 'A slip. '}{ROOM}{index}\n{number}+1={answer}\n#### {answer}",
    )  # fmt: skip
    grade = Grade(
        solution_id=name, problem_id=f"p{number}", verdict="correct" if right else "wrong", extracted=str(answer),
        reason="by hand", grader="test",
    )  # fmt: skip
    return solution, grade


def verification(solution: Solution, grade: Grade) -> Verification:
    return Verification(
        solution_id=solution.id, problem_id=solution.problem_id, label=grade.verdict, p_yes=0.6,
        p_yes_per_chain=(0.5, 0.7), chains=(ROOM, ROOM), tokens_per_chain=(9, 9),
    )  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    made = []
    for count in (FEW, MANY):
        folder = tmp_path_factory.mktemp("rows")
        rows = [sample(number, index) for number in range(count) for index in range(SAMPLES)]
        write_records(folder / "problems.jsonl", map(problem, range(count)))
        write_records(folder / "samples.jsonl", (solution for solution, _ in rows))
        write_records(folder / "grades.jsonl", (grade for _, grade in rows))
        write_records(folder / "verifications.jsonl", (verification(*row) for row in rows))
        made.append(folder)
    return made[0], made[1]


def build(folder: Path) -> None:
    sampled = by_problem(
        iter_records(folder / "problems.jsonl", Problem),
        graded(iter_records(folder / "samples.jsonl", Solution), iter_records(folder / "grades.jsonl", Grade)),
    )
    section = Pairs.model_validate({"per_problem": 2, "off_policy": False, "rule": "random"})
    assert write_records(folder / "pairs.jsonl", build_pairs(sampled, section, 0, Counter())) >= 2 * FEW


def trace(folder: Path) -> None:
    def said(asked: Sequence[Asked]) -> list[list[str]]:
        return [[f"As it was seen.\n{verdict('slip' not in one.candidate)}"] for one in asked]

    writing = {"attempts": 1, "temperature": 0.7, "top_p": 1.0, "max_new_tokens": 9, "teacher": "t"}
    section = Traces.model_validate(
        {"sources": ["program"], "per_problem": 4, "corrupted": 0, "limit": None, "writing": writing}
    )
    problems = Rows(folder / "problems.jsonl", Problem)
    solutions, grades = Rows(folder / "samples.jsonl", Solution), Rows(folder / "grades.jsonl", Grade)
    with Aside(folder, VerificationTrace) as aside:
        traces, _ = build_traces(by_problem(problems, graded(solutions, grades)), {"program": said}, section, 0, aside)
        assert write_records(folder / "traces.jsonl", traces) >= 4 * FEW
    right = right_solutions(by_problem(problems, graded(solutions, grades)))
    assert write_records(folder / "right.jsonl", right) >= 4 * FEW


def evaluate(folder: Path) -> None:
    problems = Rows(folder / "problems.jsonl", Problem)
    solutions, grades = Rows(folder / "samples.jsonl", Solution), Rows(folder / "grades.jsonl", Grade)
    greedy, greedy_grades = (Each(rows.__getitem__, range(0, len(rows), SAMPLES)) for rows in (solutions, grades))
    assert summarise(grades, ById(problems))["solutions"] == len(grades)
    readings = read_all(solutions, grades, ById(problems), "{question}", {})
    assert write_records(folder / "readings.jsonl", readings) == len(solutions)
    evaluate_policy(problems, greedy, greedy_grades, solutions, grades, evaluation(), 0)


def verify(folder: Path) -> None:
    problems, grades = Rows(folder / "problems.jsonl", Problem), Rows(folder / "grades.jsonl", Grade)
    looks = (
        (solution.id, Appearance(f"{len(solution.text)}", 1, 9, True, solution.text[-1], 9, -1.0))
        for solution in Rows(folder / "samples.jsonl", Solution)
    )
    verifications = Rows(folder / "verifications.jsonl", Verification)
    evaluate_verifier(problems, verifications, grades, looks, evaluation(), 0)


def evaluation() -> Evaluation:
    return Evaluation(
        problems=None, num_samples=SAMPLES, shots=(0,), temperature=0.7, top_p=1.0, max_new_tokens=64, confidence=0.95,
        bootstrap_resamples=100,
    )  # fmt: skip


@pytest.mark.parametrize("stage", [build, trace, evaluate, verify])
def test_what_a_stage_holds_of_a_solution_is_no_row(
    stage: Callable[[Path], None], folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "ASKED_AT_ONCE", FEW)
    stage(folders[0])  # what is imported and kept for good
    peaks = []
    for folder in folders:
        tracemalloc.start()
        stage(folder)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (peaks[1] - peaks[0]) / (SAMPLES * (MANY - FEW)) < HELD_BYTES, peaks
