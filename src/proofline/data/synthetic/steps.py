"""A generated problem and its derivation: binary arithmetic steps that refer to given numbers or earlier steps.

The derivation is kept symbolic so that a solution can be written in several styles and corrupted at one step
with every later step following from the mistake, as a person's would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

OPERATIONS = ("+", "-", "*", "/", "mod")


@dataclass(frozen=True)
class Ref:
    """The result of an earlier step, by index."""

    step: int


Operand = int | Ref


@dataclass(frozen=True)
class Step:
    """`label: left op right = value`."""

    label: str
    left: Operand
    op: str
    right: Operand


@dataclass(frozen=True)
class Derived:
    """A question with its derivation, before it becomes a Problem."""

    family: str
    """`word` or `math`."""
    template: str
    """Template skeleton: every choice but numbers, names and things."""
    question: str
    steps: tuple[Step, ...]
    fraction: tuple[int, int] | None = None
    """Indices of the steps that give numerator and denominator; None: the last step is the answer."""

    def answer(self, values: Sequence[Fraction]) -> str:
        """The final answer as text, from the value of every step."""
        if self.fraction is None:
            return number(values[-1])
        top, bottom = (values[i] for i in self.fraction)
        return rf"\frac{{{number(top)}}}{{{number(bottom)}}}"

    def closing(self, values: Sequence[Fraction]) -> str:
        """The last line of a solution: `#### 42` (GSM8K) or `\\boxed{42}` (MATH)."""
        answer = self.answer(values)
        return f"#### {answer}" if self.family == "word" else rf"\boxed{{{answer}}}"


def apply(left: Fraction, op: str, right: Fraction) -> Fraction:
    """Exact value of one operation. Raises ZeroDivisionError."""
    if op == "+":
        return left + right
    if op == "-":
        return left - right
    if op == "*":
        return left * right
    return left / right if op == "/" else left % right


def number(value: Fraction) -> str:
    """`42`, `-3` or `7/2`."""
    return str(value)


def operand_value(operand: Operand, values: Sequence[Fraction]) -> Fraction:
    return values[operand.step] if isinstance(operand, Ref) else Fraction(operand)


def evaluate(steps: Sequence[Step]) -> list[Fraction]:
    """The value of every step."""
    values: list[Fraction] = []
    for step in steps:
        values.append(apply(operand_value(step.left, values), step.op, operand_value(step.right, values)))
    return values


def expression(step: Step, values: Sequence[Fraction]) -> str:
    """`14+36`, with references replaced by their values."""
    left, right = (number(operand_value(operand, values)) for operand in (step.left, step.right))
    return f"{left} mod {right}" if step.op == "mod" else f"{left}{step.op}{right}"


def nested(steps: Sequence[Step], index: int) -> str:
    """The whole derivation of one step as a single expression, `(14+3*12)-9`."""

    def side(operand: Operand) -> str:
        if not isinstance(operand, Ref):
            return str(operand)
        inner = steps[operand.step]
        text = nested(steps, operand.step)
        return text if inner.op == "*" and step.op in "+-" else f"({text})"

    step = steps[index]
    return f"{side(step.left)}{' mod ' if step.op == 'mod' else step.op}{side(step.right)}"
