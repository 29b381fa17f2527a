"""The generator: exact answers, disjoint skeletons, stable streams."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofline.answers import read_answer
from proofline.data.chain import verify
from proofline.data.equations import compute, find_equations
from proofline.data.synthetic import demonstrations, generate, generate_problems, skeleton_split, write_solution
from proofline.data.synthetic.steps import evaluate


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["train", "dev", "test"]))
def test_every_written_equation_is_true_and_leads_to_the_answer(seed: int, split: str) -> None:
    for problem, derived in islice(generate(split, seed), 6):
        for style in ("worked", "compact"):
            text = write_solution(derived, style)
            equations = find_equations(text)
            assert equations, text
            assert all(equation.value == equation.right for equation in equations), text
            assert read_answer(text).answer == problem.answer
        assert len(find_equations(problem.solution)) == len(derived.steps), problem.solution


def test_the_three_splits_share_no_skeleton_and_no_question() -> None:
    splits = {split: list(generate_problems(split, 600, seed=3)) for split in ("train", "dev", "test")}
    for one, other in (("train", "dev"), ("train", "test"), ("dev", "test")):
        assert not {p.skeleton for p in splits[one]} & {p.skeleton for p in splits[other]}
        assert not {p.question for p in splits[one]} & {p.question for p in splits[other]}


@given(st.text(min_size=1))
def test_a_skeleton_belongs_to_one_split(template: str) -> None:
    assert skeleton_split(template) == skeleton_split(template)


def test_the_test_split_has_exercises_of_many_templates() -> None:
    """Intervals resample templates: 37 of them told little."""
    drawn = [problem for problem in generate_problems("test", 4000, 0) if problem.family == "math"]
    assert len({problem.cluster for problem in drawn}) >= 150
    assert len({problem.cluster for problem in drawn[:260]}) >= 120


def test_the_program_finds_no_fault_in_a_right_solution() -> None:
    for problem, derived in islice(generate("train", 5), 600):
        for style in ("worked", "compact"):
            chain = verify(problem.question, write_solution(derived, style))
            assert chain is not None
            assert chain.accepts, f"{problem.question}\n{chain.text}"


def test_a_longer_stream_starts_with_the_shorter_one() -> None:
    assert list(generate_problems("dev", 40, 1))[:15] == list(generate_problems("dev", 15, 1))
    assert list(generate_problems("dev", 15, 1)) != list(generate_problems("dev", 15, 2))


def test_both_families_and_both_writers_are_there() -> None:
    problems = list(generate_problems("train", 200, 0))
    assert sum(problem.family == "word" for problem in problems) == 100
    written = list(demonstrations(problems, 0))
    assert [row.problem_id for row in written] == [problem.id for problem in problems]
    assert 95 <= sum(row.style == "worked" for row in written) <= 145


@pytest.mark.parametrize("family", ["word", "math"])
def test_numbers_stay_within_reach(family: str) -> None:
    for problem, derived in islice(generate("train", 11), 200):
        if problem.family == family:
            assert all(Fraction(0) <= value <= 9999 for value in evaluate(derived.steps))


def test_compute_reads_arithmetic_only() -> None:
    assert compute("(14+3*12)-9") == 41
    assert compute("56 mod 9") == 2
    assert compute("1/0") is None
    assert compute("__import__('os')") is None
