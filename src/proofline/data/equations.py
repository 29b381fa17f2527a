"""Equations in a solution's text: find them, compute them exactly, break one on purpose.

`3*12=36`, `$5 x 4 = $20`, `300*20%=60` and `(14+3*12)-9=41` are equations; `3x+5=26` and `x=7` are not, because their
left side is no arithmetic. Nothing is ever evaluated but arithmetic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random

from proofline.answers import read_answer
from proofline.data.arithmetic import NUMBER, Side, compute, find_chains, numbers

_OTHER_SCALE = re.compile(r"\s*(?:(?:dozens?|hundreds?|thousands?|millions?|billions?|cents?|percent)\b|¢)")
"""Words that change the size of the number before them."""
_COMMAS, _BARE = re.compile(r"\d,\d{3}"), re.compile(r"(?<![\d.])\d{4,}(?!\d)")
"""Thousands with and without commas."""
SLIPS = (-10, -2, -1, 1, 2, 10)
"""How far a slip is off."""


@dataclass(frozen=True)
class Equation:
    """`left=right` as written, blanks and currency signs taken out, with its place in the text."""

    left: str
    right: Fraction
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.left}={show(self.right)}"

    @property
    def value(self) -> Fraction | None:
        """What the left side really is; None where it cannot be computed."""
        return compute(self.left)

    @property
    def holds(self) -> bool:
        """Is it true? A decimal may be rounded or cut: `10/3=3.33`."""
        if self.value is None or self.value == self.right:
            return self.value is not None
        unit, beyond = Fraction(1, 10 ** (_decimals(self.right) or 0)), abs(self.value) - abs(self.right)
        return unit < 1 and self.value * self.right > 0 and -unit / 2 <= beyond < unit

    @property
    def reckoning(self) -> tuple[Fraction, tuple[str, ...]]:
        """Its result, and its numbers and operations in no order."""
        return self.right, tuple(sorted(re.findall(rf"{NUMBER}|[-+*/]|mod", self.left)))


def show(value: Fraction) -> str:
    """A whole number, a finite decimal, or a quotient."""
    decimals = _decimals(value)
    return str(value) if decimals is None else f"{float(value):.{decimals}f}"


def _decimals(value: Fraction) -> int | None:
    """How many decimals write it exactly; None where more than 9 are needed."""
    return next((places for places in range(10) if (value * 10**places).denominator == 1), None)


def find_equations(text: str) -> list[Equation]:
    """All equations of a text, in order; none overlaps another.

    A chain of equal sides is one equation, its first side and its last: `2*23-4=46-4=42` says that 2*23-4=42. Where the
    result is reckoned on with (`10*300=3,000/6=500`), the equation ends at the result.
    """
    return [equation for sides in find_chains(text) for equation in _stated(sides, text)]


def _stated(sides: list[Side], text: str) -> list[Equation]:
    found, at = [], 0
    while at + 1 < len(sides):
        left, to = sides[at], at + 1
        if left.is_number:
            at = to
            continue
        while to + 1 < len(sides) and not sides[to].is_number and sides[to].value == left.value:
            to += 1
        right = sides[to]
        if not right.is_number and right.value != left.value == right.first:
            found.append(Equation(left.text, right.first, left.start, right.first_end))
        else:
            found.append(Equation(*_percent(left, right), left.start, right.end))
        at = to if right.is_number else to + 1
    return [equation for equation in found if equation.holds or not _OTHER_SCALE.match(text, equation.end)]


def _percent(left: Side, right: Side) -> tuple[str, Fraction]:
    """Left and right with percent signs as they are meant: a hundredth in `300*20%=60`, the unit that is reckoned in
    in `5%+10%=15%` and `100-20=80%`."""
    assert left.value is not None
    assert right.value is not None
    if "%" in left.text + right.text:
        plain, points = left.text.replace("%", ""), compute(right.text.replace("%", ""))
        if not re.search(r"[*/]|mod", plain) and compute(plain) == points is not None:
            return plain, points
        if plain == left.text and points is not None and abs(points - left.value) < abs(right.value - left.value):
            return plain, points
    return left.text, right.value


def corrupt(solution: str, question: str, rng: Random, attempts: int = 8) -> str | None:
    """A wrong copy of a right solution: one equation is broken and all that comes later follows from it.

    Breaks are a slip (the result is off by 1, 2 or 10) or a wrong operand (another number of the question). Returns
    None where `attempts` draws gave no copy with whole, non-negative numbers that states another answer.
    """
    for _ in range(attempts):
        copy = _corrupt_once(solution, question, rng)
        if copy is not None:
            return copy
    return None


def _corrupt_once(solution: str, question: str, rng: Random) -> str | None:
    equations = find_equations(solution)
    if not equations:
        return None
    broken = rng.randrange(len(equations))
    others = numbers(question)
    changed: dict[Fraction, Fraction] = {}
    pieces: list[str] = []
    at = 0
    for index, equation in enumerate(equations):
        operands = [changed.get(operand, operand) for operand in numbers(equation.left)]
        slip = rng.choice(SLIPS) if index == broken and (not others or rng.random() < 0.6) else 0
        if index == broken and not slip:
            operands[rng.randrange(len(operands))] = rng.choice(others)
        written: str | None = solution[equation.start : equation.end]
        if slip or operands != numbers(equation.left):
            value = compute(_with_numbers(equation.left, operands))
            if value is None or (value := value + slip).denominator != 1 or value < 0:
                return None
            written = _rewritten(str(written), equation, [*operands, value])
            if value != equation.right:
                changed[equation.right] = value
        if written is None or (index == broken and equation.right not in changed):
            return None
        pieces += [_follow(solution[at : equation.start], changed), written]
        at = equation.end
    copy = "".join([*pieces, _follow(solution[at:], changed)])
    if _COMMAS.search(solution) and not _BARE.search(solution):
        copy = _BARE.sub(lambda match: f"{int(match[0]):,}", copy)
    return copy if read_answer(copy).answer not in (None, read_answer(solution).answer) else None


def _rewritten(written: str, equation: Equation, values: Sequence[Fraction]) -> str | None:
    """The equation with other numbers and its own spelling, by which nobody could tell that it is a copy.

    None where it has further numbers: sides between its first and its last, `.5`.
    """
    if numbers(written) != [*numbers(equation.left), equation.right]:
        return None
    return _with_numbers(written, values)


def _with_numbers(text: str, values: Iterable[Fraction]) -> str:
    new = iter(values)
    return re.sub(NUMBER, lambda match: _spelt_as(match[0], next(new)), text)


def _follow(prose: str, changed: Mapping[Fraction, Fraction]) -> str:
    """What is said of a number that has changed, but not `3x`."""

    def new(match: re.Match[str]) -> str:
        (value,) = numbers(match[0])
        return _spelt_as(match[0], changed.get(value, value))

    return re.sub(rf"(?<![\w.]){NUMBER}(?!\w)", new, prose)


def _spelt_as(old: str, value: Fraction) -> str:
    return old if numbers(old) == [value] else show(value)
