"""Number theory, sequences and powers."""

from __future__ import annotations

from random import Random

from proofline.data.synthetic.steps import Ref, Step
from proofline.data.synthetic.topics.form import Exercise, phrase


def remainder(rng: Random) -> Exercise:
    a, b, c, m = rng.randint(3, 12), rng.randint(3, 12), rng.randint(2, 60), rng.randint(3, 9)
    asks = ("What is the remainder of {a}*{b}+{c} divided by {m}?", "Find {a}*{b}+{c} mod {m}.",
            "Divide {a}*{b}+{c} by {m}. What is the remainder?")  # fmt: skip
    skeleton, text = phrase(rng, "remainder", asks, a=a, b=b, c=c, m=m)
    return skeleton, text, [Step("Product", a, "*", b), Step("Sum", Ref(0), "+", c),
                            Step("Remainder", Ref(1), "mod", m)], None  # fmt: skip


def common_divisor(rng: Random) -> Exercise:
    while True:
        g = rng.randint(2, 12)
        a, b = g * rng.randint(3, 9), g * rng.randint(2, 8)
        if b < a <= 99 and a % b:
            break
    asks = ("Find the greatest common divisor of {a} and {b}.", "What is gcd({a},{b})?",
            "What is the largest number that divides both {a} and {b}?")  # fmt: skip
    skeleton, text = phrase(rng, "gcd", asks, a=a, b=b)
    steps = [Step("Remainder", a, "mod", b)]
    low, rest, last = b, a % b, Ref(0)
    operand: int | Ref = b
    while low % rest:
        steps.append(Step("Remainder", operand, "mod", last))
        low, rest, operand, last = rest, low % rest, last, Ref(len(steps) - 1)
    return skeleton, text, steps, None


def sequence(rng: Random) -> Exercise:
    a, d, n = rng.randint(2, 40), rng.randint(2, 12), rng.randint(5, 20)
    asks = ("A sequence starts at {a} and grows by {d}. What is term {n}?",
            "The first term is {a} and the common difference is {d}. Find term {n}.",
            "Find term {n} of the arithmetic sequence {a}, {e}, {f}, ...")  # fmt: skip
    skeleton, text = phrase(rng, "sequence", asks, a=a, d=d, n=n, e=a + d, f=a + 2 * d)
    steps = [Step("Steps", n, "-", 1), Step("Growth", Ref(0), "*", d), Step("Term", Ref(1), "+", a)]
    if skeleton.endswith("2"):
        steps = [Step("Difference", a + d, "-", a), Step("Steps", n, "-", 1), Step("Growth", Ref(1), "*", Ref(0)),
                 Step("Term", Ref(2), "+", a)]  # fmt: skip
    return skeleton, text, steps, None


def geometric(rng: Random) -> Exercise:
    a, r = rng.randint(2, 9), rng.randint(2, 5)
    asks = ("A sequence starts at {a} and each term is {r} times the one before. Find the fourth term.",
            "The first term is {a} and the common ratio is {r}. What is the fourth term?",
            "Start at {a} and multiply by {r} three times. What do you get?")  # fmt: skip
    skeleton, text = phrase(rng, "geometric", asks, a=a, r=r)
    return (
        skeleton,
        text,
        [Step("Second", a, "*", r), Step("Third", Ref(0), "*", r), Step("Fourth", Ref(1), "*", r)],
        None,
    )


def multiples(rng: Random) -> Exercise:
    n, k = rng.randint(40, 250), rng.randint(3, 12)
    asks = ("How many positive multiples of {k} are not above {n}?", "How many whole groups of {k} fit into {n}?",
            "What is the quotient of {n} by {k} without its remainder?")  # fmt: skip
    skeleton, text = phrase(rng, "multiples", asks, n=n, k=k)
    return (
        skeleton,
        text,
        [Step("Remainder", n, "mod", k), Step("Last", n, "-", Ref(0)), Step("Count", Ref(1), "/", k)],
        None,
    )


def dividend(rng: Random) -> Exercise:
    d, q = rng.randint(4, 12), rng.randint(5, 60)
    r = rng.randint(1, d - 1)
    asks = ("A number divided by {d} gives {q} with remainder {r}. What is the number?",
            "Which number has quotient {q} and remainder {r} on division by {d}?",
            "Dividing n by {d} leaves remainder {r} and the quotient is {q}. Find n.")  # fmt: skip
    skeleton, text = phrase(rng, "dividend", asks, d=d, q=q, r=r)
    return skeleton, text, [Step("Product", d, "*", q), Step("Number", Ref(0), "+", r)], None


def squares(rng: Random) -> Exercise:
    a, b = rng.randint(8, 20), rng.randint(2, 7)
    sign = rng.choice("+-")
    asks = ("Compute {a}^2{s}{b}^2.", "What is {a}^2{s}{b}^2?", "Evaluate x^2{s}y^2 for x={a} and y={b}.")
    skeleton, text = phrase(rng, "squares" + sign, asks, a=a, b=b, s=sign)
    return (
        skeleton,
        text,
        [Step("First", a, "*", a), Step("Second", b, "*", b), Step("Result", Ref(0), sign, Ref(1))],
        None,
    )


def cube(rng: Random) -> Exercise:
    a, b = rng.randint(3, 9), rng.randint(5, 90)
    asks = ("Compute {a}^3+{b}.", "What is {b} more than {a}^3?", "Find x^3+{b} at x={a}.")
    skeleton, text = phrase(rng, "cube", asks, a=a, b=b)
    return skeleton, text, [Step("Square", a, "*", a), Step("Cube", Ref(0), "*", a), Step("Sum", Ref(1), "+", b)], None


TOPICS = (remainder, common_divisor, sequence, geometric, multiples, dividend, squares, cube)
