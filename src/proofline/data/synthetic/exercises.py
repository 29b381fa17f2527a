"""The `math` family: short algebra, number theory, fractions and figures in the style of MATH (Hendrycks et al. 2021),
ending in `\\boxed{...}`.

An exercise is a topic, one of its phrasings and, for whole-number answers, an optional last twist
("Call the result N. What is N+7?"); those choices are the template skeleton.
"""

from __future__ import annotations

from random import Random

from proofline.data.synthetic.steps import Derived, Ref, Step, evaluate
from proofline.data.synthetic.topics import algebra, integers, measures, shares
from proofline.data.synthetic.topics.form import phrase

TOPICS = (*algebra.TOPICS, *integers.TOPICS, *shares.TOPICS, *measures.TOPICS)
PLAIN_SHARE = 0.25
"""Exercises that end with their topic's own question."""
TWISTS = {
    "+": (" Call it N. What is N+{n}?", " Then add {n}. What do you get?", " What is {n} more than that?"),
    "*": (" Then multiply the result by {n}.", " What is {n} times that?", " Call it K. What is {n}K?"),
    "-": (" How far is that from {n}?", " Subtract it from {n}.", " How much is missing to {n}?"),
}


def twist(rng: Random, steps: list[Step]) -> tuple[str, str, list[Step]]:
    """A last question about the result, which adds one step; empty for some of the exercises."""
    value = int(evaluate(steps)[-1])
    sign = rng.choice("+*-") if rng.random() > PLAIN_SHARE else ""
    if not sign or (sign == "*" and value > 99):
        return "", "", steps
    n = {"+": rng.randint(3, 60), "*": rng.randint(2, 9), "-": value + rng.randint(1, 60)}[sign]
    skeleton, text = phrase(rng, sign, TWISTS[sign], n=n)
    result = Ref(len(steps) - 1)
    last = Step("N", n, "-", result) if sign == "-" else Step("N", result, sign, n)
    return skeleton, text, [*steps, last]


def exercise(rng: Random) -> Derived:
    """One exercise with at least two steps and no number outside 0-9999."""
    while True:
        skeleton, text, steps, fraction = rng.choice(TOPICS)(rng)
        if fraction is None:
            ending, more, steps = twist(rng, steps)
            skeleton, text = skeleton + ending, text + more
        values = evaluate(steps)
        if len(steps) >= 2 and all(0 <= value <= 9999 for value in values):
            return Derived("math", "math:" + skeleton, text, tuple(steps), fraction)
