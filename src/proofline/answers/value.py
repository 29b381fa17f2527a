r"""What an answer's text says, as a value: a term, a list, a tuple or interval, a union, a matrix, a relation, words.

Text in, a Value out; Unreadable for what is none of them. Layout, degree and percent signs and units are taken off;
a unit is kept beside its number, so that two different ones can be told.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Literal

from proofline.answers.expression import Function, Parser
from proofline.answers.latex import TEXT, plain_latex, words_of
from proofline.answers.numbers import Unreadable
from proofline.answers.spelling import MULTIPLIER

Kind = Literal["list", "round", "square", "left-open", "right-open", "union", "matrix", "row"]


@dataclass(frozen=True)
class Term:
    """An expression."""

    function: Function
    names: frozenset[str]
    decimals: tuple[int, int] | None
    """Digits behind the point and significant ones, where it is one decimal number."""
    unit: str


@dataclass(frozen=True)
class Group:
    """Several values; only of a list and a union the order is free."""

    kind: Kind
    items: tuple[Value, ...]


@dataclass(frozen=True)
class Relation:
    """`left sign right`; `>` is turned into `<`."""

    sign: str
    left: Value
    right: Value
    name: str
    """What is assigned to where the left side is a name alone (`x`, `f(x)`), else ''."""


@dataclass(frozen=True)
class Words:
    """Text without mathematics, in lower case."""

    text: str


Value = Term | Group | Relation | Words

_WORD = re.compile(r"[^\W\d_]{3,}")
_JOINING = re.compile(r"\s*,?\s*\b(?:and|or)\b\s*", re.IGNORECASE)
_BARE_UNIT = re.compile(r"(?<=[\d)}\s])([a-zA-Z]{2,}(?:[ /][a-zA-Z]{2,})*(?:\^\{?\d\}?)?)\.?$")
_FUNCTION_NAMES = re.compile(r"\b(?:sin|cos|tan|log|ln|exp|sqrt|pi)\b")
_MATRIX = re.compile(r"\\begin\{([pbB]?matrix|array)\}(?:\{[lcr|]*\})?(.*)\\end\{\1\}", re.DOTALL)
_RELATIONS = "=<>≤≥≠∈"
_NAME = re.compile(r"\\?[a-zA-Z]+(?:_\{?\w+\}?)?'*(?:\([a-z](?:,[a-z])*\))?(?:\^\{-1\}\([a-z]\))?")
_DECIMAL = re.compile(r"[-+]?(\d*)\.(\d+)")
_OPEN, _CLOSE = "([{", ")]}"


@functools.lru_cache(maxsize=8192)
def read_value(answer: str) -> Value:
    """The value of an answer. Raises Unreadable."""
    text = plain_latex(answer)
    if not re.search(r"\\(?!text|mbox|mathrm)[a-zA-Z]|\d|[=<>≤≥≠∈∪+*/^]|(?<![^\W\d_]{2})-", TEXT.sub("", text)):
        words = words_of(text)
        if words and (TEXT.search(text) or _WORD.search(text)):
            return Words(words)
    text = TEXT.sub(
        lambda match: f" {_JOINING.sub(' , ', match[1])} " if _JOINING.fullmatch(match[1]) else match[0], text
    )
    return _read(text.strip())


def _read(text: str) -> Value:
    text = text.strip().rstrip(".").strip()
    if not text:
        raise Unreadable("an empty part")
    matrix = _MATRIX.fullmatch(text)
    if matrix:
        rows = [row for row in re.split(r"\\\\", matrix[2]) if row.strip()]
        return Group("matrix", tuple(Group("row", tuple(_read(cell) for cell in row.split("&"))) for row in rows))
    if "\\begin" in text:
        raise Unreadable("an environment within an answer")
    parts = [part for part in split(text, ",;") if part.strip()]
    if len(parts) > 1:
        return Group("list", tuple(_read(part) for part in parts))
    text = "".join(parts).strip()
    if not text:
        raise Unreadable("nothing but commas")
    if r"\pm" in text or "±" in text:
        both = [
            re.sub(r"\\pm(?![a-zA-Z])|±", sign, re.sub(r"\\mp(?![a-zA-Z])", other, text))
            for sign, other in ("+-", "-+")
        ]
        return Group("list", tuple(_read(one) for one in both))
    if len(sides := split(text, _RELATIONS)) > 1:
        return _relation(text, sides)
    if len(sets := split(text, "∪")) > 1:
        return Group("union", tuple(_read(part) for part in sets))
    return _bracketed(text) or _term(text)


def split(text: str, signs: str) -> list[str]:
    """Parts between the signs that stand outside all brackets. Raises Unreadable where brackets cross."""
    depth, parts, start = 0, [], 0
    for at, character in enumerate(text):
        if character in _OPEN:
            depth += 1
        elif character in _CLOSE:
            depth -= 1
            if depth < 0:
                raise Unreadable("a bracket that was never opened")
        elif depth == 0 and character in signs:
            parts.append(text[start:at])
            start = at + 1
    if depth:
        raise Unreadable("a bracket that never closes")
    return [*parts, text[start:]]


def _bracketed(text: str) -> Group | None:
    r"""`(a, b)`, `[a, b)`, `\{a, b\}`; None where it is no bracket around several values."""
    if text.startswith(r"\{") and text.endswith(r"\}"):
        items = split(text[2:-2], ",;")
        return Group("list", tuple(_read(item) for item in items))
    if text[0] not in "([" or text[-1] not in ")]":
        return None
    try:
        items = split(text[1:-1], ",;")
    except Unreadable:
        return None
    if len(items) < 2:
        return None
    kinds: dict[str, Kind] = {"()": "round", "[]": "square", "(]": "left-open", "[)": "right-open"}
    return Group(kinds[text[0] + text[-1]], tuple(_read(item) for item in items))


def _relation(text: str, sides: list[str]) -> Value:
    signs = list(re.sub(r"[^" + _RELATIONS + "]", "", text))
    if len(signs) != len(sides) - 1:
        raise Unreadable("a relation within brackets")
    if set(signs) == {"="}:
        name = re.sub(r"\s", "", sides[0])
        plain = name if _NAME.fullmatch(name) else ""
        left = Words(name) if plain else _read(sides[0])
        return Relation("=", left, _read(sides[-1]), plain)
    if signs == ["∈"]:
        return Relation("=", Words("".join(sides[0].split())), _read(sides[1]), "".join(sides[0].split()))
    return _inequality(sides, signs)


def _inequality(sides: list[str], signs: list[str]) -> Value:
    """A chain of `<` and `≤`; between bounds of one unknown it is an interval."""
    if set(signs) <= {">", "≥"}:
        sides, signs = sides[::-1], [{">": "<", "≥": "≤"}[sign] for sign in reversed(signs)]
    if signs == ["≠"]:
        return Relation("≠", _read(sides[0]), _read(sides[1]), "")
    if not set(signs) <= {"<", "≤"}:
        raise Unreadable("relations of several kinds")
    unknown = [bool(re.fullmatch(r"\s*\\?[a-zA-Z]+\s*", side)) for side in sides]
    if len(sides) == 2 and sum(unknown) == 1:
        sides, signs = (["-\\infty", *sides], ["<", *signs]) if unknown[0] else ([*sides, "\\infty"], [*signs, "<"])
        unknown = [False, True, False]
    if len(sides) == 3 and unknown == [False, True, False]:
        kinds: dict[tuple[str, str], Kind] = {
            ("<", "<"): "round", ("≤", "≤"): "square", ("<", "≤"): "left-open", ("≤", "<"): "right-open",
        }  # fmt: skip
        return Group(kinds[signs[0], signs[1]], (_read(sides[0]), _read(sides[2])))
    if len(sides) == 2:
        return Relation(signs[0], _read(sides[0]), _read(sides[1]), "")
    raise Unreadable("a chain of relations")


def _term(text: str) -> Term:
    unit = ""
    texts = list(TEXT.finditer(text))
    if texts:
        unit = " ".join(words_of(match[0]) for match in texts)
        body = text[: texts[0].start()]
        if text[texts[0].start() : texts[-1].end()] != "".join(match[0] for match in texts) or (
            text[texts[-1].end() :].strip()
        ):
            raise Unreadable("words within an expression")
        text = body.strip()
    elif (bare := _BARE_UNIT.search(text)) and not _FUNCTION_NAMES.search(bare[1]) and text[: bare.start()].strip():
        unit, text = words_of(bare[1]), text[: bare.start()].strip()
    if MULTIPLIER.search(unit):
        raise Unreadable(f"'{unit}' makes another number of the one beside it")
    if re.search(r"(?<![\\a-zA-Z])[a-zA-Z]{3,}", text):
        raise Unreadable("words within an expression")
    parser = Parser(re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text))
    function = parser.parse()
    decimal = _DECIMAL.fullmatch(re.sub(r"\s", "", text))
    digits = (len(decimal[2]), len((decimal[1] + decimal[2]).lstrip("0"))) if decimal else None
    return Term(function, frozenset(parser.names), digits, unit)
