"""Solutions that leave a step out, as people do: `14+36=50` where 36 is 3*12, done in the head.

In: a solution with one equation a line, and its question. Out: a copy without one of its lines. A right copy stays
right. A wrong copy may have its fault in the line that is gone, which then shows in the number that comes from nowhere.
"""

from __future__ import annotations

from random import Random

from proofline.answers import read_answer
from proofline.data.arithmetic import numbers
from proofline.data.equations import Equation, find_equations


def abridge(solution: str, question: str, rng: Random) -> str | None:
    """The solution without a line that can be done in the head; None where no line can.

    That is a line of one operation, not a remainder, on two of the question's numbers that no other line uses, whose
    result is used by a later line and is no number of the question or of the answer.
    """
    lines = solution.splitlines()
    steps = [find_equations(line) for line in lines]
    shown = {*numbers(question), *numbers(read_answer(solution).answer or "")}
    fit = [
        at
        for at, step in enumerate(steps)
        if len(step) == 1 and step[0].right not in shown and _in_the_head(step[0], at, steps, question)
    ]
    if not fit:
        return None
    gone = rng.choice(fit)
    return "\n".join(line for at, line in enumerate(lines) if at != gone)


def _in_the_head(step: Equation, at: int, steps: list[list[Equation]], question: str) -> bool:
    operands = numbers(step.left)
    later = {number for equations in steps[at + 1 :] for equation in equations for number in numbers(equation.left)}
    elsewhere = later | {number for equations in steps[:at] for row in equations for number in numbers(row.left)}
    return (
        len(set(operands)) == len(operands) == 2
        and "mod" not in step.left
        and set(numbers(question)) >= set(operands)
        and not elsewhere & set(operands)
        and step.right in later
    )
