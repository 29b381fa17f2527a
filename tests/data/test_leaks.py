"""What counts as telling the reference, in words and in numbers."""

from __future__ import annotations

import pytest

from proofline.data.leaks import leak, leaked_numbers

QUESTION = "Tom has 14 pens and buys 3 bags of 12. How many pens?"
CANDIDATE = "Bought: 3*12=34\nNow: 14+34=48\n#### 48"
REFERENCE = "Bought: 3*12=36\nNow: 14+36=50\n#### 50\n50"


@pytest.mark.parametrize(
    ("chain", "told"),
    [
        ("The answer is different from the Expected Answer.", "expected"),
        ("The expected result of step 2 is larger.", "expected"),
        ("This does not match the reference solution.", "reference"),
        ("It differs from the ground truth.", "reference"),
        ("The gold answer is larger.", "reference"),
        ("The correct answer is larger.", "correct_answer"),
        ("It differs from the provided answer.", "given_answer"),
        ("Tom should have 50 pens.", "reference_number"),
        ("The first step should be 36.", "reference_number"),
        ("The first step should be 36: 3*11=36.", "reference_number"),
        # What follows from question and candidate by arithmetic is the verifier's own.
        ("3*12=36, not 34.", None),
        ("3*12 = 36, so 14+36=50, not 48.", None),
        ("14+36=50, where 3*12=36.", "reference_number"),
        ("34 is wrong. 14 pens, 3 bags of 12: 48 is wrong.", None),
        ("All steps are correct. The answer is correct.", None),
        ("3*12=34: 3 given 12 given; 3*12=36: 33 46 mismatch", None),
    ],
)
def test_leaks(chain: str, told: str | None) -> None:
    assert leak(chain, QUESTION, CANDIDATE, REFERENCE) == told


def test_the_questions_own_words_are_no_leak() -> None:
    question = "The expected attendance was 40, the target amount 90. What is the difference?"
    assert leak("The expected attendance is 40, the target amount 90.", question, "90-40=50\n#### 50", "50") is None
    assert leak("The expected answer is 50.", question, "90-40=50\n#### 50", "50") == "expected"


def test_numbers_are_compared_as_values() -> None:
    assert leaked_numbers("It is 1,200.", "Half of 2400?", "2400/3=800", "2400/2=1200") == {1200}
    assert leaked_numbers("It is 2400.0", "Half of 2,400?", "2400/3=800", "2400/2=1200") == set()
