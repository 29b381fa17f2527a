r"""Text -> sides: the chains `side = side = …` of a text, each side as plain arithmetic with its exact value.

Read are numbers (`1,200`, `80 000`, `.5`, `20%`, `1 1/2`, `1 and 1/2`), + - * / mod in their usual spellings, brackets
and `2(3+4)`; currency signs are passed over. A side is read whole or not at all: where a unit, a variable or a power
takes part (`30 dogs * 1/5`, `y+2*5`, `2^3+1`) there is none, because the rest of it would say something else.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from fractions import Fraction

NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"
"""A number in prose or in a normalised side."""
_MIXED = r"\d+ (?:and )?\(?\$?\d+/\d+\)?(?![\d/.])"
_WRITTEN = (
    rf"(?!0\d)(?>{_MIXED}|\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d{{1,3}}(?: \d{{3}})+(?![\d-])|\d+(?:\.\d+)?|\.\d+)"
    r"(?!\d|[,.]\d)"
)
_CURRENCY = r"\\?[$€£]"
_OPERAND = rf"(?:\(\s*-?|{_CURRENCY})*+{_WRITTEN}(?:[ \t]*\)|\\?%|{_CURRENCY})*+"
_OPERATOR = r"[ \t]*(?:\\times|\\cdot|\\div|mod|[-+*/×÷·−–]|[xX](?![ \t]*-))[ \t]*"
_SIDE = rf"{_OPERAND}(?>(?:{_OPERATOR}-?|(?=\()){_OPERAND})*+"
_BEGINS = r"(?<![\w.\\^}\]|)√])(?<!\d,)(?!(?<=\d:)\d\d(?!\d))"
"""Not inside a word, a LaTeX argument or another number, nor the minutes of a time."""
_CHAIN = re.compile(rf"(?:(?<![^\s:=,;])-(?=[\d.$(]))?{_BEGINS}{_SIDE}(?:\s*(?<![<>!=])=(?![>=])[ \t]*-?{_SIDE})+")
_BULLET = re.compile(r"(?:^|\n)\s*(?:[-–•*+]\s+|\*\*)$|\s\*\*$")
_HANGS_BEFORE = re.compile(
    r"(?:[-+*/×÷·−–^]|\\times|\\cdot|\\div|\b[xX]|\b(?:times|plus|minus|mod)|\b(?:divided|multiplied) by"
    r"|(?:[\d%]|\bhalf|\b(?:third|quarter|fourth|fifth|sixth|eighth|tenth)s?) of|\b(?:twice|double|triple)"
    r"|\bthan|[\d)%√])[\s$(]*(?:\.\s*)?$",
    re.IGNORECASE,
)
"""What stands before is a part of the side too: it begins with an operator, or with a number set beside it."""
_HANGS_AFTER = re.compile(
    r"[\^_{(]|:\d(?!\d)|:(?!00)\d\d|[^\W\d_](?![^\W\d_])|[ \t]*[xX]\b|[ \t]*\\(?!text|mbox|q?quad|end)[a-zA-Z]"
    r"|[ \t]*[+*×÷·][\s$(]*[^\W\d_]|[ \t]*[-−–/][\s$(]*[^\W\d_](?![^\W\d_])"
)
"""What follows belongs to the side: a power, a variable, a root. A unit, a dash or a word does not."""
_SPELLINGS = {r"\\times|\\cdot|×|·|[xX]": "*", r"\\div|÷": "/", "[−–]": "-", "mod": " mod "}
_OPERATIONS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Mod: "%"}


@dataclass(frozen=True)
class Side:
    """One side of an equals sign."""

    text: str
    """Normalised: no blanks, currency signs or thousands commas, `1 1/2` as `(1+1/2)`."""
    start: int
    end: int
    first_end: int
    """Where its first number ends."""

    @property
    def value(self) -> Fraction | None:
        return compute(self.text)

    @property
    def first(self) -> Fraction:
        """Its first number."""
        return Fraction(re.search(r"[\d.]+", self.text)[0])  # type: ignore[index]

    @property
    def is_number(self) -> bool:
        return re.fullmatch(r"-?[\d.]+%?|-?\(\d+\+\d+/\d+\)", self.text) is not None


def find_chains(text: str) -> list[list[Side]]:
    """Runs of two or more whole sides with an equals sign between each two, in order."""
    chains = []
    for match in _CHAIN.finditer(text):
        at, sides = match.start(), []
        for written in match[0].split("="):
            sides.append(_side(text, at, at + len(written)))
            at += len(written) + 1
        if _hangs_before(text[: match.start()]):
            sides[0] = None
        if _HANGS_AFTER.match(text, match.end()):
            sides[-1] = None
        chains += _unbroken(sides)
    return chains


def _hangs_before(before: str) -> bool:
    line = before[before.rfind("\n") + 1 :]
    return _HANGS_BEFORE.search(line) is not None and _BULLET.search(before) is None


def _unbroken(sides: list[Side | None]) -> list[list[Side]]:
    runs: list[list[Side]] = [[]]
    for side in sides:
        if side is None:
            runs.append([])
        else:
            runs[-1].append(side)
    return [run for run in runs if len(run) > 1]


def _side(text: str, start: int, end: int) -> Side | None:
    """The side between two places, without blanks; one that stands inside a bracket loses it. None: not arithmetic."""
    start += len(text[start:end]) - len(text[start:end].lstrip())
    end = start + len(text[start:end].rstrip())
    depth, opened = 0, []
    for at in range(start, end):
        if text[at] == "(":
            opened.append(at)
        elif text[at] == ")" and opened:
            opened.pop()
        elif text[at] == ")":
            depth, end = depth + 1, at
            break
    if opened:
        if text[start : opened[-1]].strip("($ ") and not re.match(r"\s*=[^=]*\)", text[end:]):
            return None
        start = opened[-1] + 1
    written = text[start:end]
    first = re.search(_WRITTEN, written)
    if first is None or (depth and re.match(r"\)\s*[-+*/×÷]", text[end:])):
        return None
    side = Side(normal(written), start, end, start + first.end())
    return side if side.value is not None else None


def normal(written: str) -> str:
    """`1 1/2 x $20` -> `(1+1/2)*20`."""
    text = re.sub(rf"{_CURRENCY}|\\(?=%)", "", written)
    text = re.sub(r"(\d+) (?:and )?\(?(\d+/\d+)\)?(?![\d/.])", r"(\1+\2)", text)
    text = re.sub(r"(?<=/ )(\d+/\d+)(?![\d.])", r"(\1)", text)  # `3 / 1/4`, as it is meant
    for spelling, plain in _SPELLINGS.items():
        text = re.sub(spelling, plain, text)
    text = re.sub(r"[\s,]", "", text).replace("mod", " mod ")
    text = re.sub(r"(?<![\d.])\.(?=\d)", "0.", text)
    return re.sub(r"(?<=[\d)%])\(", "*(", text)


def numbers(text: str) -> list[Fraction]:
    """All numbers of a text, in order."""
    return [Fraction(match.replace(",", "")) for match in re.findall(NUMBER, text)]


def compute(expression: str) -> Fraction | None:
    """Exact value of a normalised side; None if it is malformed or divides by zero."""
    plain = re.sub(r"([\d.]+)%", r"(\1/100)", expression).replace("mod", "%")
    try:
        return _value(ast.parse(plain, mode="eval").body)
    except (SyntaxError, ZeroDivisionError, TypeError, MemoryError, RecursionError):
        return None


def _value(node: ast.AST) -> Fraction:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return Fraction(str(node.value))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        left, right = _value(node.left), _value(node.right)
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.Mult):
            return left * right
        return left / right if isinstance(node.op, ast.Div) else left % right
    raise TypeError(ast.dump(node))
