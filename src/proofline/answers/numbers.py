"""Arithmetic on exact fractions where it can be, on numbers of 50 digits where it cannot. Bounded in time and memory.

A number is a Fraction, or mpmath's real or complex number of `DIGITS` digits. Raises Unreadable for what is undefined
or too large to be computed at once.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import comb, isqrt
from math import factorial as whole_factorial
from typing import Any

import mpmath

DIGITS = 50
MAX_BITS = 20_000
"""Largest fraction that is kept exact: `2^{20000}`."""
MAX_SCALE = 10**7
"""Largest binary exponent at all."""

Number = Any
"""Fraction, mpf or mpc."""

_MP = mpmath.MPContext()
_MP.dps = DIGITS


class Unreadable(ValueError):
    """Not an expression that this reader knows, or not a defined number."""


def lift(value: Number) -> Number:
    """A number of 50 digits."""
    return _MP.mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else value


def _checked(value: Number) -> Number:
    """Raises Unreadable for what is no finite number."""
    if not _MP.isfinite(value):
        raise Unreadable("an undefined value")
    return value


def _exact(*values: Number) -> bool:
    return all(isinstance(value, Fraction) for value in values)


def add(a: Number, b: Number) -> Number:
    return a + b if _exact(a, b) else lift(a) + lift(b)


def subtract(a: Number, b: Number) -> Number:
    return a - b if _exact(a, b) else lift(a) - lift(b)


def multiply(a: Number, b: Number) -> Number:
    if _exact(a, b) and _bits(a) + _bits(b) <= MAX_BITS:
        return a * b
    return lift(a) * lift(b)


def divide(a: Number, b: Number) -> Number:
    if b == 0:
        raise Unreadable("a division by zero")
    return a / b if _exact(a, b) else lift(a) / lift(b)


def negate(a: Number) -> Number:
    return -a


def absolute(a: Number) -> Number:
    return abs(a)


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def power(base: Number, exponent: Number) -> Number:
    if base == 0:
        if isinstance(exponent, Fraction) and exponent > 0:
            return Fraction(0)
        raise Unreadable("a power of zero")
    if _exact(base, exponent):
        if exponent.denominator == 1 and _bits(base) * abs(exponent) <= MAX_BITS:
            return base ** int(exponent)
        if exponent.denominator <= 100 and base > 0 and _bits(base) * abs(exponent.numerator) <= MAX_BITS:
            rooted = _whole_root(base, exponent.denominator)
            if rooted is not None:
                return rooted ** int(exponent.numerator)
    size = abs(lift(exponent)) * (abs(_MP.log(abs(lift(base)), 2)) + 5)
    if size > MAX_SCALE:
        raise Unreadable("a power too large to be computed")
    return _checked(_MP.power(lift(base), lift(exponent)))


def root(value: Number, degree: Number) -> Number:
    if not isinstance(degree, Fraction) or degree.denominator != 1 or not 1 <= degree <= 1000:
        return power(value, divide(Fraction(1), degree))
    if isinstance(value, Fraction) and value < 0 and degree % 2:
        return -root(-value, degree)
    return power(value, Fraction(1, int(degree)))


def _whole_root(value: Fraction, degree: int) -> Fraction | None:
    above, below = (_integer_root(part, degree) for part in (value.numerator, value.denominator))
    return Fraction(above, below) if above is not None and below is not None else None


def _integer_root(value: int, degree: int) -> int | None:
    if degree == 2:
        found = isqrt(value)
    else:
        found = int(_MP.nint(_MP.root(_MP.mpf(value), degree))) if value.bit_length() < 150 else 0
    return found if found**degree == value else None


def factorial(value: Number) -> Number:
    if not isinstance(value, Fraction) or value.denominator != 1 or not 0 <= value <= 10**5:
        raise Unreadable("a factorial of that")
    return Fraction(whole_factorial(int(value))) if value <= 1500 else _MP.factorial(int(value))


def binomial(above: Number, below: Number) -> Number:
    if not _exact(above, below) or above.denominator != 1 or below.denominator != 1:
        raise Unreadable("a binomial coefficient of that")
    if not 0 <= below <= above <= 2000:
        raise Unreadable("a binomial coefficient of that")
    return Fraction(comb(int(above), int(below)))


def logarithm(value: Number, base: Number) -> Number:
    if value == 0 or base in (0, 1):
        raise Unreadable("a logarithm of that")
    if _exact(value, base) and value > 0 and base > 0:
        whole = int(_MP.nint(_MP.log(lift(value), lift(base))))
        if abs(whole) < 1000 and base**whole == value:
            return Fraction(whole)
    return _checked(_MP.log(lift(value)) / _MP.log(lift(base)))


def _analytic(function: Callable[[Number], Number]) -> Callable[[Number], Number]:
    def computed(value: Number) -> Number:
        lifted = lift(value)
        if abs(lifted) > 10**20:
            raise Unreadable("a function of so large a number")
        try:
            return _checked(function(lifted))
        except (ValueError, ZeroDivisionError, OverflowError) as error:
            raise Unreadable("an undefined value of a function") from error

    return computed


CONSTANTS: dict[str, Number] = {"pi": +_MP.pi, "e": +_MP.e, "i": _MP.mpc(0, 1), "infty": +_MP.inf}
_TRIGONOMETRIC = ("sin", "cos", "tan", "sec", "csc", "cot", "sinh", "cosh", "tanh")
FUNCTIONS: dict[str, Callable[[Number], Number]] = {
    **{name: _analytic(getattr(_MP, name)) for name in _TRIGONOMETRIC},
    **{f"arc{name}": _analytic(getattr(_MP, f"a{name}")) for name in _TRIGONOMETRIC[:6]},
    "exp": lambda value: power(CONSTANTS["e"], value),
    "ln": lambda value: logarithm(value, CONSTANTS["e"]),
    "log": lambda value: logarithm(value, Fraction(10)),
}
AGREEMENT = _MP.mpf(10) ** -30
SMALLEST = _MP.mpf(10) ** -40


def equal(a: Number, b: Number) -> bool:
    """The same number: exactly where both are exact, else in 30 digits. Raises Unreadable where 0 meets a residue."""
    if _exact(a, b):
        return bool(a == b)
    if _MP.isinf(a) or _MP.isinf(b):
        return bool(a == b)
    a, b = lift(a), lift(b)
    largest = max(abs(a), abs(b))
    if largest == 0:
        return True
    if largest < SMALLEST and (a == 0 or b == 0):
        raise Unreadable("a value too small to be told from zero")
    return bool(abs(a - b) <= AGREEMENT * largest)
