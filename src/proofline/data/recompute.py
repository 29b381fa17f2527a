"""An equation -> its arithmetic done again, as a small model can learn to do it.

    3*12=34        3*12: 64 mismatch
    14+3*12=50     3*12=36, 14+36: 00 55 match
    132/4=33       33*4: 22 33 11 match
    45 mod 9=4     45//9=5, 5*9=45, 45+4: 95 mismatch

True value and claimed one are zipped digit by digit from the last, up to the first difference. Of a whole derivation
all operations but the last are written with their values. A difference, a quotient and a remainder are tested by what
undoes them: the claimed value is put in, and the minuend or dividend has to come out.

Digits come from the last, as carries do (Lee et al. 2023, "Teaching Arithmetic to Small Transformers"): where a value
is hard to find, a verifier takes the candidate's for its own, and that stands there the other way round. Two numbers
to be compared stand beside each other, since a small model compares what is adjacent.
"""

from __future__ import annotations

import ast
import re
from fractions import Fraction
from itertools import zip_longest
from typing import NamedTuple

from proofline.data.arithmetic import compute
from proofline.data.equations import Equation, show

SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Mod: " mod "}
PAD = "_"
"""Stands where one of two compared numbers has no digit left."""
_PERCENT = re.compile(r"([\d.]+)%")


class Operation(NamedTuple):
    """One operation on two numbers."""

    left: Fraction
    sign: str
    right: Fraction

    def __str__(self) -> str:
        return f"{_operand(self.left)}{self.sign}{_operand(self.right)}"

    @property
    def value(self) -> Fraction | None:
        """None of a division by zero."""
        return compute(str(self))

    def tried(self, claimed: Fraction) -> tuple[str, Fraction, Fraction]:
        """What is computed to test a claimed value, what comes out, and what has to."""
        value = self.value
        assert value is not None
        whole = all(number.denominator == 1 for number in (self.left, self.right, claimed))
        if whole and self.sign == "-":
            return str(Operation(claimed, "+", self.right)), claimed + self.right, self.left
        if whole and self.sign == "/":
            return str(Operation(claimed, "*", self.right)), claimed * self.right, self.left
        if whole and self.sign == SIGNS[ast.Mod]:
            quotient = Fraction(self.left // self.right)
            times, product = Operation(quotient, "*", self.right), quotient * self.right
            divided = f"{_operand(self.left)}//{_operand(self.right)}={show(quotient)}"
            back = Operation(product, "+", claimed)
            return f"{divided}, {times}={show(product)}, {back}", product + claimed, self.left
        return str(self), value, claimed


def recompute(equation: Equation) -> tuple[str, bool]:
    """`4*4=16, 40+16: 66 55 match`: each operation but the last with its value, and the test of the last."""
    done = operations(equation.left)
    written = [f"{one}={show(value)}" for one in done[:-1] if (value := one.value) is not None]
    if not done or done[-1].value is None:
        return ", ".join([*written, "undefined"]), False
    last = done[-1]
    # A decimal may be rounded: what is true as it is written is compared as it is written.
    rounded = equation.holds and equation.value != equation.right
    tried, found, wanted = (str(last), equation.right, equation.right) if rounded else last.tried(equation.right)
    digits, same = compare(found, wanted)
    return f"{', '.join([*written, tried])}: {digits}", same


def compare(one: Fraction, other: Fraction) -> tuple[str, bool]:
    """`66 43 mismatch`: both numbers' digits zipped from the last, up to the first difference, and the word for it."""
    pairs = []
    for a, b in zip_longest(reversed(show(one)), reversed(show(other)), fillvalue=PAD):
        pairs.append(a + b)
        if a != b:
            return " ".join([*pairs, "mismatch"]), False
    return " ".join([*pairs, "match"]), True


def operations(expression: str) -> list[Operation]:
    """An expression's operations, innermost first, up to one without a value; none where it is no arithmetic."""
    found: list[Operation] = []

    def value(node: ast.expr) -> Fraction | None:
        if not isinstance(node, ast.BinOp):
            return compute(ast.unparse(node))
        left, right = value(node.left), value(node.right)
        if left is None or right is None:
            return None
        found.append(Operation(left, SIGNS[type(node.op)], right))
        return found[-1].value

    try:
        value(ast.parse(_PERCENT.sub(r"(\1/100)", expression).replace("mod", "%").strip(), mode="eval").body)
    except SyntaxError:
        return []
    return found


def _operand(value: Fraction) -> str:
    """A number as it can stand in an expression."""
    text = show(value)
    return f"({text})" if value < 0 or "/" in text else text
