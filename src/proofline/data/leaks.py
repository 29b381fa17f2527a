"""Does a verification tell something of the reference that a verifier will not have?

Two ways to tell: words (`the Expected Answer is 24`) and numbers (24 where neither question nor candidate has it). A
number that the verification itself computes, by a true equation from numbers that it may use, is no leak: a verifier
can do that too.
"""

from __future__ import annotations

import re
from fractions import Fraction

from proofline.data.arithmetic import numbers
from proofline.data.chain import without_digits
from proofline.data.equations import find_equations

_SAID = r"(?:answer|solution|result|value|output|total|amount|number|response)s?"
WORDS = {
    "expected": re.compile(rf"\bexpect(?:ed|s|ing)?\b(?: (?:final |correct )?{_SAID}\b)?", re.IGNORECASE),
    "reference": re.compile(
        rf"\breferences?\b|\bground[- ]truth\b|\b(?:answer|solution) key\b"
        rf"|\b(?:gold(?:en)?|target|official|model|standard|sample|ideal|known|intended|desired) {_SAID}\b",
        re.IGNORECASE,
    ),
    "correct_answer": re.compile(
        rf"\b(?:correct|right|actual|true|real|proper|accurate) (?:final |numerical |numeric )?{_SAID}\b", re.IGNORECASE
    ),
    "given_answer": re.compile(
        r"\b(?:given|provided|stated|listed|supplied) (?:final |correct )?answer\b|\banswer (?:provided|given)\b",
        re.IGNORECASE,
    ),
}
"""Ways in which a writer who saw the reference speaks of it, by class, the plainest first."""


_QUOTIENT = re.compile(r"\b(\d+)//([1-9]\d*)=(\d+)\b")


def leak(chain: str, question: str, candidate: str, reference: str) -> str | None:
    """The class of what a chain tells of the reference: one of `WORDS`, or `reference_number`; None: nothing.

    What stands in the question or the candidate word for word is theirs.
    """
    seen = f"{question}\n{candidate}".lower()
    for name, pattern in WORDS.items():
        if any(match[0].lower() not in seen for match in pattern.finditer(chain)):
            return name
    return "reference_number" if leaked_numbers(chain, question, candidate, reference) else None


def leaked_numbers(chain: str, question: str, candidate: str, reference: str) -> set[Fraction]:
    """Numbers of the reference that a chain has from nowhere else."""
    plain = without_digits(chain)
    known = {*numbers(question), *numbers(candidate)}
    told = set(numbers(plain)) & set(numbers(reference)) - known
    for dividend, divisor, quotient in _QUOTIENT.findall(plain) if told else ():
        if known.issuperset(numbers(f"{dividend} {divisor}")) and int(dividend) // int(divisor) == int(quotient):
            known.add(Fraction(quotient))
    for equation in find_equations(plain) if told else ():
        if equation.value == equation.right and known.issuperset(numbers(equation.left)):
            known.add(equation.right)
    return told - known
