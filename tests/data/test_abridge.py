"""Solutions that leave a step out, and what the program says of them."""

from __future__ import annotations

from itertools import islice
from random import Random

import pytest

from proofline.answers import read_answer
from proofline.data.abridge import abridge
from proofline.data.chain import verify
from proofline.data.equations import corrupt, find_equations
from proofline.data.synthetic import generate, write_solution

QUESTION = "Tom has 14 nuts and gets 3 bags of 12. How many does he have?"
WORKED = "Bags: 3*12=36\nNow: 14+36=50\n#### 50"


def test_the_step_that_is_left_out_can_be_done_again() -> None:
    short = abridge(WORKED, QUESTION, Random(0))
    assert short == "Now: 14+36=50\n#### 50"
    chain = verify(QUESTION, short)
    assert chain is not None
    assert chain.accepts
    assert chain.text.startswith("14+36=50: 14 given 36 from 3*12;")


def test_a_fault_in_the_step_that_is_gone_shows_in_the_number_from_nowhere() -> None:
    short = abridge(WORKED.replace("36", "38").replace("50", "52"), QUESTION, Random(0))
    assert short == "Now: 14+38=52\n#### 52"
    chain = verify(QUESTION, short)
    assert chain is not None
    assert chain.text == "14+38=52: 14 given 38 unknown"
    assert not chain.accepts


@pytest.mark.parametrize(
    "solution",
    [
        "14+36=50\n#### 50",  # the last step
        "3*12=36\n14+3=17\n17+36=53\n#### 53",  # 3 is used again: where 36 came from could not be told
        "12 mod 3=0\n14+0=14\n#### 14",
        "3+9=12\n14+12=26\n#### 26",  # its result is a number of the question
        "3*12=36\n14+12=26\n#### 26",  # nothing uses it
        "no equation",
        "",
    ],
)
def test_a_step_that_cannot_be_missed_stays(solution: str) -> None:
    assert abridge(solution, QUESTION, Random(0)) is None


def test_generated_solutions_stay_what_they_are() -> None:
    """A right one has the same answer and, but for some, the program's Yes; a wrong one nearly never has it."""
    rng = Random(1)
    accepted = {True: [], False: []}
    for problem, derived in islice(generate("train", 0), 600):
        text = write_solution(derived, "worked")
        for right, whole in ((True, text), (False, corrupt(text, problem.question, rng))):
            short = abridge(whole, problem.question, rng) if whole else None
            if short is not None:
                assert read_answer(short).answer == read_answer(str(whole)).answer
                assert len(find_equations(short)) == len(find_equations(str(whole))) - 1
                chain = verify(problem.question, short)
                accepted[right].append(chain is not None and chain.accepts)
    assert len(accepted[True]) > 200 < len(accepted[False])
    assert sum(accepted[True]) > 0.97 * len(accepted[True])
    assert sum(accepted[False]) < 0.04 * len(accepted[False])
