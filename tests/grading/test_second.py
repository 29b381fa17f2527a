"""The second grader: what it equates, tells apart, leaves open; and what two verdicts make of a grade."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofline.answers import clean, equivalent, read_answer
from proofline.answers.exact import compare_exactly
from proofline.grading import grade_all
from proofline.grading.summary import disagreements, summarise
from proofline.records import Decoding, Grade, Problem, Solution

RIGHT, WRONG, NONE = "correct", "wrong", "unparsed"
FRACTIONS = st.fractions(max_denominator=500).filter(lambda value: abs(value) < 10**6)
EXPRESSIONS = st.recursive(
    st.one_of(st.integers(0, 40).map(str), st.sampled_from(["x", "y", r"\pi", r"\sqrt{2}", r"\frac{2}{7}"])),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", r" \cdot "]), inner).map(lambda t: f"({t[0]}{t[1]}{t[2]})"),
        st.tuples(inner, inner).map(lambda t: rf"\frac{{{t[0]}}}{{{t[1]}+41}}"),
        inner.map(lambda one: rf"{{{one}}}^{{2}}"),
    ),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("answer", "reference", "verdict"),
    [
        (r"\frac{1}{23}", r"\frac{12}{3}", WRONG),
        ("1 2", "12", NONE),
        (r"2\sqrt{2}", r"\sqrt{8}", RIGHT),
        (r"\sqrt[3]{-8}", "-2", RIGHT),
        (r"\sqrt{x^2}", "x", WRONG),
        (r"(x+1)^2", "x^2+2x+1", RIGHT),
        (r"\sin^2 x + \cos^2 x", "1", RIGHT),
        (r"\log_2 8", "3", RIGHT),
        ("5!", "120", RIGHT),
        (r"\binom{5}{2}", "10", RIGHT),
        ("3, 5", "5, 3", RIGHT),
        ("(3, 5)", "(5, 3)", WRONG),
        ("(3, 5)", "5, 3", NONE),
        ("1, 1, 2", "1, 2", NONE),
        ("[3, 5]", "(3, 5)", WRONG),
        (r"x \ge 5", r"[5, \infty)", RIGHT),
        (r"(-\infty, 3) \cup (3, \infty)", r"(3, \infty) \cup (-\infty, 3)", RIGHT),
        (r"y = 2x + 3", "2x - y + 3 = 0", RIGHT),
        (r"y = 2x + 3", "2x - y + 4 = 0", WRONG),
        (r"\pm 3", "3, -3", RIGHT),
        (r"3 \pm \sqrt{2}", r"3 - \sqrt{2}, 3 + \sqrt{2}", RIGHT),
        ("2 + 3i", "3i + 2", RIGHT),
        ("0.333333", r"\frac{1}{3}", RIGHT),
        ("0.333", r"\frac{1}{3}", WRONG),
        (r"\text{(A)}", "A", RIGHT),
        ("-CD", "CD", WRONG),
        (r"40\text{ ft}", r"40 \text{ feet}", RIGHT),
        (r"40\text{ feet}", r"40 \text{ miles}", NONE),
        (r"40\text{ square units}", r"40", RIGHT),
        ("776_8", "776_6", WRONG),
        ("664_7", "664_{7}", RIGHT),
        ("28_9", "28", WRONG),
        ("26", "28_9", NONE),
        ("10^{10^{10}}", "10^{10^{10}} + 1", NONE),
        ("(x+1)^{100000}", "x", WRONG),
        ("1/0", "2/0", NONE),
        (r"\sqrt{2}^2 - 2", "0", NONE),
        ("(" * 200, "1", NONE),
    ],
)
def test_the_verdict(answer: str, reference: str, verdict: str) -> None:
    assert compare_exactly(answer, reference)[0] == verdict, compare_exactly(answer, reference)


@given(FRACTIONS, FRACTIONS)
def test_fractions_are_compared_exactly(one: Fraction, other: Fraction) -> None:
    spelled = rf"\frac{{{other.numerator}}}{{{other.denominator}}}"
    assert compare_exactly(str(one), spelled)[0] == (RIGHT if one == other else WRONG)


@given(st.integers(-999, 999), st.integers(1, 98), st.integers(2, 99))
def test_a_mixed_number_is_its_sum(whole: int, above: int, below: int) -> None:
    value = abs(whole) + Fraction(above, below)
    value = -value if whole < 0 else value
    for text in (f"#### {whole} {above}/{below}", rf"\boxed{{{whole}\frac{{{above}}}{{{below}}}}}"):
        answer = read_answer(text).answer
        assert answer is not None
        assert equivalent(answer, str(value))
        assert not equivalent(answer, str(value + 1))


@given(st.integers(-(10**12), 10**12), st.sampled_from([",", " ", r"\,", r"\;", "{,}", "\u202f", "\xa0", "~"]))
def test_thousands_are_one_number_however_grouped(number: int, separator: str) -> None:
    grouped = f"{number:,}".replace(",", separator)
    assert clean(grouped) == str(number)
    assert read_answer(rf"\boxed{{{grouped}}}").answer == str(number)


@settings(max_examples=150, deadline=None)
@given(EXPRESSIONS)
def test_an_expression_equals_itself_respelled_and_no_other(expression: str) -> None:
    assert compare_exactly(f"{expression} + 7 - 7", expression)[0] == RIGHT
    assert compare_exactly(f"{expression} + 7", expression)[0] == WRONG


@settings(deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_two_texts_get_a_verdict_and_the_same_text_is_right(one: str, other: str) -> None:
    assert compare_exactly(one, one)[0] == RIGHT
    assert compare_exactly(one, other)[0] in (RIGHT, WRONG, NONE)


@settings(deadline=None)
@given(st.text("0123456789.,:/ \\{}()[]+-^_!xk$%&fractsqe", max_size=40))
def test_texts_that_look_like_answers_are_cleaned_once_and_for_all(text: str) -> None:
    assert clean(clean(text)) == clean(text)
    assert compare_exactly(text, "17")[0] in (RIGHT, WRONG, NONE)


@given(st.text("\\boxedf{}$ #1234567890.\nAnswerWait,", max_size=80))
def test_texts_full_of_markers_are_read_or_refused(text: str) -> None:
    assert read_answer(text).reason
    assert read_answer(text, finished=False).reason


def problem(answer: str) -> Problem:
    return Problem(id=answer, source="math", family="math", split="train", question=answer, solution="", answer=answer,
                   skeleton="s")  # fmt: skip


def solution(problem: Problem, text: str, finished: bool = True) -> Solution:
    return Solution(id=f"{problem.id} {text}", problem_id=problem.id, policy="sft", weights="w",
                    decoding=Decoding(temperature=1.0, top_p=1.0, max_new_tokens=9), sample_index=0, seed=0, text=text,
                    num_tokens=1, logprob=-1.0, finished=finished)  # fmt: skip


def test_a_grade_keeps_both_verdicts_and_the_summary_counts_where_they_differ() -> None:
    half, base, clock = problem(r"\frac{1}{2}"), problem("28_9"), problem("05:00")
    rows = [
        solution(half, "#### 0.5"), solution(half, "#### 0.4"), solution(half, "none"),
        solution(base, r"\boxed{28}"), solution(clock, r"\boxed{5:00}"),
    ]  # fmt: skip
    problems = {row.id: row for row in (half, base, clock)}
    grades = grade_all(rows, problems, workers=1)
    assert [(g.verdict, g.second_verdict) for g in grades] == [
        (RIGHT, RIGHT), (WRONG, WRONG), (NONE, NONE), (RIGHT, NONE), (NONE, NONE),
    ]  # fmt: skip
    assert [grade.agreed for grade in grades] == [True, True, False, False, False]
    assert [grade.undecided for grade in grades] == [None, None, "unread", None, "incomparable"]
    assert all(grade.second_reason and grade.second_grader for grade in grades)
    summary = summarise(grades, problems)
    assert (summary["agreed"], summary["disputed"], summary["single"]) == (2, 0, 1)
    assert (summary["unparsed_unread"], summary["unparsed_incomparable"], summary["unparsed_timed_out"]) == (1, 1, 0)
    (listed,) = disagreements(grades, problems)
    assert (listed["answer"], listed["reference"]) == ("28", "28_9")


@pytest.mark.parametrize(
    ("first", "second", "agreed", "disputed"),
    [
        (RIGHT, RIGHT, True, False), (WRONG, WRONG, True, False), (RIGHT, WRONG, False, True),
        (WRONG, RIGHT, False, True), (RIGHT, NONE, False, False), (NONE, WRONG, False, False),
        (NONE, NONE, False, False), (RIGHT, None, True, False), (NONE, None, False, False),
    ],
)  # fmt: skip
def test_graders_agree_where_both_say_right_or_both_wrong(
    first: str, second: str | None, agreed: bool, disputed: bool
) -> None:
    grade = Grade(solution_id="s", problem_id="p", verdict=first, extracted="1", reason="", grader="g",
                  second_verdict=second)  # fmt: skip
    assert (grade.agreed, grade.disputed) == (agreed, disputed)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [("3*12=36\n#### 3", NONE), ("The answer is 3", NONE), (r"so \boxed{36}", RIGHT), ("#### 36\nDo", RIGHT),
     ("#### 36\n", NONE), ("Answer: 3", NONE)],
)  # fmt: skip
def test_a_statement_at_the_end_of_a_text_cut_by_its_limit_may_be_half_a_one(text: str, verdict: str) -> None:
    six = problem("36")
    (grade,) = grade_all([solution(six, text, finished=False)], {six.id: six}, workers=1)
    assert grade.verdict == verdict
