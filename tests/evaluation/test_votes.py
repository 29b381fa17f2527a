r"""Wrong answers are one vote where they are equal, however they are spelled: a split vote flatters the right one."""

from __future__ import annotations

import pytest
from invented import evaluation_section
from invented import problem as invented_problem

from proofline.evaluation.metrics import evaluate_policy
from proofline.evaluation.selection import RIGHT, UNREAD
from proofline.evaluation.tally import tally
from proofline.grading import grade_all
from proofline.records import Decoding, Problem, Solution


def votes(reference: str, answers: list[str], marker: str = r"\boxed{{{}}}") -> tuple[Problem, list[Solution]]:
    problem = invented_problem(0, "math", "math").model_copy(update={"answer": reference})
    decoding = Decoding(temperature=1.0, top_p=1.0, max_new_tokens=9)
    return problem, [
        Solution(id=f"s{i}", problem_id=problem.id, policy="sft", weights="w", decoding=decoding, sample_index=i,
                 seed=i, text=marker.format(answer), num_tokens=1, logprob=-1.0, finished=True)
        for i, answer in enumerate(answers)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("reference", "answers", "share"),
    [
        ("1/4", [r"\frac{3}{4}", "0.75", "3/4", r"\frac14", "0.25"], 0.0),
        ("18", ["20.0", "20", r"\$20.00", "18", "18"], 0.0),
        ("7", ["x=5", "5", "7"], 0.0),
        ("10", ["12", "11", "10"], 1 / 3),
        ("7", ["2 1/2", "2.5", r"\frac52", "7", "7"], 0.0),
        ("7", [r"1\,200", "1200", "1,200", "7", "7"], 0.0),
        ("7", [r"\sqrt{8}", r"2\sqrt2", "7"], 0.0),
        ("7", ["x+1", "1+x", "7"], 0.0),
        ("7", ["1, 2", "2, 1", r"\{1,2\}", "7", "7"], 0.0),
        ("7", ["(1,2)", "(2,1)", "7"], 1 / 3),
        (r"\text{Al}", [r"\text{Bob}", r"\text{bob}", r"\text{Al}"], 0.0),
        ("7", ["6", "6.5", "7"], 1 / 3),
        ("7", ["44\\%", "44", "7"], 0.0),
        ("3:10", ["2:40", "2:41", "3:10"], 1 / 3),
        ("7", ["6", "7.0", "7", r"\frac{14}{2}"], 1.0),
        ("7", ["2:40", "2:40", "7"], 0.0),
        ("7", [r"\text{Bob}", r"\text{bob}", "7"], 0.0),
        ("36", [r"3 \text{ dozen}", r"3 \text{ dozen}", "36"], 0.0),
        ("7", [r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", "7"], 0.0),
    ],
)
def test_equal_wrong_answers_are_one_vote(reference: str, answers: list[str], share: float) -> None:
    problem, solutions = votes(reference, answers)
    grades = grade_all(solutions, {problem.id: problem}, workers=1)
    section = evaluation_section(len(answers))
    greedy = solutions[-1:], grades[-1:]
    metrics = evaluate_policy([problem], *greedy, solutions, grades, section, seed=0)
    assert metrics["overall"]["majority_at_k"][str(len(answers))]["value"] == pytest.approx(share)
    assert metrics["graders"]["sampled"]["disputed"] == 0


def test_what_nobody_can_compare_is_a_vote_of_its_own() -> None:
    problem, solutions = votes("7", [r"\frown", r"\frown", r"\smile", "6", "7", "nothing"], "The answer is ${}$")
    grades = grade_all(solutions, {problem.id: problem}, workers=1)
    graded = [grade.model_copy(update={"verdict": "wrong"}) if grade.extracted else grade for grade in grades[:4]]
    (answers,) = tally([problem], [*graded, *grades[4:]]).answers.tolist()
    assert answers[0] == answers[1] != answers[2]
    assert answers[3] not in answers[:3]
    assert answers[4:] == [RIGHT, UNREAD]
