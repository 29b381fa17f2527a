"""Equations in real and generated solutions; corrupted copies are wrong and consistent."""

from __future__ import annotations

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
    ],
)
def test_equations_are_found_as_a_reader_would(text: str, expected: list[str]) -> None:
    assert [str(equation) for equation in find_equations(text)] == expected


@given(st.text())
def test_any_text_can_be_searched(text: str) -> None:
    for equation in find_equations(text):
        assert text[equation.start : equation.end]


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
