"""Equations in a solution's text: find them, compute them exactly, break one on purpose.

`3*12=36`, `$5 x 4 = $20` and `(14+3*12)-9=41` are equations; `3x+5=26` and `x=7` are not, because their left side
is no arithmetic. Only + - * / mod and brackets are read, so nothing is ever evaluated but arithmetic.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from fractions import Fraction
from random import Random

_NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"
_EQUATION = re.compile(
    rf"(?<![\w.}}^\\])(?P<left>(?:(?<!\S)-|\(+-)?[($]*\$?{_NUMBER}[)%]*(?:\s*(?:[-+*/×÷x]|mod)\s*[($]*\$?{_NUMBER}[)%]*)+)"
    rf"\s*=\s*\$?(?P<right>-?{_NUMBER})(?![\w(]|\s*/\s*\d)"
)
_OPERATIONS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Mod: "%"}


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

    def same_as(self, other: Equation) -> bool:
        """Same numbers, operations and result, in any order."""
        return self.right == other.right and _bag(self.left) == _bag(other.left)


def _bag(text: str) -> list[str]:
    return sorted(re.findall(rf"{_NUMBER}|[-+*/]|mod", text))


def show(value: Fraction) -> str:
    """A whole number, a finite decimal, or a quotient."""
    if value.denominator == 1:
        return str(value.numerator)
    decimal = f"{float(value):.4f}".rstrip("0")
    return decimal if Fraction(decimal) == value else str(value)


def find_equations(text: str) -> list[Equation]:
    """All equations of a text, in order."""
    found = []
    for match in _EQUATION.finditer(text):
        left = re.sub(r"[\s$%,]", "", match["left"]).replace("×", "*").replace("x", "*").replace("÷", "/")
        left = left.replace("mod", " mod ")
        found.append(Equation(left, Fraction(match["right"].replace(",", "")), match.start(), match.end()))
    return found


def compute(expression: str) -> Fraction | None:
    """Exact value of an arithmetic expression; None if it is malformed or divides by zero."""
    try:
        return _value(ast.parse(expression.replace("mod", "%"), mode="eval").body)
    except (SyntaxError, ZeroDivisionError, TypeError, MemoryError, RecursionError):
        return None


def _value(node: ast.AST) -> Fraction:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return Fraction(str(node.value))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        left, right = _value(node.left), _value(node.right)
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.Mult):
            return left * right
        return left / right if isinstance(node.op, ast.Div) else left % right
    raise TypeError(ast.dump(node))


def corrupt(solution: str, question: str, rng: Random, attempts: int = 8) -> str | None:
    """A wrong copy of a right solution: one equation is broken and every later one follows from it.

    Breaks are a slip (the result is off by 1, 2 or 10) or a wrong operand (another number of the question).
    Returns None where `attempts` draws gave no wrong copy with whole, non-negative numbers.
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
    others = re.findall(rf"(?<![\w.]){_NUMBER}", question)
    changed: dict[str, str] = {}
    pieces: list[str] = []
    at = 0
    for index, equation in enumerate(equations):
        left = re.sub(_NUMBER, lambda m: changed.get(m[0], m[0]), equation.left)
        slip = index == broken and (not others or rng.random() < 0.6)
        if index == broken and not slip:
            numbers = list(re.finditer(_NUMBER, left))
            where = rng.choice(numbers)
            left = left[: where.start()] + rng.choice(others) + left[where.end() :]
        value = compute(left)
        if value is None:
            return None
        if slip:
            value += rng.choice((-10, -2, -1, 1, 2, 10))
        if value.denominator != 1 or value < 0:
            return None
        if value != equation.right:
            changed[show(equation.right)] = show(value)
        elif index == broken:
            return None
        pieces += [solution[at : equation.start], f"{left}={show(value)}"]
        at = equation.end
    tail = re.sub(_NUMBER, lambda m: changed.get(m[0], m[0]), solution[at:])
    return "".join([*pieces, tail]) if tail != solution[at:] else None
