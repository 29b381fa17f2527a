r"""Reference answers changed: in spelling, so that they stay right, and in value, so that they become wrong.

In: an answer's text. Out: (kind, text) rows. What is right and what is wrong follows from how a row was made, never
from a grader. A change that could leave the value as it was (the sign of 0, the order of equal parts) is not made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from random import Random

Row = tuple[str, str]

_INTEGER = re.compile(r"-?\d+")
_DECIMAL = re.compile(r"-?\d*\.\d+")
_FRACTION = re.compile(r"(-?)(?:\\[dtc]?frac\{(\d+)\}\{(\d+)\}|\\[dtc]?frac(\d)(\d)|(\d+)/(\d+))")
_MIXED = re.compile(r"(-?\d+) ?\\[dtc]?frac\{(\d+)\}\{(\d+)\}")
_UNIT = re.compile(r"(.*\d.*?)\s*\\(?:text|mbox)\s*\{([^{}]*)\}(\^\{?\d\}?)?")
_DEGREES = re.compile(r"(.+)\^\{?\\circ\}?")
_BASE = re.compile(r"\d+_\{?\d+\}?")
_MATRIX = re.compile(r"(\\begin\{pmatrix\})(.*)(\\end\{pmatrix\})", re.DOTALL)
_NO_TERM = re.compile(r"\\pm|\\text|\\overline|\\approx|^[a-zA-Z]$")
_BRACKETED = re.compile(r"(?:\\left)?\s*([(\[])(.*?)(?:\\right)?\s*([)\]])", re.DOTALL)


def kind_of(answer: str) -> str:
    """What an answer is, by its form alone."""
    if " or else " in answer:
        return "either of several"
    if ":" in answer and re.search(r"\d\s*:\s*\d", answer):
        return "time or ratio"
    if _MATRIX.search(answer):
        return "matrix"
    if re.search(r"\\cup|[(\[].*\\infty", answer):
        return "interval or union"
    if _UNIT.fullmatch(answer):
        return "with a unit"
    if not re.search(r"\d", answer) and re.search(
        r"\\text|\\mbox|[A-Za-z]{3}", re.sub(r"\\(?!text|mbox)[a-z]+", "", answer)
    ):
        return "words"
    if _INTEGER.fullmatch(answer):
        return "integer"
    if _DECIMAL.fullmatch(answer):
        return "decimal"
    if _FRACTION.fullmatch(answer):
        return "fraction"
    if _MIXED.fullmatch(answer):
        return "mixed number"
    if _BASE.fullmatch(answer):
        return "in another base"
    if _DEGREES.fullmatch(answer):
        return "degrees"
    if len(_parts(answer)) > 1:
        return "list"
    if _bracketed(answer):
        return "tuple or interval"
    if "=" in answer or re.search(r"\\le|\\ge|<|>|\\in\b", answer):
        return "relation"
    return (
        "expression with unknowns"
        if re.search(r"(?<!\\)\b[a-zA-Z]\b", re.sub(r"\\[a-z]+", " ", answer))
        else "number expression"
    )


def respelled(answer: str) -> Iterator[Row]:
    """The same value in other spellings, the first of them the answer itself."""
    yield "itself", answer
    kind = kind_of(answer)
    if kind in ("integer", "decimal"):
        yield from _spelled_number(answer)
    if fraction := _fraction(answer):
        yield from _spelled_fraction(fraction)
    if (unit := _UNIT.fullmatch(answer)) and not unit[3]:
        yield "unit left out", unit[1]
    if degrees := _DEGREES.fullmatch(answer):
        yield "unit left out", degrees[1]
    if kind == "words":
        bare = re.sub(r"\\(?:text|mbox)\s*\{([^{}]*)\}", r"\1", answer)
        yield "case of words", rf"\text{{{bare.upper()}}}"
    if kind == "list":
        yield "order of a list", ", ".join(reversed(_parts(answer)))
        yield "as a set", rf"\{{{answer}\}}"
    if kind == "matrix":
        yield "other brackets", answer.replace("pmatrix", "bmatrix")
    if kind in ("number expression", "expression with unknowns", "tuple or interval", "interval or union"):
        yield "spacing", re.sub(r"(?<!\\)([-+,])(?!\\infty)", r" \1 ", answer)
    if kind in ("number expression", "expression with unknowns") and not _NO_TERM.search(answer):
        yield "in brackets", rf"\left({answer}\right)"
        yield "plus nothing", rf"{answer} + 3 - 3"
        yield "assigned", rf"q = {answer}"


def _spelled_number(answer: str) -> Iterator[Row]:
    whole, _, decimals = answer.lstrip("-").partition(".")
    sign = "-" if answer.startswith("-") else ""
    if not decimals:
        yield "decimal zero", f"{answer}.0"
        yield "as a fraction", rf"\frac{{{2 * int(answer)}}}{{2}}"
    yield "currency", f"{sign}\\${answer.lstrip('-')}"
    yield "unit added", rf"{answer}\text{{ pens}}"
    yield "assigned", f"x = {answer}"
    if len(whole) > 3 and whole[0] != "0":
        for name, comma in (("thousands commas", ","), ("thousands blanks", r"\,"), ("thousands blanks", " ")):
            yield name, f"{sign}{int(whole):,}".replace(",", comma) + (f".{decimals}" if decimals else "")


def _spelled_fraction(fraction: Fraction) -> Iterator[Row]:
    above, below = fraction.numerator, fraction.denominator
    if below == 1:
        return
    yield "with a slash", f"{above}/{below}"
    yield "not in lowest terms", rf"\frac{{{3 * above}}}{{{3 * below}}}"
    if set(_prime_factors(below)) <= {2, 5} and below < 10**6:
        yield "as a decimal", f"{Decimal(above) / below:f}"
    if abs(fraction) > 1:
        whole, rest = divmod(abs(above), below)
        sign = "-" if fraction < 0 else ""
        yield "as a mixed number", rf"{sign}{whole}\frac{{{rest}}}{{{below}}}"
        yield "as a mixed number", f"{sign}{whole} {rest}/{below}"


def perturbed(answer: str, rng: Random) -> Iterator[Row]:
    """Another value, one slip away."""
    kind = kind_of(answer)
    if kind == "either of several":
        return
    if (digit := _digit(answer, rng)) and kind != "either of several":
        yield "digit", digit
    if kind in ("integer", "decimal", "fraction", "mixed number", "degrees") and re.search("[1-9]", answer):
        negated = answer[1:] if answer.startswith("-") else f"-{answer}"
        yield "sign", negated
    if kind in ("integer", "decimal") and re.search("[1-9]", answer):
        value = Fraction(answer)
        yield "percent as a share", _decimal(value / 100)
        yield "times ten", _decimal(value * 10)
        yield "a half more", rf"{answer}\frac{{1}}{{2}}"
    if kind == "number expression" and not answer.startswith("-") and not re.search(r"\d\s*[-+]|\}\s*[-+]|pm", answer):
        yield "sign", f"-{answer}"
    if fraction := _fraction(answer):
        yield from _perturbed_fraction(fraction, bool(_MIXED.fullmatch(answer)))
    if unit := _UNIT.fullmatch(answer):
        yield "unit", rf"{unit[1]}\text{{ gallons}}"
    if kind == "words":
        yield "another word", r"\text{banana}"
    yield from _perturbed_parts(answer, kind)


def _perturbed_fraction(fraction: Fraction, mixed: bool) -> Iterator[Row]:
    above, below = fraction.numerator, fraction.denominator
    if below == 1:
        return
    if abs(above) != below:
        yield "upside down", rf"\frac{{{below}}}{{{above}}}"
    if abs(fraction) > 1:
        whole, rest = divmod(abs(above), below)
        yield "mixed number as a product", rf"\frac{{{whole * rest}}}{{{below}}}"
    if 100 * fraction % 1 and len(str(abs(float(fraction)))) > 6:
        yield "rounded to two places", f"{float(fraction):.2f}"
    if mixed:
        yield "whole part missing", rf"\frac{{{abs(above) % below}}}{{{below}}}"


def _perturbed_parts(answer: str, kind: str) -> Iterator[Row]:
    parts = _parts(answer)
    if kind == "list":
        if parts[-1] not in parts[:-1]:
            yield "a value missing", ", ".join(parts[:-1])
        if parts[0] not in parts[1:]:
            yield "a value missing", ", ".join(parts[1:])
        yield "a value too many", f"{answer}, 987"
    if kind == "tuple or interval" and (found := _bracketed(answer)):
        opening, items, closing = found
        if len({re.sub(r"\s", "", item) for item in items}) == len(items):
            yield "order of a tuple", f"{opening}{', '.join([*items[1:], items[0]])}{closing}"
        if len(items) > 2:
            yield "a value missing", f"{opening}{', '.join(items[:-1])}{closing}"
        yield "a value too many", f"{opening}{', '.join(items)}, 987{closing}"
    if kind == "interval or union":
        closed = answer.replace("(", "[", 1) if "(" in answer and not re.search(r"\(\s*-\s*\\infty", answer) else None
        if closed:
            yield "open end closed", closed
        if r"\cup" in answer:
            yield "a value missing", answer.split(r"\cup")[0].strip()
    if kind == "matrix" and (matrix := _MATRIX.fullmatch(answer)):
        rows = matrix[2].split(r"\\")
        if len({re.sub(r"\s", "", row) for row in rows}) == len(rows) > 1:
            yield "order of rows", matrix[1] + r"\\".join([*rows[1:], rows[0]]) + matrix[3]
    if kind == "time or ratio" and not re.search(r"1\s*:\s*1$", answer):
        yield "swapped", re.sub(r"(\d+)(\s*:\s*)(\d+)", r"\3\2\1", answer, count=1)


def _fraction(answer: str) -> Fraction | None:
    if plain := _FRACTION.fullmatch(answer):
        above, below = (int(part) for part in plain.groups()[1:] if part is not None)
        return Fraction(above, below) * (-1 if plain[1] else 1) if below else None
    if mixed := _MIXED.fullmatch(answer):
        whole, part = int(mixed[1]), Fraction(int(mixed[2]), int(mixed[3]))
        return whole - part if mixed[1].startswith("-") else whole + part
    return Fraction(answer) if _DECIMAL.fullmatch(answer) else None


def _digit(answer: str, rng: Random) -> str | None:
    """One digit another, outside of commands' subscripts; a text without digits has none."""
    places = [match.start() for match in re.finditer(r"\d", answer)]
    if not places:
        return None
    at = rng.choice(places)
    return answer[:at] + rng.choice([digit for digit in "123456789" if digit != answer[at]]) + answer[at + 1 :]


def _bracketed(answer: str) -> tuple[str, list[str], str] | None:
    match = _BRACKETED.fullmatch(answer)
    if match is None or len(items := _parts(match[2])) < 2:
        return None
    return match[1], items, match[3]


def _parts(answer: str) -> list[str]:
    """Parts between the commas outside all brackets."""
    parts, depth, start = [], 0, 0
    for at, character in enumerate(answer):
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            parts.append(answer[start:at].strip())
            start = at + 1
    return [*parts, answer[start:].strip()]


def _decimal(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else f"{float(value):.10f}".rstrip("0")


def _prime_factors(number: int) -> list[int]:
    factors, factor = [], 2
    while number > 1:
        while number % factor == 0:
            factors.append(factor)
            number //= factor
        factor += 1
    return factors
