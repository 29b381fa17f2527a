"""Equations and functions."""

from __future__ import annotations

from random import Random

from proofline.data.synthetic.steps import Ref, Step
from proofline.data.synthetic.topics.form import Exercise, phrase


def linear(rng: Random) -> Exercise:
    a, x, b = rng.randint(2, 12), rng.randint(2, 25), rng.randint(2, 60)
    sign = rng.choice("+-")
    c = a * x + b if sign == "+" else a * x - b
    asks = ("Solve {a}x{s}{b}={c}.", "Find x if {a}x{s}{b}={c}.", "What value of x gives {a}x{s}{b}={c}?",
            "The number x satisfies {a}x{s}{b}={c}. What is x?")  # fmt: skip
    skeleton, text = phrase(rng, "linear" + sign, asks, a=a, s=sign, b=b, c=c)
    return skeleton, text, [Step(f"{a}x", c, "-" if sign == "+" else "+", b), Step("x", Ref(0), "/", a)], None


def two_sided(rng: Random) -> Exercise:
    c, extra, x, b = rng.randint(2, 9), rng.randint(2, 9), rng.randint(2, 15), rng.randint(1, 40)
    a = c + extra
    d = extra * x + b
    asks = ("Solve {a}x+{b}={c}x+{d}.", "Find x if {a}x+{b}={c}x+{d}.", "For which x is {a}x+{b} equal to {c}x+{d}?")
    skeleton, text = phrase(rng, "sides", asks, a=a, b=b, c=c, d=d)
    return skeleton, text, [Step("Diff", a, "-", c), Step("Rest", d, "-", b), Step("x", Ref(1), "/", Ref(0))], None


def function(rng: Random) -> Exercise:
    a, b, c = rng.randint(2, 9), rng.randint(1, 50), rng.randint(2, 15)
    sign = rng.choice("+-") if a * c > b else "+"
    asks = ("Let f(x)={a}x{s}{b}. Find f({c}).", "If f(x)={a}x{s}{b}, what is f({c})?",
            "Evaluate {a}x{s}{b} at x={c}.", "What is {a}x{s}{b} when x={c}?")  # fmt: skip
    skeleton, text = phrase(rng, "function" + sign, asks, a=a, s=sign, b=b, c=c)
    return skeleton, text, [Step(f"{a}x", a, "*", c), Step("f", Ref(0), sign, b)], None


def square(rng: Random) -> Exercise:
    x, b, c = rng.randint(3, 12), rng.randint(2, 9), rng.randint(2, 40)
    asks = ("Find x^2+{b}x+{c} for x={x}.", "Let g(x)=x^2+{b}x+{c}. Find g({x}).", "What is x^2+{b}x+{c} at x={x}?")
    skeleton, text = phrase(rng, "square", asks, b=b, c=c, x=x)
    steps = [Step("x^2", x, "*", x), Step(f"{b}x", b, "*", x), Step("Sum", Ref(0), "+", Ref(1)),
             Step("All", Ref(2), "+", c)]  # fmt: skip
    return skeleton, text, steps, None


def system(rng: Random) -> Exercise:
    x, y = rng.randint(10, 80), rng.randint(2, 9)
    asks = ("Two numbers add up to {s} and differ by {d}. Find the larger one.",
            "A pair of numbers has sum {s} and difference {d}. What is the larger number?",
            "Solve the two equations x+y={s} and x-y={d} for x.")  # fmt: skip
    skeleton, text = phrase(rng, "system", asks, s=x + y, d=x - y)
    return skeleton, text, [Step("Twice", x + y, "+", x - y), Step("x", Ref(0), "/", 2)], None


def composition(rng: Random) -> Exercise:
    a, b, c, x = rng.randint(2, 9), rng.randint(1, 40), rng.randint(2, 20), rng.randint(2, 12)
    asks = ("Let f(x)={a}x+{b} and g(x)=x+{c}. Find f(g({x})).", "If g(x)=x+{c} and f(x)={a}x+{b}, what is f(g({x}))?",
            "Add {c} to {x}, multiply by {a} and add {b}. What is the result?")  # fmt: skip
    skeleton, text = phrase(rng, "composition", asks, a=a, b=b, c=c, x=x)
    return skeleton, text, [Step("g", x, "+", c), Step("Product", a, "*", Ref(0)), Step("f", Ref(1), "+", b)], None


def two_variables(rng: Random) -> Exercise:
    a, b, x, y = rng.randint(5, 12), rng.randint(2, 5), rng.randint(10, 25), rng.randint(2, 9)
    sign = rng.choice("+-")
    asks = ("Find {a}x{s}{b}y for x={x} and y={y}.", "If x={x} and y={y}, what is {a}x{s}{b}y?",
            "Evaluate {a}m{s}{b}n at m={x} and n={y}.")  # fmt: skip
    skeleton, text = phrase(rng, "variables" + sign, asks, a=a, b=b, x=x, y=y, s=sign)
    return (
        skeleton,
        text,
        [Step("First", a, "*", x), Step("Second", b, "*", y), Step("Sum", Ref(0), sign, Ref(1))],
        None,
    )


def backwards(rng: Random) -> Exercise:
    a, x, b = rng.randint(2, 9), rng.randint(3, 40), rng.randint(2, 60)
    asks = ("A number is multiplied by {a}, then {b} is added. The result is {c}. What was the number?",
            "I think of a number, take it times {a} and add {b}. I get {c}. Find my number.",
            "{b} more than {a} times a number is {c}. What is the number?")  # fmt: skip
    skeleton, text = phrase(rng, "backwards", asks, a=a, b=b, c=a * x + b)
    return skeleton, text, [Step("Product", a * x + b, "-", b), Step("Number", Ref(0), "/", a)], None


def undo_division(rng: Random) -> Exercise:
    a, quotient, b = rng.randint(2, 9), rng.randint(20, 90), rng.randint(2, 19)
    asks = ("A number is divided by {a}, then {b} is taken away. {c} is left. What was the number?",
            "Find x if x/{a}-{b}={c}.", "Solve \\frac{{x}}{{{a}}}-{b}={c}.")  # fmt: skip
    skeleton, text = phrase(rng, "undo", asks, a=a, b=b, c=quotient - b)
    return skeleton, text, [Step("Quotient", quotient - b, "+", b), Step("x", Ref(0), "*", a)], None


TOPICS = (linear, two_sided, function, square, system, composition, two_variables, backwards, undo_division)
