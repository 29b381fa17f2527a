r"""Boxes, `\boxed{x}` and `\fbox{x}`: where they stand in a text, and which of them are one answer.

A box without braces (`\boxed 7`, `$\boxed\frac12$`) holds the term that follows it. A box that never closes, or a
command that the end of the text cuts short, holds nothing: the text was cut off there.

Boxes are one answer where only `and`, `or` or a comma stands between them, maybe with the name of an unknown
(`$x=\boxed{2}$ or $x=\boxed{9}$`). Where words or a calculation stand between them, the last one is the answer alone.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_COMMAND = re.compile(r"\\(?:boxed|fbox)(?![a-zA-Z])\s*")
_CUT_SHORT = re.compile(r"\\(?:b|bo|box|boxe|f|fb|fbo)$")

_GROUP = r"\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}"
_TERM = (
    r"(?:\d+(?:,\d{3})*(?:\.\d+)?(?::\d+)*(?:!(?=\s*(?:\$|\\[)\]]|[-+*/^])))?|\.\d+"
    rf"|\\(?!quad|qquad|square|blacksquare|end|boxed|fbox)[a-zA-Z]+(?:\s*\[\d+\])?(?:\s*{_GROUP}|\s*\d)*"
    r"|[a-zA-Z](?![a-zA-Z])|\([^()\n$]*\)|\[[^\[\]\n$]*\]|\\\{[^{}\n$]*\\\})"
)
_BARE = re.compile(
    rf"(?:\\[,;:!$])?\s*[-+−]?\s*{_TERM}(?:\s*[-+*/^_−]\s*(?:{_TERM}|{_GROUP})|\s*(?=\\){_TERM}|{_TERM})*"
)

_LAYOUT = re.compile(r"\$|\\[()\[\],;! ]|\\(?:quad|qquad|left|right)(?![a-zA-Z])|[~&]|\*\*")
_TEXT = re.compile(r"\\(?:text|mbox|textrm|mathrm)\s*\{([^{}]*)\}")
_UNKNOWN = r"(?:\\[a-zA-Z]+|[a-zA-Z])(?:_(?:\w|\{\w+\}))?'*(?:\s*\(\s*\w\s*\))?\s*(?:=|\\in)\s*"
_MARK = r"(?P<mark>[.,;]?(?:\n[ \t]*(?:[-*•]|\\item)(?=\s))?)"
_CONNECTION = re.compile(
    rf"\s*{_MARK}\s*(?P<word>(?:(?:and|or)(?:/or)?(?: also| else)?|as well as)\b)?\s*,?\s*(?:{_UNKNOWN})?",
    re.IGNORECASE,
)
_EITHER = re.compile(r"\b(?:either|any|both|also)\b[^.\n]*\b(?:acceptable|accepted|correct|valid)\b", re.IGNORECASE)
_ALSO = re.compile(r"\balso\b", re.IGNORECASE)
NEAR_CHARS = 120
"""How far behind the last box a remark on it may end."""


class Box(NamedTuple):
    """A box of a text: `text[start:end]`."""

    start: int
    end: int
    content: str | None
    """None: cut off."""


def find_boxes(text: str) -> list[Box]:
    """All boxes of a text in order, those within others too."""
    boxes = []
    closes = _closing_braces(text) if _COMMAND.search(text) else {}
    for match in _COMMAND.finditer(text):
        at = match.end()
        if text.startswith("{", at):
            end = closes.get(at)
            boxes.append(
                Box(match.start(), len(text), None) if end is None else Box(match.start(), end + 1, text[at + 1 : end])
            )
        elif at == len(text):
            boxes.append(Box(match.start(), at, None))
        elif bare := _BARE.match(text, at):
            boxes.append(Box(match.start(), bare.end(), bare[0].strip()))
    if cut := _CUT_SHORT.search(text):
        boxes.append(Box(cut.start(), len(text), None))
    return boxes


def last_boxed(text: str) -> tuple[int, str] | None:
    """Position and content of the last box that closes; None where there is none."""
    closed = [(box.start, box.content) for box in find_boxes(text) if box.content is not None]
    return closed[-1] if closed else None


def one_answer(text: str, boxes: list[Box]) -> list[Box]:
    """The last boxes of `boxes` that make one answer."""
    run = boxes[-1:]
    for box in reversed(boxes[:-1]):
        gap = text[box.end : run[0].start]
        if box.content is None or box.end > run[0].start or not _connects(gap):
            break
        run.insert(0, box)
    return run


def any_counts(text: str, boxes: list[Box], run: list[Box]) -> list[Box]:
    """The boxes of which each is an acceptable answer, if the text says so behind the last; else none."""
    remark = _EITHER.search(text[run[-1].end : run[-1].end + NEAR_CHARS])
    if remark is None:
        return []
    before = boxes[: len(boxes) - len(run)]
    return [before[-1], *run] if _ALSO.search(remark[0]) and len(run) == 1 and before else run


def _closing_braces(text: str) -> dict[int, int]:
    r"""Where each brace that closes does so, by where it opens; escaped braces (`\{`) do not count."""
    open_at, closes = [], {}
    for token in _BRACE.finditer(text):
        if token[0] == "{":
            open_at.append(token.start())
        elif token[0] == "}" and open_at:
            closes[open_at.pop()] = token.start()
    return closes


def _connects(gap: str) -> bool:
    """`and`, `or`, a comma, a list's next bullet, or nothing but a blank on the same line."""
    gap = _LAYOUT.sub(" ", _TEXT.sub(r" \1 ", gap))
    match = _CONNECTION.fullmatch(gap)
    if match is None:
        return False
    return match["word"] is not None or match["mark"].strip(".") != "" or (match["mark"] == "" and "\n" not in gap)
