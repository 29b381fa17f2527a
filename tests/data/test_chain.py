"""The program's chains: what they find, what they look like, and that they can know of nothing but their inputs."""

from __future__ import annotations

import inspect
from itertools import islice
from random import Random

import pytest

from proofline.data import chain as chain_module
from proofline.data.chain import verify, without_digits
from proofline.data.equations import corrupt
from proofline.data.layout import layout
from proofline.data.leaks import leaked_numbers
from proofline.data.synthetic import generate, write_solution

PENS = "Tom has 14 pens and buys 3 bags of 12. How many pens?"


@pytest.mark.parametrize(
    ("question", "candidate", "accepts", "last"),
    [
        # The verdict follows the arithmetic, not the layout (rlhf-book#513).
        (PENS, "14+36=50\n#### 50", True, "given 14 used 3 used 12 used"),
        (PENS, "14+3*12=50\n#### 50", True, "given 14 used 3 used 12 used"),
        (PENS, "Bought: 3*12=36\nNow: 14+36=50\n#### 50", True, "found 36 used"),
        (PENS, "Bought: 3*12=36\nNow: 14+12=26\n#### 26", False, "found 36 unused"),
        (PENS, "Bought: 3*12=34\nNow: 14+34=48\n#### 48", False, "3*12=34: 3 given 12 given; 3*12: 64 mismatch"),
        (PENS, "14+36=51\n#### 51", False, "14+36=51: 14 given 36 from 3*12; 14+36: 01 mismatch"),
        (PENS, "14+3*12=51\n#### 51", False,
         "14+3*12=51: 14 given 3 given 12 given; 3*12=36, 14+36: 01 mismatch"),
        # Operands come from the question or from earlier results.
        (PENS, "3*13=39\n14+39=53\n#### 53", False, "3*13=39: 3 given 13 unknown"),
        (PENS, "3*12=36\n14+35=49\n#### 49", False, "14+35=49: 14 given 35 unknown"),
        # The steps answer the question: nothing of it is left out, and the last result is the answer.
        (PENS, "3*12=36\n#### 36", False, "given 14 unused"),
        (PENS, "3*12=36\n14+36=50\n#### 36", False, "answer 36 last 50: 60 mismatch"),
        (PENS, "3*12=36\n14+36=50\n#### 5", False, "answer 5 last 50: 50 mismatch"),
        # Numbers that words mean; percent; rounding; a step by zero.
        ("Ann has 40 eggs and keeps half. How many?", "40/2=20\n#### 20", True, "given 40 used"),
        ("What is 20% of 300?", "300*20%=60\n#### 60", True, "given 20 used 300 used"),
        ("What is the average of 7, 8 and 9?", "7+8+9=24\n24/3=8\n#### 8", True, "found 24 used"),
        ("Share 10 among 3.", "10/3=3.33\n#### 3.33", True, "given 10 used 3 used"),
        ("Share 10 among 3.", "10/3=3.43\n#### 3.43", False,
         "10/3=3.43: 10 given 3 given; 10/3: 33 /4 mismatch"),
        ("Find x^2+3x for x=5.", "5*5=25\n3*5=15\n25+15=40\n\\boxed{40}", True, "found 25 used 15 used"),
        ("Compute \\frac{1}{4}+\\frac{1}{3}.", "3+4=7\n4*3=12\n\\boxed{\\frac{7}{12}}", False, "given 1 unused"),
        ("Compute \\frac{1}{4}+\\frac{1}{3}.", "1*3=3\n1*4=4\n3+4=7\n4*3=12\n\\boxed{\\frac{7}{12}}", True,
         "found 3 used 4 used"),
    ],
)  # fmt: skip
def test_a_chain_ends_where_the_candidate_goes_wrong(question: str, candidate: str, accepts: bool, last: str) -> None:
    chain = verify(question, candidate)
    assert chain is not None
    assert (chain.accepts, chain.text.splitlines()[-1]) == (accepts, last)


@pytest.mark.parametrize("candidate", ["#### 50", "I do not know", "3*12=36\nThe answer is unclear", ""])
def test_where_there_is_nothing_to_recompute_there_is_no_chain(candidate: str) -> None:
    assert verify(PENS, candidate) is None


def test_a_chain_is_made_of_question_and_candidate_alone() -> None:
    """No argument, and nothing the module imports, could bring the reference or the grade in."""
    assert list(inspect.signature(verify).parameters) == ["question", "candidate"]
    source = inspect.getsource(chain_module)
    assert "records" not in source
    assert "Problem" not in source


def test_right_derivations_pass_and_corrupted_ones_do_not_in_every_layout() -> None:
    """On generated problems: what the chain says of the two styles is equally right."""
    rng = Random(7)
    for style in ("worked", "compact"):
        found = []
        for problem, derived in islice(generate("train", 11), 200):
            right = write_solution(derived, style)
            wrong = corrupt(right, problem.question, rng)
            for text, label in ((right, True), (wrong, False)):
                chain = verify(problem.question, text) if text else None
                if chain:
                    found.append(chain.accepts == label)
                    assert not leaked_numbers(chain.text, problem.question, str(text), problem.solution)
        assert len(found) > 300
        assert sum(found) / len(found) > 0.93, style


def test_zipped_digits_are_no_numbers() -> None:
    assert without_digits("3*12=34: 3 given 12 given; 3*12: 64 mismatch").endswith("3*12: mismatch")
    assert without_digits("answer 41 last 41: 11 44 match") == "answer 41 last 41: match"


@pytest.mark.parametrize(
    ("candidate", "look"),
    [
        ("Bought: 3*12=36\nNow: 14+36=50\n#### 50", "2 steps in 32 characters"),
        ("Bought: 3*12=34\nNow: 14+34=48\n#### 48", "2 steps in 32 characters"),
        ("14+3*12=50\n#### 50", "1 nested in 16 characters"),
        ("#### 50", "0 steps in 8 characters"),
        ("3x: -27+45=18\nx: 18/3=6\n\\boxed{6}", "2 steps in 32 characters"),
    ],
)
def test_layouts(candidate: str, look: str) -> None:
    assert layout(candidate) == look
