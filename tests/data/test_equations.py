"""Equations in real and generated solutions; corrupted copies are wrong and consistent."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import islice
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofline.answers import read_answer
from proofline.data.equations import corrupt, find_equations, show
from proofline.data.synthetic import generate


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Natalia sold 48/2 = 24 clips in May.", ["48/2=24"]),
        ("she took 108 + 153 = 261 pieces, so 349 - 261 = 88 are left", ["108+153=261", "349-261=88"]),
        ("That is $5 x 4 = $20.", ["5*4=20"]),
        ("in all 1,000 + 2,500 = 3,500 people", ["1000+2500=3500"]),
        ("Now: (14+3*12)-9=41", ["(14+3*12)-9=41"]),
        ("56 mod 9=2", ["56 mod 9=2"]),
        ("0.2 x 50 = 10", ["0.2*50=10"]),
        ("2x: -2+18=16", ["-2+18=16"]),
        ("take 9 - 2 = 7", ["9-2=7"]),
        ("Solve 3x+5=26, so x=7", []),
        ("no equation, 12 apples", []),
        # Percent: a hundredth, or the unit that is reckoned in.
        ("The discount is 300*20%=60", ["300*20%=60"]),
        ("60% * 40% = 24%", ["60%*40%=0.24"]),
        ("so 168/20% = 840 students", ["168/20%=840"]),
        ("$120 * (1-20%) = $96", ["120*(1-20%)=96"]),
        ("5%+10%=15% in all; 100-20=80%", ["5+10=15", "100-20=80"]),
        # A result that is reckoned on with, and a chain of equal sides.
        ("10*300=3,000/6=500", ["10*300=3000"]),
        ("5*20=100/4=25 each", ["5*20=100"]),
        ("2 * 23 - 4 = 46 - 4 = 42 times", ["2*23-4=42"]),
        ("x = 3 + 4 = 7", ["3+4=7"]),
        # Numbers as people write them.
        ("each, 8 x 1 1/2 = 12 rolls", ["8*(1+1/2)=12"]),
        ("12 x 1 and 1/4 = 15", ["12*(1+1/4)=15"]),
        ("100 / 6 = 16 and (2/3)", ["100/6=50/3"]),
        ("80 000 x 5/100 = 4 000.", ["80000*5/100=4000"]),
        ("12*1000= 12,000MB", ["12*1000=12000"]),
        (".5+.75 = 1.25", ["0.5+0.75=1.25"]),
        ("Night 2:2(30)-2=58 pages", ["2*(30)-2=58"]),
        ("$2,430 – ($1,250 + $850) = $330", ["2430-(1250+850)=330"]),
        ("3/ 1/4 = 12", ["3/(1/4)=12"]),
        (r"3 \times 4 + 2 = 14", ["3*4+2=14"]),
        ("600/(3+1=4) = 150", ["3+1=4"]),
        # What is part of more than arithmetic is no equation.
        ("y+2*5=13", []),
        ("X*2 - $40 = $250, (X-2)*3=63 and 100-x+40-30 = 60", []),
        ("24 cups * 1/12 = 2 cups", []),
        ("10 points + 14 + 6 = 30 points", []),
        ("3*30 = 30 + M trees, 21/7 = 90/x", []),
        ("3*4=12x, 2^3+1=9, 5!+3=123 and f(2)+3=7", []),
        (r"\frac{1}{2} + 3 = 3.5, √(144) = 12", []),
        ("13,2000 / 60 = 220, 0900-0130 = 0730, 6:15+48=63", []),
        ("because 1/2 = 50 cents", []),
        ("Half of 10+2=6, a fifth of 20+5=5; twice 5+3=13 is 3 more than 2*5=13", []),
        # A wrong one stays wrong.
        ("300*20%=6000", ["300*20%=6000"]),
        ("7*8=54", ["7*8=54"]),
        ("2*23-4=46-5=41", ["2*23-4=41"]),
    ],
)
def test_equations_are_found_as_a_reader_would(text: str, expected: list[str]) -> None:
    assert [str(equation) for equation in find_equations(text)] == expected


@pytest.mark.parametrize(
    ("text", "true"),
    [("10/3=3.33", True), ("2/3=0.67", True), ("2/3=0.66", True), ("10/3=3.34", False), ("13/6=2", False),
     ("300*20%=60", True), ("300*20%=6000", False), ("9/27*100%=33.333%", True), ("7*8=54", False)],
)  # fmt: skip
def test_an_equation_holds_if_its_result_is_exact_or_rounded(text: str, true: bool) -> None:
    (found,) = find_equations(text)
    assert found.holds is true


@given(st.text() | st.text("0123456789+-*/=()%$., x\n"))
def test_any_text_can_be_searched(text: str) -> None:
    at = 0
    for equation in find_equations(text):
        assert at <= equation.start < equation.end
        at = equation.end


@given(st.integers(-999, 999), st.integers(-999, 999), st.sampled_from("+-*"))
def test_a_written_equation_is_read_back(a: int, b: int, op: str) -> None:
    a, b = abs(a), abs(b)
    value = {"+": a + b, "-": a - b, "*": a * b}[op]
    (found,) = find_equations(f"so {a} {op} {b} = {value}.")
    assert found.right == value == found.value


@pytest.mark.parametrize(("value", "text"), [("4", "4"), ("1/4", "0.25"), ("1/3", "1/3"), ("-7/2", "-3.5")])
def test_numbers_are_shown_exactly(value: str, text: str) -> None:
    assert show(Fraction(value)) == text


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_a_corrupted_copy_has_one_first_error_and_another_answer(seed: int) -> None:
    rng = Random(seed)
    made = 0
    for problem, _ in islice(generate("train", seed), 8):
        copy = corrupt(problem.solution, problem.question, rng)
        if copy is None:
            continue
        made += 1
        assert read_answer(copy).answer != problem.answer
        assert len(find_equations(copy)) == len(find_equations(problem.solution))
        slips = [equation for equation in find_equations(copy) if equation.value != equation.right]
        assert len(slips) <= 1, copy
    assert made >= 4


@pytest.mark.parametrize(
    "solution",
    [
        # The answer stands apart from one of the equations, before the words that follow from it.
        "Books: 5*8=40\nCats: 3+2=5\nSo 40 books and 5 cats.\n#### 5",
        "Cats: 3+2=5\nBooks: 5*8=40\nSo 5 cats and 40 books.\n\\boxed{5}",
        "Books: 5*8=40 (40 in all)\nThe answer is 5, from 3+2=5 of the 40. #### 5",
        "3+2=5\n#### 5\nNot asked: 5*8=40, so 40 books.",
    ],
)
def test_a_copy_whose_answer_stays_is_no_corrupted_copy(solution: str) -> None:
    """A slip where the answer does not come from leaves the solution right (MR-GSM8K#1)."""
    question = "There are 5 shelves of 8 books, and 3 cats meet 2 more. How many cats are there?"
    copies = [copy for seed in range(60) if (copy := corrupt(solution, question, Random(seed)))]
    assert len(copies) > 20
    assert not [copy for copy in copies if read_answer(copy).answer == "5"]


def test_a_solution_that_states_no_answer_has_no_corrupted_copy() -> None:
    assert corrupt("Books: 5*8=40\nSo 40 books.", "5 shelves of 8 books?", Random(0)) is None


@pytest.mark.parametrize(
    ("solution", "question"),
    [
        ("She sold 48 / 2 = 24 clips in May.\nIn all 48 + 24 = 72 clips.\n#### 72", "48 clips, half as many in May?"),
        ("It costs $5 x 4 = $20, and $20 is 30 - 20 = 10 less.\n#### 10", "4 pens at $5; he pays with $30?"),
        ("In all 1,000 + 2,500 = 3,500 people; 3,500 / 5 = 700.\n#### 700", "1,000 and 2,500 people in 5 halls?"),
        ("Half of them: 10/4=2.50 left\nThen 3*12 = 36 and 36+14 = 50\n\\boxed{50}", "14 and 3 bags of 12, 10, 4?"),
        ("3x: 65-32=33\nx: 33/3=11\n\\boxed{11}", "The number x satisfies 3x+32=65. What is x?"),
        ("20% of it: 300*20% = 60, so 300 – 60 = 240\n#### 240", "300 less 20%?"),
    ],
)
def test_a_corrupted_copy_has_other_numbers_and_nothing_else(solution: str, question: str) -> None:
    """Blanks, currency signs or commas by which copies are told from what they were copied from would tell labels."""

    def form(text: str) -> str:
        return re.sub(r"\d+(\.\d+)?", "N", re.sub(r"(?<=\d),(?=\d{3})", "", text))

    copies = {copy for seed in range(40) if (copy := corrupt(solution, question, Random(seed)))}
    assert len(copies) > 3
    assert {form(copy) for copy in copies} == {form(solution)}
    for copy in copies:
        assert all("," in number for number in re.findall(r"\d[\d,]{3,}", copy)) or "," not in solution
