"""Are two SymPy values numbers that differ, however little? A check on what math-verify calls equal.

Numbers are compared relative to their size: in 30 digits, in 13 where one is a decimal number, and in 6 where that is
written with 6 decimals and may be a rounding. `0.333333` is a third, `1.00` is not 1000001/1000000, 1e-7 is not 2e-7.
Tuples, sets, intervals, matrices and equations are compared part by part; where the two have other shapes, or unknowns
take part, nothing is said against math-verify's verdict.
"""

from __future__ import annotations

from typing import Any

EXACT, DECIMAL, ROUNDED = 1e-30, 1e-13, 5e-6
DIGITS = 50


def apart(gold: Any, value: Any, rounded: bool) -> bool:
    """True where two values, or two parts in the same place, are numbers apart. `rounded`: one may be a rounding."""
    import sympy

    if isinstance(gold, sympy.Eq):
        gold = gold.rhs
    if isinstance(value, sympy.Eq):
        value = value.rhs
    if getattr(gold, "is_number", False) and getattr(value, "is_number", False):
        return _numbers_apart(gold, value, rounded)
    mine, theirs = _parts(gold), _parts(value)
    if len(mine) != len(theirs):
        return False
    if isinstance(gold, sympy.FiniteSet) or isinstance(value, sympy.FiniteSet):
        return any(all(apart(a, b, rounded) for b in theirs) for a in mine) or any(
            all(apart(a, b, rounded) for a in mine) for b in theirs
        )
    return any(apart(a, b, rounded) for a, b in zip(mine, theirs, strict=True))


def _parts(value: Any) -> list[Any]:
    import sympy

    if isinstance(value, sympy.MatrixBase):
        return list(value.flat())
    if isinstance(value, sympy.Interval):
        return [value.start, value.end]
    if isinstance(value, sympy.Tuple | sympy.FiniteSet | sympy.Union):
        return list(value.args)
    return []


def _numbers_apart(gold: Any, value: Any, rounded: bool) -> bool:
    if gold == value or gold.is_infinite or value.is_infinite:
        return False
    import sympy

    a, b = (number.evalf(DIGITS) for number in (gold, value))
    decimal = gold.has(sympy.Float) or value.has(sympy.Float)
    within = EXACT if not decimal else ROUNDED if rounded else DECIMAL
    gap, size = abs(a - b), max(abs(a), abs(b))
    return bool(gap > within * size) and not (gold - value).equals(0)
