"""The program's verification of a candidate: recompute, ask where operands come from, compare, and write it down.

In: question and candidate, the two things that a verifier has. Out: the chain's text and what it found. Neither the
reference nor the grade comes in, so a chain can tell nothing of them, and one writer walks every candidate:

    3*12=34: 3 given 12 given; 3*12: 64 mismatch

An equation as the candidate has it, each operand's source, and the arithmetic done again (`recompute`). After the
equations the answer is compared with the last result, and every number of the question and every earlier result is
looked for among the operands:

    answer 41 last 41: 11 44 match
    given 14 used 3 used 12 used 9 used
    found 36 used 50 unused

The first fault ends the chain. A candidate without an equation or a readable answer gets no chain: there is nothing to
recompute.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import permutations, product
from typing import NamedTuple

from proofline.answers import read_answer
from proofline.data.arithmetic import compute, numbers
from proofline.data.equations import Equation, find_equations, show
from proofline.data.recompute import compare, recompute

_NO_OPERAND = re.compile(r"\^\s*\{?\d+\}?|\d+,?\s*(?=\.\.\.|…|\\[lc]?dots)")
"""Numbers of a question that need not be used: exponents, and the last term before an ellipsis."""
_ZIPPED = re.compile(r":(?: \S\S)+(?= (?:mis)?match\b)")
_WORD = re.compile(r"[a-z]+|%")
IMPLIED: dict[str, tuple[int, ...]] = {
    **{word: (n,) for n, word in enumerate(
        ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"), 1)},
    "half": (2,), "halves": (2,), "twice": (2,), "double": (2,), "doubled": (2,), "pair": (2,), "perimeter": (2,),
    "halfway": (2,), "midpoint": (2,), "triangle": (2, 180),
    "third": (3,), "thirds": (3,), "triple": (3,), "quarter": (4,), "quarters": (4,), "fourth": (4,), "dozen": (12,),
    "percent": (100,), "percentage": (100,), "%": (100,), "cent": (100,), "cents": (100,), "term": (1,), "first": (1,),
    "minute": (60,), "minutes": (60,), "hour": (60,), "hours": (60,), "day": (24, 7), "days": (24, 7), "daily": (7,),
    "week": (7,), "weeks": (7,), "weekly": (52,), "month": (12, 30, 4), "monthly": (12,), "months": (12,),
    "year": (12, 52, 365), "years": (12,), "yearly": (12,), "foot": (12,), "feet": (12,), "yard": (3,), "yards": (3,),
}  # fmt: skip
"""Numbers that a question means without writing them as digits."""


class Chain(NamedTuple):
    """What the program wrote about a candidate, without the verdict line, and whether it found no fault."""

    text: str
    accepts: bool


class Sources:
    """Where a candidate's operands may come from: the question's numbers, what its words mean, earlier results, or a
    step that was not written down, of two of the question's numbers that are used nowhere else."""

    def __init__(self, question: str, equations: Sequence[Equation]) -> None:
        self.given = numbers(question)
        self.to_use = list(dict.fromkeys(numbers(_NO_OPERAND.sub("", question))))
        words = set(_WORD.findall(question.lower()))
        self.implied = {Fraction(n) for word in words for n in IMPLIED.get(word, ())}
        if words & {"mean", "average"}:
            self.implied |= {Fraction(count) for count in range(2, len(self.given) + 1)}
        self.found: list[Fraction] = []
        self.used = {operand for equation in equations for operand in numbers(equation.left)}
        self._spare = [number for number in self.to_use if number not in self.used]

    def of(self, operand: Fraction) -> str:
        """`given`, `found`, `implied`, `from 3*12` or `unknown`."""
        known = (("given", self.given), ("found", self.found), ("implied", self.implied))
        source = next((name for name, values in known if operand in values), None)
        return source or self._unwritten(operand) or "unknown"

    def _unwritten(self, operand: Fraction) -> str | None:
        for sign, (one, other) in product("*+-/", permutations(self._spare, 2)):
            step = f"{show(one)}{sign}{show(other)}"
            if compute(step) == operand:
                self.used |= {one, other}
                return f"from {step}"
        return None


def verify(question: str, candidate: str) -> Chain | None:
    """The chain for a candidate; None where it has no equation or states no number as its answer."""
    equations = find_equations(candidate)
    answer = numbers(read_answer(candidate).answer or "")
    if not equations or not 1 <= len(answer) <= len(equations):
        return None
    lines = []
    for line, fine in _walk(equations, answer, Sources(question, equations)):
        lines.append(line)
        if not fine:
            return Chain("\n".join(lines), accepts=False)
    return Chain("\n".join(lines), accepts=True)


def _walk(equations: Sequence[Equation], answer: Sequence[Fraction], sources: Sources) -> Iterator[tuple[str, bool]]:
    """The chain's lines, each with whether it is in order."""
    for equation in equations:
        yield _check(equation, sources)
        sources.found.append(equation.right)
    # A fraction's numerator and denominator are the last two results.
    for stated, result in zip(answer, sources.found[-len(answer) :], strict=True):
        digits, same = compare(stated, result)
        yield f"answer {show(stated)} last {show(result)}: {digits}", same
    for name, values in (("given", sources.to_use), ("found", sources.found[: -len(answer)])):
        unused = next((at for at, value in enumerate(values) if value not in sources.used), len(values))
        words = [f"{show(value)} {'used' if at < unused else 'unused'}" for at, value in enumerate(values)]
        if words:
            yield " ".join([name, *words[: unused + 1]]), unused == len(values)


def _check(equation: Equation, sources: Sources) -> tuple[str, bool]:
    """One equation's line."""
    origins = []
    for operand in numbers(equation.left):
        origins.append(f"{show(operand)} {(origin := sources.of(operand))}")
        if origin == "unknown":
            return f"{equation}: {' '.join(origins)}", False
    work, same = recompute(equation)
    return f"{equation}: {' '.join(origins)}; {work}", same


def without_digits(chain: str) -> str:
    """A chain without its zipped digits, which look like numbers and are none."""
    return _ZIPPED.sub(":", chain)
