r"""Read the answer from the statement that counts. Text in, the answer's own text out, or why there is none.

What a statement says is one value: the content of a `\boxed{}` as it stands, of several boxes that are one answer
all of it (`2, 9`); of a written statement the mathematics if it is nothing else (`80/3`, `$\frac12$`), the right
side of its last `=` (`14 + 1 = 15`), or its one number with words around it (`$18.00 per week`). `2 hours and 30
minutes` holds two numbers and is not read. The last number of a text is never taken for its answer: a solution that
states none is unparsed, not wrong.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from proofline.answers.boxes import Box, any_counts, find_boxes
from proofline.answers.exact import differs
from proofline.answers.spelling import EITHER, MATH, MULTIPLIER, clean, quote
from proofline.answers.statement import Statement, find_statement, retraction, without_drafts

MAX_ANSWER_CHARS = 300
"""Longest answer that is compared; the longest MATH reference has 159 characters."""
_NUMBER = re.compile(r"-?\d+(?:\s+|\s+and\s+)\d+/\d+|-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:/\d+)?|-?\.\d+")
_COMMAND = re.compile(r"\\(?:text|textbf|textit|mathrm|mbox|operatorname|begin|end)\s*\{[^}]*\}|\\[a-zA-Z]+")
_WORD = re.compile(r"[^\W\d_]{2,}")


class Reading(NamedTuple):
    """The answer read from a solution, or why none was read."""

    answer: str | None
    reason: str


def read_answer(text: str, finished: bool = True) -> Reading:
    """The final answer of a solution as text for the graders, or None with the reason.

    `finished`: False where a limit ended the text, so that a statement at its very end may be half a one.
    """
    statement = find_statement(text)
    if statement is None:
        return Reading(None, r"no final answer: neither '#### x' nor '\boxed{x}' nor 'The answer is x'")
    if statement.cut or (not finished and statement.marker != r"\boxed" and _touches_end(text, statement)):
        return Reading(None, f"the text is cut off within its statement after '{statement.marker}'")
    if taken_back := retraction(text, statement):
        return Reading(None, f"the statement after '{statement.marker}' is taken back: {quote(taken_back)}")
    answer = _boxed(statement.boxes) if statement.boxes else _value_of(statement.text)
    if answer is None:
        return Reading(None, f"{quote(statement.text)} after '{statement.marker}' does not state one value")
    if not answer:
        return Reading(None, f"nothing stands after '{statement.marker}'")
    if len(answer) > MAX_ANSWER_CHARS:
        return Reading(None, f"{len(answer)} characters after '{statement.marker}' are too many for an answer")
    return Reading(answer, f"{quote(answer)} from '{statement.marker}'")


def read_reference(text: str) -> str:
    """The answer of a reference solution, '' where it states none. Of boxes of which each is acceptable, all."""
    statement = find_statement(text)
    if statement is not None and statement.boxes and not statement.cut:
        text = without_drafts(text)
        accepted = any_counts(text, find_boxes(text), list(statement.boxes))
        if len(accepted) > 1:
            return EITHER.join(_distinct(accepted))
    return read_answer(text).answer or ""


def _boxed(boxes: tuple[Box, ...]) -> str:
    return ", ".join(_distinct(boxes))


def _distinct(boxes: list[Box] | tuple[Box, ...]) -> list[str]:
    """The boxes' answers; of two that say the same (`12x - 34` or `-34 + 12x`), the later."""
    answers: list[str] = []
    for box in boxes:
        answer = clean(box.content or "")
        answers = [other for other in answers if differs(other, answer)] + [answer]
    return answers


def _touches_end(text: str, statement: Statement) -> bool:
    return not without_drafts(text)[statement.end :].strip()


def _value_of(statement: str) -> str | None:
    """The one value that a written statement holds; None where it holds none or several, '' where it is empty."""
    spans = list(MATH.finditer(statement))
    if len(spans) == 1 and not re.search(r"\d", statement[: spans[0].start()] + statement[spans[0].end() :]):
        if MULTIPLIER.search(statement[spans[0].end() :]):
            return None
        statement = spans[0][0]
    statement = clean(statement)
    if "\\" in statement:
        return None if _WORD.search(_COMMAND.sub("", statement)) else statement
    statement = clean(statement.rsplit("=", 1)[-1])
    if not _WORD.search(statement):
        return None if MULTIPLIER.search(statement) else statement
    numbers = _NUMBER.findall(statement)
    return clean(numbers[0]) if len(numbers) == 1 and not MULTIPLIER.search(statement) else None
