"""Are two SymPy values numbers that differ, however little? A check on what math-verify calls equal.

Numbers are compared relative to their size, in 30 digits, or in 6 where one is a decimal number: `0.333333` is a third
and 1e-7 is not 2e-7. Tuples, sets, intervals, matrices and equations are compared part by part; where the two have
other shapes, or unknowns take part, nothing is said against math-verify's verdict.
"""

from __future__ import annotations

from typing import Any

EXACT, DECIMAL = 1e-30, 5e-6
DIGITS = 50


def apart(gold: Any, value: Any) -> bool:
    """True where two values, or two parts in the same place, are numbers apart."""
    import sympy

    if isinstance(gold, sympy.Eq):
        gold = gold.rhs
    if isinstance(value, sympy.Eq):
        value = value.rhs
    if getattr(gold, "is_number", False) and getattr(value, "is_number", False):
        return _numbers_apart(gold, value)
    mine, theirs = _parts(gold), _parts(value)
    if len(mine) != len(theirs):
        return False
    if isinstance(gold, sympy.FiniteSet) or isinstance(value, sympy.FiniteSet):
        return any(all(apart(a, b) for b in theirs) for a in mine) or any(
            all(apart(a, b) for a in mine) for b in theirs
        )
    return any(apart(a, b) for a, b in zip(mine, theirs, strict=True))


def _parts(value: Any) -> list[Any]:
    import sympy

    if isinstance(value, sympy.MatrixBase):
        return list(value.flat())
    if isinstance(value, sympy.Interval):
        return [value.start, value.end]
    if isinstance(value, sympy.Tuple | sympy.FiniteSet | sympy.Union):
        return list(value.args)
    return []


def _numbers_apart(gold: Any, value: Any) -> bool:
    if gold == value or gold.is_infinite or value.is_infinite:
        return False
    import sympy

    a, b = (number.evalf(DIGITS) for number in (gold, value))
    within = DECIMAL if a.has(sympy.Float) and (gold.has(sympy.Float) or value.has(sympy.Float)) else EXACT
    gap, size = abs(a - b), max(abs(a), abs(b))
    return bool(gap > within * size) and not (gold - value).equals(0)
