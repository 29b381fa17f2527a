"""Means, percentages, ratios and fractions."""

from __future__ import annotations

from math import gcd
from random import Random

from proofline.data.synthetic.steps import Ref, Step
from proofline.data.synthetic.topics.form import Exercise, phrase


def mean(rng: Random) -> Exercise:
    while True:
        a, b, c = (rng.randint(5, 95) for _ in range(3))
        if (a + b + c) % 3 == 0:
            break
    asks = ("Find the mean of {a}, {b} and {c}.", "What is the average of {a}, {b} and {c}?",
            "Three tests gave {a}, {b} and {c} points. What is the average?")  # fmt: skip
    skeleton, text = phrase(rng, "mean", asks, a=a, b=b, c=c)
    return skeleton, text, [Step("Sum", a, "+", b), Step("All", Ref(0), "+", c), Step("Mean", Ref(1), "/", 3)], None


def percent(rng: Random) -> Exercise:
    p, n = rng.choice((5, 10, 15, 20, 25, 30, 40, 60, 75, 80)), 20 * rng.randint(1, 12)
    asks = ("What is {p}\\% of {n}?", "Find {p} percent of {n}.", "How much is {p}\\% of {n} dollars?")
    skeleton, text = phrase(rng, "percent", asks, p=p, n=n)
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
    skeleton, text = phrase(rng, "fraction" + sign, asks, a=a, b=b, c=c, d=d, s=sign)
    if sign == "*":
        return skeleton, text, [Step("Top", a, "*", c), Step("Bottom", b, "*", d)], (0, 1)
    return skeleton, text, [Step("Left", a, "*", d), Step("Right", c, "*", b), Step("Top", Ref(0), sign, Ref(1)),
                            Step("Bottom", b, "*", d)], (2, 3)  # fmt: skip


def missing(rng: Random) -> Exercise:
    k, m = rng.randint(3, 8), rng.randint(20, 90)
    known = k * m - rng.randint(5, 60)
    asks = ("The mean of {k} numbers is {m}. All but one add up to {s}. What is the last one?",
            "{k} numbers have average {m}. All of them but one sum to {s}. Find that one.",
            "What must be added to {s} so that {k} numbers have mean {m}?")  # fmt: skip
    skeleton, text = phrase(rng, "missing", asks, k=k, m=m, s=known)
    return skeleton, text, [Step("Sum", k, "*", m), Step("Last", Ref(0), "-", known)], None


def midpoint(rng: Random) -> Exercise:
    a, half = rng.randint(2, 80), rng.randint(3, 60)
    asks = ("What number is halfway between {a} and {b}?", "Find the midpoint of {a} and {b} on the number line.",
            "Two points lie at {a} and {b}. Where is the point halfway between them?")  # fmt: skip
    skeleton, text = phrase(rng, "midpoint", asks, a=a, b=a + 2 * half)
    return skeleton, text, [Step("Sum", a, "+", a + 2 * half), Step("Middle", Ref(0), "/", 2)], None


def ratio(rng: Random) -> Exercise:
    a, b, unit = rng.randint(2, 9), rng.randint(2, 9), rng.randint(3, 25)
    asks = ("Divide {n} in the ratio {a}:{b}. How large is the first part?",
            "{n} dollars are shared in the ratio {a} to {b}. What is the first share?",
            "For every {a} red beads there are {b} blue ones. Of {n} beads, how many are red?")  # fmt: skip
    skeleton, text = phrase(rng, "ratio", asks, a=a, b=b, n=(a + b) * unit)
    return (
        skeleton,
        text,
        [Step("Parts", a, "+", b), Step("Part", (a + b) * unit, "/", Ref(0)), Step("First", Ref(1), "*", a)],
        None,
    )


def proportion(rng: Random) -> Exercise:
    a, unit, c = rng.randint(2, 9), rng.randint(3, 25), rng.randint(3, 15)
    asks = ("If {a} pens cost {p} cents, what do {c} pens cost?", "{a} machines make {p} parts. How many do {c} make?",
            "y is proportional to x, and y={p} at x={a}. Find y at x={c}.")  # fmt: skip
    skeleton, text = phrase(rng, "proportion", asks, a=a, p=a * unit, c=c)
    return skeleton, text, [Step("Unit", a * unit, "/", a), Step("All", Ref(0), "*", c)], None


def discount(rng: Random) -> Exercise:
    p, n = rng.choice((5, 10, 15, 20, 25, 30, 40, 60)), 20 * rng.randint(2, 15)
    asks = ("A price of {n} dollars is reduced by {p}\\%. What is the new price?",
            "Decrease {n} by {p} percent.", "After losing {p}\\% of {n} points, how many points are left?")  # fmt: skip
    skeleton, text = phrase(rng, "discount", asks, p=p, n=n)
    return (
        skeleton,
        text,
        [Step("Product", p, "*", n), Step("Off", Ref(0), "/", 100), Step("New", n, "-", Ref(1))],
        None,
    )


def probability(rng: Random) -> Exercise:
    while True:
        red, blue, green = (rng.randint(2, 15) for _ in range(3))
        if gcd(red, blue + green) == 1:
            break
    asks = ("A bag has {a} red, {b} blue and {c} green balls. What is the probability that a ball is not red?",
            "Of {a} red, {b} blue and {c} green cards one is drawn. Find the probability of blue or green.",
            "What fraction of {a} red, {b} blue and {c} green beads is not red?")  # fmt: skip
    skeleton, text = phrase(rng, "probability", asks, a=red, b=blue, c=green)
    return skeleton, text, [Step("Top", blue, "+", green), Step("Bottom", Ref(0), "+", red)], (0, 1)


TOPICS = (mean, percent, fractions, missing, midpoint, ratio, proportion, discount, probability)
