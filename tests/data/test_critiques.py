"""Published candidates and critiques: verdict lines as they really come, and what is dropped."""

from __future__ import annotations

import math

import pytest

from proofline.data.critiques import read_published
from proofline.data.prompts import VERDICT_LINE
from proofline.data.published import SourceError, gsm8k_problem
from proofline.data.verdicts import read_verdict

QUESTION = "What is 6*7?"
PROBLEM = gsm8k_problem(("t:1", {"question": QUESTION, "answer": "#### 42"}), "train")
ROW = {"question_id": 0, "question": QUESTION, "target": "42", "solution_id": 3, "solution": "The answer is 42.",
       "extracted_answer": "42", "is_correct": True,
       "critique": f"Step 1 is right.\n\n**Final Grade:**\n\n{VERDICT_LINE} Yes"}  # fmt: skip


@pytest.mark.parametrize(
    ("ending", "verdict"),
    [
        ("Verification: Is the answer correct (Yes/No)? Yes", True),
        ("**Verification: Is the answer correct (Yes/No)? No**", False),
        ("Verification: Is the answer correct (Yes/No)? **No**", False),
        ("**Verification: Is the answer correct (Yes/No)?** Yes", True),
        ("<b>Verification: Is the answer correct (Yes/No)? No</b>", False),
        ("Verification: Is the answer correct (Yes/No)? <b>Yes</b>", True),
        ("Verification: Is the answer correct? (Yes/No) No.", False),
        ("Verification: Is the answer correct? Yes", True),
        ("Verification: Is the answer correct (Yes/No)? No\n\nVerification: Is the answer correct (Yes/No)? Yes", True),
        ("Verification: Is the answer correct (Yes/No)? Yes**\n\n**Final Grade: A+**", True),
    ],
)
def test_verdict_lines(ending: str, verdict: bool) -> None:
    read = read_verdict(f"Step 1 is fine.\n\n{ending}")
    assert read is not None
    assert read[1] is verdict
    assert read[0].startswith("Step 1 is fine.")
    assert not read[0].endswith(("*", "<b>", " "))


@pytest.mark.parametrize("critique", ["", "All steps are right.", "Verification: Is the answer correct (Yes/No)?"])
def test_no_verdict(critique: str) -> None:
    assert read_verdict(critique) is None


def test_a_row_becomes_a_solution_and_a_critique() -> None:
    ((solution,), (critique,), counts) = read_published([("t:1", ROW)], [PROBLEM])
    assert (solution.problem_id, solution.policy, solution.sample_index) == (PROBLEM.id, "published", 3)
    assert math.isnan(solution.logprob)
    assert (critique.solution_id, critique.problem_id) == (solution.id, PROBLEM.id)
    assert critique.chain == f"Step 1 is right.\n\n**Final Grade:**\n{VERDICT_LINE} Yes"
    assert (counts["rows"], counts["solutions"], counts["critiques"]) == (1, 1, 1)


def test_rows_are_dropped_for_a_reason_and_counted() -> None:
    said = [
        "The answer is that of the Expected Answer.", "The expected value is larger.", "As in the reference solution.",
        "The correct answer is another.", "It is not the given answer.", "It should be 43.",
    ]  # fmt: skip
    rows = [
        ROW | {"question": "What is 6*8?"},
        ROW | {"solution_id": 4, "is_correct": False},
        ROW | {"solution_id": 5, "critique": "Well."},
        ROW | {"solution_id": 6, "critique": f"{VERDICT_LINE} Yes"},
        *(ROW | {"solution_id": 10 + at, "critique": f"{text}\n{VERDICT_LINE} Yes"} for at, text in enumerate(said)),
    ]
    problem = PROBLEM.model_copy(update={"solution": "6*7=42, not 43\n#### 42"})
    published = read_published([("t:1", row) for row in rows], [problem])
    assert published.counts == {
        "solutions": 9, "rows": 10, "dropped_problem_not_in_train": 1, "critiques": 0, "critique_unreadable": 2,
        "critique_disagrees": 1, "critique_leak_expected": 2, "critique_leak_reference": 1,
        "critique_leak_correct_answer": 1, "critique_leak_given_answer": 1, "critique_leak_reference_number": 1,
    }  # fmt: skip
    assert len({row.id for row in published.solutions}) == 9
    assert published.critiques == []


def test_a_bad_row_is_named() -> None:
    with pytest.raises(SourceError, match=r"t:9: is_correct: found 'yes'; expected bool"):
        read_published([("t:9", ROW | {"is_correct": "yes"})], [PROBLEM])
