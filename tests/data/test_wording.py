"""Different problems differ in wording and skeleton; copies of one do not."""

from __future__ import annotations

import pytest

from proofline.data.wording import ngrams, skeleton, wording, words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5² + 1", "52 + 1"), ("10³", "103"), ("10⁻³", "10-3"), ("2½", "21/2"), ("⅔", "23"), ("x₁ + 1", "x1 + 1"),
        ("a²b", "a2b"), ("2⁵", "25"), ("5①", "51"), ("xⁿ", "xn"), ("5㎡", "5m2"), ("log₂8", "log28"),
    ],
)  # fmt: skip
def test_raised_and_lowered_characters_are_no_digits(one: str, other: str) -> None:
    assert wording(one) != wording(other)
    assert skeleton(f"Compute {one}.") != skeleton(f"Compute {other}.")
    assert words(one) != words(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("$6!$", "$6$"), ("$n!$", "$n$"), ("(n+1)!", "(n+1)"), ("$6!!$", "$6!$"), ("Compute 6! now", "Compute 6 now"),
        ("$f'(x)$", "$f(x)$"), ("f''(2)", "f'(2)"), ("$AB'$", "$AB$"), ("$A'B'C'$", "$ABC$"), ("f′(3)", "f(3)"),
        ("$f(x,y)$", "$f(xy)$"), ("$a:b$", "$ab$"),
    ],
)  # fmt: skip
def test_a_skeleton_keeps_factorials_primes_and_separators(one: str, other: str) -> None:
    assert skeleton(one) != skeleton(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("５² + １", "5^2 + 1"), ("x^{23}", "x²³"), ("Ann’s cat", "Ann's cat"), ("f′(x)", "f'(x)"), ("3 − 1", "3 - 1"),
        ("ＡＮＮ has  7", "ann has 7"), ("2½ cups", "2 1/2 cups"),
    ],
)  # fmt: skip
def test_copies_have_one_wording(one: str, other: str) -> None:
    assert wording(one) == wording(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann has 12 apples, and eats 5 of them!", "Ann has 1,200 apples and eats 8 of them"),
        ("Ann's dogs' food", "Anns dogs food"), ("“Hi”, says Bob.", '"Hi" says Bob'), ("$1,2,3$", "$4, 5, 6$"),
        ("Wow! It's 5.", "Wow its 7"), ("Compute $3+x$.", "Compute $12+x$"),
    ],
)  # fmt: skip
def test_punctuation_of_running_text_and_numbers_are_no_difference(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other)


SHARED = "draw the base of the tower which is twice as wide as its height and paint it red"


@pytest.mark.parametrize(
    "boilerplate",
    [
        "[asy] size(100); pair A=(0,0), B=(1,0), C=(1,1); draw(A--B--C--cycle); label(A, SW); [/asy]",
        "[asy]\nimport graph;\ndraw((0,0)--(1,0)--(1,1)--(0,1)--cycle);\ndot((0,0)); dot((1,1));\n[/asy]",
        r"\begin{asy} draw((0,0)--(1,0)--(1,1)--(0,1)--cycle); dot((0,0)); dot((1,1)); \end{asy}",
        r"\begin{tikzpicture} \draw (0,0) -- (1,0) -- (1,1) -- (0,1) -- cycle; \draw (0,0) -- (1,1); \end{tikzpicture}",
        "[asy] size(100); pair A=(0,0), B=(1,0), C=(1,1); draw(A--B--C--cycle); never closed",
        "where $m$ and $n$ are relatively prime positive integers. Find $m+n$.",
        "where $a,$ $b,$ $c,$ and $d$ are positive integers and $c$ is not divisible by the square of any prime.",
        "Express your answer as a common fraction in lowest terms, numerator first and denominator second.",
        "Enter your answer in the form of a list of all the integers, from the smallest to the largest of them.",
        "Round your answer to the nearest hundredth and give only the digits of it without any unit at all.",
        "Please give your final answer as a decimal number that is rounded to the nearest tenth of a unit.",
        "Write your answers in order from least to greatest, separated by commas, without any blanks in between them.",
    ],
)
def test_boilerplate_is_no_shared_run(boilerplate: str) -> None:
    one, other = (ngrams(f"{question} {boilerplate}", 8) for question in ("A cat eats fish.", "Nine dogs sleep."))
    assert not one & other
    # Control: a run that says something still counts beside it.
    one, other = (ngrams(f"{question} {SHARED}. {boilerplate}", 13) for question in ("A cat.", "Nine dogs."))
    assert one & other
