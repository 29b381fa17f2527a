"""The `math` family: short algebra, number theory and fractions in the style of MATH (Hendrycks et al. 2021),
ending in `\\boxed{...}`.

An exercise is a topic, one of its phrasings and, for whole-number answers, an optional last twist
("Call the result N. What is N+7?"); those choices are the template skeleton.
"""

from __future__ import annotations

from collections.abc import Callable
from math import gcd
from random import Random

from proofline.data.synthetic.steps import Derived, Ref, Step, evaluate

Exercise = tuple[str, str, list[Step], tuple[int, int] | None]
"""Skeleton, question, steps, fraction."""


def _phrase(rng: Random, topic: str, phrasings: tuple[str, ...], **numbers: object) -> tuple[str, str]:
    index = rng.randrange(len(phrasings))
    return f"{topic}{index}", phrasings[index].format(**numbers)


def linear(rng: Random) -> Exercise:
    a, x, b = rng.randint(2, 12), rng.randint(2, 25), rng.randint(2, 60)
    sign = rng.choice("+-")
    c = a * x + b if sign == "+" else a * x - b
    asks = ("Solve {a}x{s}{b}={c}.", "Find x if {a}x{s}{b}={c}.", "What value of x gives {a}x{s}{b}={c}?",
            "The number x satisfies {a}x{s}{b}={c}. What is x?")  # fmt: skip
    skeleton, text = _phrase(rng, "linear" + sign, asks, a=a, s=sign, b=b, c=c)
    return skeleton, text, [Step(f"{a}x", c, "-" if sign == "+" else "+", b), Step("x", Ref(0), "/", a)], None


def two_sided(rng: Random) -> Exercise:
    c, extra, x, b = rng.randint(2, 9), rng.randint(2, 9), rng.randint(2, 15), rng.randint(1, 40)
    a = c + extra
    d = extra * x + b
    asks = ("Solve {a}x+{b}={c}x+{d}.", "Find x if {a}x+{b}={c}x+{d}.", "For which x is {a}x+{b} equal to {c}x+{d}?")
    skeleton, text = _phrase(rng, "sides", asks, a=a, b=b, c=c, d=d)
    return skeleton, text, [Step("Diff", a, "-", c), Step("Rest", d, "-", b), Step("x", Ref(1), "/", Ref(0))], None


def function(rng: Random) -> Exercise:
    a, b, c = rng.randint(2, 9), rng.randint(1, 50), rng.randint(2, 15)
    sign = rng.choice("+-") if a * c > b else "+"
    asks = ("Let f(x)={a}x{s}{b}. Find f({c}).", "If f(x)={a}x{s}{b}, what is f({c})?",
            "Evaluate {a}x{s}{b} at x={c}.", "What is {a}x{s}{b} when x={c}?")  # fmt: skip
    skeleton, text = _phrase(rng, "function" + sign, asks, a=a, s=sign, b=b, c=c)
    return skeleton, text, [Step(f"{a}x", a, "*", c), Step("f", Ref(0), sign, b)], None


def square(rng: Random) -> Exercise:
    x, b, c = rng.randint(3, 12), rng.randint(2, 9), rng.randint(2, 40)
    asks = ("Find x^2+{b}x+{c} for x={x}.", "Let g(x)=x^2+{b}x+{c}. Find g({x}).", "What is x^2+{b}x+{c} at x={x}?")
    skeleton, text = _phrase(rng, "square", asks, b=b, c=c, x=x)
    steps = [Step("x^2", x, "*", x), Step(f"{b}x", b, "*", x), Step("Sum", Ref(0), "+", Ref(1)),
             Step("All", Ref(2), "+", c)]  # fmt: skip
    return skeleton, text, steps, None


def remainder(rng: Random) -> Exercise:
    a, b, c, m = rng.randint(3, 12), rng.randint(3, 12), rng.randint(2, 60), rng.randint(3, 9)
    asks = ("What is the remainder of {a}*{b}+{c} divided by {m}?", "Find {a}*{b}+{c} mod {m}.",
            "Divide {a}*{b}+{c} by {m}. What is the remainder?")  # fmt: skip
    skeleton, text = _phrase(rng, "remainder", asks, a=a, b=b, c=c, m=m)
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
    skeleton, text = _phrase(rng, "gcd", asks, a=a, b=b)
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
    skeleton, text = _phrase(rng, "sequence", asks, a=a, d=d, n=n, e=a + d, f=a + 2 * d)
    steps = [Step("Steps", n, "-", 1), Step("Growth", Ref(0), "*", d), Step("Term", Ref(1), "+", a)]
    if skeleton.endswith("2"):
        steps = [Step("Difference", a + d, "-", a), Step("Steps", n, "-", 1), Step("Growth", Ref(1), "*", Ref(0)),
                 Step("Term", Ref(2), "+", a)]  # fmt: skip
    return skeleton, text, steps, None


def rectangle(rng: Random) -> Exercise:
    w, k = rng.randint(3, 12), rng.randint(2, 12)
    kind = rng.choice(("area", "perimeter"))
    asks = ("A rectangle is {w} wide and {k} longer than wide. Find its {q}.",
            "The length of a rectangle is its width plus {k}. The width is {w}. What is the {q}?")  # fmt: skip
    skeleton, text = _phrase(rng, kind, asks, w=w, k=k, q=kind)
    length = Step("Length", w, "+", k)
    if kind == "area":
        return skeleton, text, [length, Step("Area", Ref(0), "*", w)], None
    return skeleton, text, [length, Step("Half", Ref(0), "+", w), Step("Perimeter", Ref(1), "*", 2)], None


def mean(rng: Random) -> Exercise:
    while True:
        a, b, c = (rng.randint(5, 95) for _ in range(3))
        if (a + b + c) % 3 == 0:
            break
    asks = ("Find the mean of {a}, {b} and {c}.", "What is the average of {a}, {b} and {c}?",
            "Three tests gave {a}, {b} and {c} points. What is the average?")  # fmt: skip
    skeleton, text = _phrase(rng, "mean", asks, a=a, b=b, c=c)
    return skeleton, text, [Step("Sum", a, "+", b), Step("All", Ref(0), "+", c), Step("Mean", Ref(1), "/", 3)], None


def percent(rng: Random) -> Exercise:
    p, n = rng.choice((5, 10, 15, 20, 25, 30, 40, 60, 75, 80)), 20 * rng.randint(1, 12)
    asks = ("What is {p}\\% of {n}?", "Find {p} percent of {n}.", "How much is {p}\\% of {n} dollars?")
    skeleton, text = _phrase(rng, "percent", asks, p=p, n=n)
    return skeleton, text, [Step("Product", p, "*", n), Step("Part", Ref(0), "/", 100)], None


def fractions(rng: Random) -> Exercise:
    while True:
        b, d = rng.randint(2, 9), rng.randint(2, 9)
        a, c = rng.randint(1, b), rng.randint(1, d)
        sign = rng.choice("+-*")
        top = a * c if sign == "*" else a * d + c * b if sign == "+" else a * d - c * b
        if b != d and top > 0 and gcd(top, b * d) == 1:
            break
    asks = (
        r"Compute \frac{{{a}}}{{{b}}}{s}\frac{{{c}}}{{{d}}}.",
        r"What is {a}/{b}{s}{c}/{d} as a fraction?",
        r"Write {a}/{b}{s}{c}/{d} as a single fraction.",
        r"Simplify \frac{{{a}}}{{{b}}}{s}\frac{{{c}}}{{{d}}}.",
    )
    skeleton, text = _phrase(rng, "fraction" + sign, asks, a=a, b=b, c=c, d=d, s=sign)
    if sign == "*":
        return skeleton, text, [Step("Top", a, "*", c), Step("Bottom", b, "*", d)], (0, 1)
    return skeleton, text, [Step("Left", a, "*", d), Step("Right", c, "*", b), Step("Top", Ref(0), sign, Ref(1)),
                            Step("Bottom", b, "*", d)], (2, 3)  # fmt: skip


TOPICS: tuple[Callable[[Random], Exercise], ...] = (
    linear, two_sided, function, square, remainder, common_divisor, sequence, rectangle, mean, percent, fractions,
)  # fmt: skip


def twist(rng: Random, steps: list[Step]) -> tuple[str, str, list[Step]]:
    """A last question about the result, which adds one step; empty for half of the exercises."""
    value = int(evaluate(steps)[-1])
    kind = rng.choice(("", "", "", "plus", "times", "minus"))
    if kind == "plus":
        n = rng.randint(3, 60)
        return "+plus", f" Call it N. What is N+{n}?", [*steps, Step("N", Ref(len(steps) - 1), "+", n)]
    if kind == "times" and value <= 99:
        n = rng.randint(2, 9)
        return "+times", f" Then multiply the result by {n}.", [*steps, Step("N", Ref(len(steps) - 1), "*", n)]
    if kind == "minus":
        n = value + rng.randint(1, 60)
        return "+minus", f" How far is that from {n}?", [*steps, Step("N", n, "-", Ref(len(steps) - 1))]
    return "", "", steps


def exercise(rng: Random) -> Derived:
    """One exercise with at least two steps and no number outside 0-999 but for intermediate products."""
    while True:
        skeleton, text, steps, fraction = rng.choice(TOPICS)(rng)
        if fraction is None:
            ending, more, steps = twist(rng, steps)
            skeleton, text = skeleton + ending, text + more
        values = evaluate(steps)
        if len(steps) >= 2 and all(0 <= value <= 9999 for value in values):
            return Derived("math", "math:" + skeleton, text, tuple(steps), fraction)
