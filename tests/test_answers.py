"""What counts as a stated final answer, and how it is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofline.answers import clean, last_boxed, read_answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("6*7=42\n#### 42", "42"),
        ("#### 41\nNo, again.\n#### 42", "42"),
        ("#### $1,600.", "1600"),
        ("#### -3", "-3"),
        ("#### −3", "-3"),
        ("#### 18 dollars per week", "18"),
        (r"Thus \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        (r"\boxed{1} and then \boxed{\{1, \sqrt{2}\}}", r"\{1, \sqrt{2}\}"),
        (r"#### \boxed{7}", "7"),
        (r"\boxed{6}, so" + "\n#### 7", "7"),
        (r"The answer is 5, hence \boxed{6}.", "6"),
        (r"\boxed{1600\!}", "1600"),
        (r"\boxed{5,\!525\%}", "5525"),
        ("So she has 3 left. The answer is 3.", "3"),
        ("the final answer is: **$2,400.**", "2400"),
        ("The answer is 80/3.", "80/3"),
        ("The answer is -$2.", "-2"),
        ("The answer is 14 + 1 = 15.", "15"),
        ("The answer is $8100 / $180= 45 machines.", "45"),
        ("The answer is 9. Mariel is walking 9 dogs.", "9"),
        ("The answer is 66 + 3.5x.", "66 + 3.5x"),
        (r"The answer is $\frac{2}{5}$ of the cake.", r"\frac{2}{5}"),
        ("The answer is 4.667 hours", "4.667"),
        ("The answer is 9.5.\n\nExplanation: 3 + 6.5", "9.5"),
    ],
)
def test_reads_the_stated_answer(text: str, answer: str) -> None:
    assert read_answer(text).answer == answer


@pytest.mark.parametrize(
    "text",
    [
        "",
        "6*7=42",
        "She has 42 left.",
        "####",
        r"\boxed{}",
        r"\boxed{42",
        "The answer is 2 hours and 30 minutes.",
        "The answer is 517 or 518.",
        "The answer is 90 thousand.",
        "The answer is not given in the question.",
        "#### " + "1+" * 400 + "1",
    ],
)
def test_a_text_without_one_stated_value_is_not_read(text: str) -> None:
    reading = read_answer(text)
    assert reading.answer is None
    assert reading.reason


@given(st.recursive(st.text("ab12 ", max_size=4), lambda inner: st.lists(inner, max_size=3).map(
    lambda parts: "".join("{" + part + "}" for part in parts))))  # fmt: skip
def test_boxed_content_of_any_nesting_is_found_whole(content: str) -> None:
    assert last_boxed(rf"so \boxed{{{content}}} follows") == (3, content)


@given(st.text())
def test_any_text_is_read_or_refused_with_a_reason(text: str) -> None:
    reading = read_answer(text)
    assert reading.reason
    assert reading.answer is None or clean(reading.answer) == reading.answer


@given(st.text(), st.integers(-(10**9), 10**9))
def test_what_is_stated_last_counts_whatever_stands_before(before: str, answer: int) -> None:
    assert read_answer(f"{before}\n#### {answer}").answer == str(answer)
    assert read_answer(rf"{before} \boxed{{{answer}}}").answer == str(answer)


@pytest.mark.parametrize(
    "unit", ["#### ", r"\boxed{", r"\boxed{5} and ", "Wait, ", "<think>", "answer: ", "\n", "!? ", "("]
)
def test_long_texts_of_one_marker_are_read_in_the_time_of_one_look(unit: str) -> None:
    """Some took minutes, by looking from every place to the end; here the suite's time-out would end them."""
    assert read_answer(unit * (500_000 // len(unit))).reason
