r"""An expression of LaTeX or plain text as a function of its unknowns, computed exactly where that can be done.

Fractions stay fractions; roots, pi, logarithms and the like are numbers of 50 digits. Two expressions are equal if
they are at every point where they are computed (Schwartz 1980 and Zippel 1979 for polynomials): no algebra is done,
so nothing can run for ever. What is not in the grammar is Unreadable, never guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction

from proofline.answers import numbers as n
from proofline.answers.numbers import Number, Unreadable

Point = Mapping[str, Number]
Function = Callable[[Point], Number]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?|\.\d+)|(?P<command>\\[a-zA-Z]+|\\[{}|])|(?P<letter>[a-zA-Z])"
    r"|(?P<sign>[-+*/^_!(){}\[\]|']))"
)
_GREEK = re.compile(
    "alpha|beta|[gG]amma|[dD]elta|(?:var)?epsilon|zeta|eta|(?:var)?theta|Theta|kappa|[lL]ambda|mu|nu|xi|rho|[sS]igma|tau"
    "|(?:var)?phi|Phi|chi|[pP]si|[oO]mega|ell"
)
_PLAIN_FRACTION = re.compile(r"(?:\{ (\d+) \}|(\d)) ?(?:\{ (\d+) \}|(\d))")
_NAMES = frozenset(n.FUNCTIONS)
_CLOSING = {"(": ")", "[": "]", "{": "}", r"\{": r"\}", "|": "|"}


def tokens_of(text: str) -> list[str]:
    """Numbers, commands, letters and signs. Raises Unreadable."""
    tokens, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Unreadable(f"'{text[at]}' in an expression")
        tokens.append(match[0].strip())
        at = match.end()
    return tokens


class Parser:
    """Recursive descent over the tokens of one expression; `names` collects its unknowns."""

    def __init__(self, text: str) -> None:
        self.tokens = tokens_of(text)
        self.at = 0
        self.names: set[str] = set()

    def parse(self) -> Function:
        function = self.sum()
        if self.at < len(self.tokens):
            raise Unreadable(f"'{self.tokens[self.at]}' where an expression ends")
        return function

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        if not token:
            raise Unreadable("an expression that breaks off")
        self.at += 1
        return token

    def expect(self, token: str) -> None:
        if self.take() != token:
            raise Unreadable(f"'{token}' is missing")

    def sum(self) -> Function:
        left = self.product()
        while self.peek() in ("+", "-"):
            sign, right = self.take(), self.product()
            left = _both(n.add if sign == "+" else n.subtract, left, right)
        return left

    def product(self) -> Function:
        left = self.signed()
        while True:
            token = self.peek()
            if token in ("*", "/"):
                self.take()
                left = _both(n.multiply if token == "*" else n.divide, left, self.signed())
            elif self.begins_factor(token):
                left = _both(n.multiply, left, self.power())
            else:
                return left

    def begins_factor(self, token: str) -> bool:
        if token in ("(", "{", "[") or re.match(r"[a-zA-Z.]|\\[a-zA-Z]", token):
            return True
        if token[:1].isdigit():  # a number beside a bracket or a letter; two numbers side by side are no product
            return not self.tokens[self.at - 1][-1:].isdigit()
        return False

    def signed(self) -> Function:
        if self.peek() in ("+", "-"):
            sign, inner = self.take(), self.signed()
            return inner if sign == "+" else (lambda point: n.negate(inner(point)))
        return self.power()

    def power(self) -> Function:
        base = self.atom()
        while True:
            token = self.peek()
            if token == "!":
                self.take()
                base = _of(n.factorial, base)
            elif token == "^":
                self.take()
                base = _both(n.power, base, self.exponent())
            else:
                return base

    def exponent(self) -> Function:
        if self.peek() == "-":
            self.take()
            inner = self.exponent()
            return lambda point: n.negate(inner(point))
        return self.argument()

    def argument(self) -> Function:
        """`{…}`, or one digit, letter or command: what TeX takes."""
        token = self.peek()
        if token == "{":
            return self.group("{")
        if token[:1].isdigit() and len(token) > 1 and "." not in token:
            self.tokens[self.at : self.at + 1] = [token[0], token[1:]]
        return self.atom()

    def group(self, opening: str) -> Function:
        self.expect(opening)
        inner = self.sum()
        self.expect(_CLOSING[opening])
        return inner

    def atom(self) -> Function:
        token = self.take()
        if token[0].isdigit() or token[0] == ".":
            return self.number(token)
        if token in ("(", "{", "[", "|"):
            self.at -= 1
            return _of(n.absolute, self.group("|")) if token == "|" else self.group(token)
        if token[0] == "\\":
            return self.command(token[1:])
        if token.isalpha():
            return self.unknown(token)
        raise Unreadable(f"'{token}' where a value is expected")

    def number(self, token: str) -> Function:
        value: Number = Fraction(token)
        if self.peek() == r"\frac" and token.isdigit() and (mixed := self.mixed()):
            value += mixed
        if self.peek() == "_":
            raise Unreadable("a number in another base")
        return lambda point: value

    def mixed(self) -> Fraction | None:
        """The fraction of a mixed number, `\frac{1}{2}` behind a whole one; None where it is no plain fraction."""
        end = self.at + 1
        parts: list[str] = []
        while end < len(self.tokens) and "".join(parts).count("}") < 2 and len(parts) < 6:
            parts.append(self.tokens[end])
            end += 1
            if match := _PLAIN_FRACTION.fullmatch(" ".join(parts)):
                above, below = (int(part) for part in match.groups() if part is not None)
                self.at = end if below else self.at
                return Fraction(above, below) if below else None
        return None

    def unknown(self, name: str) -> Function:
        if self.peek() == "_":
            self.take()
            name += "_" + (self.take() if self.peek() != "{" else "".join(self.subscript()))
        while self.peek() == "'":
            name += self.take()
        if name in ("i", "e"):
            value = n.CONSTANTS[name]
            return lambda point: value
        self.names.add(name)
        return lambda point: point[name]

    def subscript(self) -> list[str]:
        self.expect("{")
        parts = []
        while self.peek() != "}":
            parts.append(self.take())
        self.expect("}")
        return parts

    def command(self, name: str) -> Function:
        if name == "frac":
            return _both(n.divide, self.argument(), self.argument())
        if name == "sqrt":
            degree: Function = self.group("[") if self.peek() == "[" else (lambda point: Fraction(2))
            return _both(n.root, self.argument(), degree)
        if name == "binom":
            return _both(n.binomial, self.argument(), self.argument())
        if name in n.CONSTANTS:
            value = n.CONSTANTS[name]
            return lambda point: value
        if name == "log" and self.peek() == "_":
            self.take()
            base = self.argument()
            return _both(n.logarithm, self.applied(), base)
        if name in _NAMES:
            return self.function(name)
        if _GREEK.fullmatch(name):
            return self.unknown(name)
        raise Unreadable(f"the command \\{name}")

    def function(self, name: str) -> Function:
        exponent: Function | None = None
        if self.peek() == "^":
            self.take()
            if self.peek() == "{" and self.tokens[self.at + 1 : self.at + 4] == ["-", "1", "}"]:
                self.at += 4
                name = f"arc{name}"
            else:
                exponent = self.exponent()
        if name not in n.FUNCTIONS:
            raise Unreadable(f"the function {name}")
        value = _of(n.FUNCTIONS[name], self.applied())
        return value if exponent is None else _both(n.power, value, exponent)

    def applied(self) -> Function:
        """A function's argument: a bracket, or what stands beside it up to the next sign (`\\sin 2x`)."""
        if self.peek() in ("(", "{", "["):
            return self.power()
        value = self.signed()
        while self.peek() and self.peek() not in ("+", "-", "*", "/", "(") and self.begins_factor(self.peek()):
            if self.peek()[1:] in _NAMES:
                break
            value = _both(n.multiply, value, self.power())
        return value


def _both(operation: Callable[[Number, Number], Number], left: Function, right: Function) -> Function:
    return lambda point: operation(left(point), right(point))


def _of(operation: Callable[[Number], Number], inner: Function) -> Function:
    return lambda point: operation(inner(point))
