"""Three readers of one text: what each says, and what follows from what one of them says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invented import EXAMPLE, graded, problem

from proofline.answers import read_answer
from proofline.answers.forms import FORMS, asked_forms, restated, strict_answer
from proofline.evaluation.readings import is_number, last_number, read
from proofline.grading import grade_text
from proofline.records import Grade, Readings

HASHES, BOXED = frozenset(FORMS[:1]), frozenset(FORMS[1:])


def readings(text: str, reference: str, forms: frozenset[str] = frozenset(FORMS), finished: bool = True) -> Readings:
    """Graded for real."""
    asked = problem(0, "math", "math").model_copy(update={"answer": reference})
    solution = graded(asked, "sft", 0, "1")[0].model_copy(update={"text": text, "finished": finished})
    judged = grade_text(text, reference)._asdict()
    return read(solution, Grade(solution_id=solution.id, problem_id=asked.id, **judged, grader="x"), asked, forms)


@pytest.mark.parametrize(
    ("text", "reference", "forms", "expected"),
    [
        ("6*7=42\n#### 42", "42", HASHES, (True, True, True)),
        ("#### 1,200", "1200", HASHES, (True, True, True)),
        # Another form than the one that was asked for, and none at all.
        (r"\boxed{42}", "42", HASHES, (False, True, True)),
        ("#### 42", "42", BOXED, (False, True, True)),
        ("So 6*7 is 42.", "42", HASHES, (False, True, False)),
        # Strict and right by value, but the last number is another; or the reference is none.
        (r"\boxed{5}, found in 3 steps", "5", BOXED, (True, False, True)),
        (r"$\boxed{\frac{3}{4}}$", r"\frac{3}{4}", BOXED, (True, False, True)),
        # The value is right, its spelling is not.
        ("#### 0.5", "1/2", HASHES, (False, False, True)),
        ("#### 42 pens", "42", HASHES, (False, True, True)),
        # Right by chance, in the eyes of one reader.
        ("#### 7\nWait, that is wrong. 6*7=42", "42", HASHES, (False, True, False)),
        ("#### 41", "42", HASHES, (False, False, False)),
        ("", "42", HASHES, (False, False, False)),
    ],
)
def test_what_each_reader_says(text: str, reference: str, forms: frozenset[str], expected: tuple[bool, ...]) -> None:
    found = readings(text, reference, forms)
    assert (found.strict, found.flexible, found.equivalence) == expected


NUMBERS = st.sampled_from(
    ["7", "42", "-3", "1,200", "0.5", "1/2", r"\frac{1}{2}", r"2\sqrt{3}", "x=5", "(1,2)", "$18$"]
)
PIECES = st.sampled_from(
    ["\n", " ", "6*7=42. ", "Wait, ", "The answer is ", "#### ", r"\boxed{", "}", "<think>", "</think>"]
)


@settings(max_examples=150)
@given(st.lists(PIECES | NUMBERS, max_size=8).map("".join), NUMBERS, st.booleans())
def test_what_strict_calls_right_is_right_by_value(text: str, reference: str, finished: bool) -> None:
    """The one thing that follows; the cases above show that nothing else does."""
    found = readings(text, reference, finished=finished)
    assert found.equivalence or not found.strict


def test_an_answer_that_the_limit_may_have_cut_is_not_strict() -> None:
    assert readings("#### 42", "42").strict
    assert readings("#### 42", "42", finished=False).strict_answer is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("She pays $1,200.50 in all.", "$1,200.50"), ("It is 18.", "18."), ("a -3 and a -4", "-4"),
        ("5-3", "-3"), ("none", None), ("7", "7"), ("so...", "..."),
    ],
)  # fmt: skip
def test_the_last_number_is_the_harness_s(text: str, number: str | None) -> None:
    """As `flexible-extract` of lm-evaluation-harness's gsm8k finds it, oddities included."""
    assert last_number(text) == number


def test_the_harness_s_match_forgives_commas_dollars_and_a_full_stop() -> None:
    assert readings("She pays $1,200.", "1200").flexible
    assert not readings("She pays 1200.0", "1200").flexible
    assert [is_number(one) for one in ("1200", "-3", "0.5", "1/2", r"\pi", "(1,2)")] == [True] * 3 + [False] * 3


def test_the_form_is_the_one_that_the_prompt_asks_for() -> None:
    ask = r"{question} Put it within \boxed{}."
    assert asked_forms(["{question}"], "#### 1") == HASHES
    assert asked_forms(["{question}"], r"\boxed{1}") == BOXED
    assert asked_forms([ask], "#### 1") == BOXED
    assert asked_forms(["{question}", r"\boxed{1}"], "#### 1") == BOXED
    assert asked_forms([ask, EXAMPLE.solution], "#### 1") == HASHES | BOXED
    assert asked_forms(["{question}"], "1") == HASHES | BOXED


@settings(max_examples=150)
@given(st.lists(PIECES | NUMBERS, max_size=8).map("".join), st.sampled_from([HASHES, BOXED]))
def test_a_restated_answer_is_the_same_in_the_form_that_was_asked_for(text: str, forms: frozenset[str]) -> None:
    """Or the text is left alone: it states no answer, or one that would read otherwise."""
    said, answer = restated(text, forms), read_answer(text).answer
    assert restated(said, forms) == said
    assert read_answer(said).answer == answer
    if said != text or answer in ("7", "-3", "1,200", "0.5"):
        assert strict_answer(said, finished=True, forms=forms) == answer
