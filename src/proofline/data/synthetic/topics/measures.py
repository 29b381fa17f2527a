"""Figures, distances and times."""

from __future__ import annotations

from random import Random

from proofline.data.synthetic.steps import Ref, Step
from proofline.data.synthetic.topics.form import Exercise, phrase


def rectangle(rng: Random) -> Exercise:
    w, k = rng.randint(3, 12), rng.randint(2, 12)
    kind = rng.choice(("area", "perimeter"))
    asks = ("A rectangle is {w} wide and {k} longer than wide. Find its {q}.",
            "The length of a rectangle is its width plus {k}. The width is {w}. What is the {q}?")  # fmt: skip
    skeleton, text = phrase(rng, kind, asks, w=w, k=k, q=kind)
    length = Step("Length", w, "+", k)
    if kind == "area":
        return skeleton, text, [length, Step("Area", Ref(0), "*", w)], None
    return skeleton, text, [length, Step("Half", Ref(0), "+", w), Step("Perimeter", Ref(1), "*", 2)], None


def triangle(rng: Random) -> Exercise:
    b, h = 2 * rng.randint(3, 15), rng.randint(3, 12)
    asks = ("A triangle has base {b} and height {h}. Find its area.",
            "What is the area of a triangle of base {b} and height {h}?",
            "The height of a triangle is {h} and its base is {b}. What is the area?")  # fmt: skip
    skeleton, text = phrase(rng, "triangle", asks, b=b, h=h)
    return skeleton, text, [Step("Product", b, "*", h), Step("Area", Ref(0), "/", 2)], None


def angle(rng: Random) -> Exercise:
    a, b = rng.randint(20, 85), rng.randint(20, 85)
    asks = ("Two angles of a triangle measure {a} and {b} degrees. What is the third?",
            "In triangle ABC, angle A is {a} degrees and angle B is {b} degrees. Find angle C.",
            "A triangle has angles of {a} and {b} degrees. How large is the other angle?")  # fmt: skip
    skeleton, text = phrase(rng, "angle", asks, a=a, b=b)
    return skeleton, text, [Step("Sum", a, "+", b), Step("Third", 180, "-", Ref(0))], None


def box(rng: Random) -> Exercise:
    a, b, c = rng.randint(3, 12), rng.randint(2, 9), rng.randint(2, 9)
    asks = ("A box measures {a} by {b} by {c}. Find its volume.",
            "What is the volume of a box {a} long, {b} wide and {c} high?",
            "How many unit cubes fill a box of {a} by {b} by {c}?")  # fmt: skip
    skeleton, text = phrase(rng, "box", asks, a=a, b=b, c=c)
    return skeleton, text, [Step("Base", a, "*", b), Step("Volume", Ref(0), "*", c)], None


def from_perimeter(rng: Random) -> Exercise:
    w, length = rng.randint(2, 12), rng.randint(5, 30)
    asks = ("The perimeter of a rectangle is {p} and its width is {w}. Find its area.",
            "A rectangle of perimeter {p} is {w} wide. What is its area?",
            "A fence of perimeter {p} encloses a rectangle of width {w}. What is the area inside?")  # fmt: skip
    skeleton, text = phrase(rng, "enclosed", asks, p=2 * (w + length), w=w)
    return (
        skeleton,
        text,
        [Step("Half", 2 * (w + length), "/", 2), Step("Length", Ref(0), "-", w), Step("Area", Ref(1), "*", w)],
        None,
    )


def journey(rng: Random) -> Exercise:
    v, t, extra = rng.randint(12, 70), rng.randint(2, 9), rng.randint(5, 60)
    asks = ("A train goes {v} miles an hour for {t} hours and then {e} more miles. How far does it go?",
            "At {v} km an hour, how far is a trip of {t} hours plus {e} km on foot?",
            "A boat does {v} miles each hour for {t} hours, then drifts {e} miles. Find the distance.")  # fmt: skip
    skeleton, text = phrase(rng, "journey", asks, v=v, t=t, e=extra)
    return skeleton, text, [Step("Distance", v, "*", t), Step("All", Ref(0), "+", extra)], None


def minutes(rng: Random) -> Exercise:
    h, m = rng.randint(2, 12), rng.randint(5, 55)
    asks = ("How many minutes are {h} hours and {m} minutes?", "Write {h} hours and {m} minutes in minutes.",
            "A film takes {h} hours and {m} minutes. How many minutes is that?")  # fmt: skip
    skeleton, text = phrase(rng, "minutes", asks, h=h, m=m)
    return skeleton, text, [Step("Hours", h, "*", 60), Step("Minutes", Ref(0), "+", m)], None


TOPICS = (rectangle, triangle, angle, box, from_perimeter, journey, minutes)
