"""Arithmetic done again: what is written, and that it says match exactly where the equation holds."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofline.data.equations import Equation, find_equations, show
from proofline.data.recompute import compare, operations, recompute

whole = st.integers(-5000, 5000)


@pytest.mark.parametrize(
    ("equation", "work"),
    [
        ("3*12=36", "3*12: 66 33 match"),
        ("3*12=34", "3*12: 64 mismatch"),
        ("98+7=105", "98+7: 55 00 11 match"),
        ("98+7=5", "98+7: 55 0_ mismatch"),
        # What undoes it: the claimed value comes back.
        ("48-14=34", "34+14: 88 44 match"),
        ("48-14=32", "32+14: 68 mismatch"),
        ("9-12=-3", "(-3)+12: 99 match"),
        ("132/4=33", "33*4: 22 33 11 match"),
        ("132/4=38", "38*4: 22 53 mismatch"),
        ("7/2=3", "3*2: 67 mismatch"),
        ("45 mod 9=0", "45//9=5, 5*9=45, 45+0: 55 44 match"),
        ("45 mod 9=4", "45//9=5, 5*9=45, 45+4: 95 mismatch"),
        ("45 mod 9=9", "45//9=5, 5*9=45, 45+9: 45 mismatch"),
        # Derivations, as worked steps: the last operation is tested, those before it have their values.
        ("(14+3*12)-9=41", "3*12=36, 14+36=50, 41+9: 00 55 match"),
        ("14+3*12=51", "3*12=36, 14+36: 01 mismatch"),
        # Fractions and decimals are computed as they stand; a rounded one is compared as it is written.
        ("7/2=3.5", "7/2: 55 .. 33 match"),
        ("10/3=3.33", "10/3: 33 33 .. 33 match"),
        ("10/3=3.43", "10/3: 33 /4 mismatch"),
        ("300*20%=60", "20/100=0.2, 300*0.2: 00 66 match"),
    ],
)
def test_what_is_written(equation: str, work: str) -> None:
    (found,) = find_equations(equation)
    assert recompute(found) == (work, work.endswith(" match"))


@pytest.mark.parametrize("left", ["6/(3-3)", "6/0", "7 mod 0", "((15*40)/100", ""])
def test_what_has_no_value_is_undefined(left: str) -> None:
    work, same = recompute(Equation(left, Fraction(1), 0, 0))
    assert (work.split(", ")[-1], same) == ("undefined", False)


@given(whole, whole, st.sampled_from(["+", "-", "*", "/", " mod "]), st.integers(-20, 20))
def test_it_matches_where_the_equation_holds(a: int, b: int, sign: str, slip: int) -> None:
    left = f"{a}{sign}{b}" if b >= 0 else f"{a}{sign}({b})"
    true = Equation(left, Fraction(0), 0, 0).value
    claimed = Equation(left, (true or Fraction(0)) + slip, 0, 0)
    assert recompute(claimed)[1] == (true is not None and slip == 0)


@given(whole, whole)
def test_comparison_is_by_digits_from_the_last_up_to_the_first_difference(one: int, other: int) -> None:
    text, same = compare(Fraction(one), Fraction(other))
    *pairs, word = text.split(" ")
    assert (word == "match") == same == (one == other)
    assert all(a == b for a, b in pairs[:-1])
    assert show(Fraction(one)).endswith("".join(pair[0] for pair in reversed(pairs)).lstrip("_"))


def test_operations_are_listed_innermost_first() -> None:
    assert list(map(str, operations("(14+3*12)-9"))) == ["3*12", "14+36", "50-9"]
    assert operations("((15*40)/100") == []
