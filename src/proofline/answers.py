r"""Find and read the final answer that a solution states. Text in, the answer's own text out.

One reading for everything: the grader's candidates and the references of published problems.

Only an explicit statement counts, in this order:

1. `#### x` (GSM8K) or `\boxed{x}` (MATH), whichever stands last in the text;
2. where there is neither, the last sentence `The answer is x`.

The last number of a text is never taken for its answer: a solution that states none is unparsed, not wrong.

What a statement says is one value: the content of a `\boxed{}` as it stands; of a written statement the
mathematics if it is nothing else (`80/3`, `$\frac12$`), the right side of its last `=` (`14 + 1 = 15`), or its
one number with words around it (`$18.00 per week`). `2 hours and 30 minutes` holds two numbers and is not read.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_ANSWER_CHARS = 300
"""Longest answer that is compared; the longest MATH reference has 159 characters."""

_HASHES = re.compile(r"####[ \t]*([^\n]*)")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_BOXED = re.compile(r"\\(?:boxed|fbox)\s*(?=\{)")
_SENTENCE = re.compile(
    r"\bthe (?:(?:final|correct) )?answer is\b:?\s*(.*?)(?=\.?\s*\n|[.!?]\s|$)", re.IGNORECASE | re.DOTALL
)

_ORNAMENT = re.compile(r"^(?:\*\*|</?b>|[\"“”])+|(?:\*\*|</?b>|[\"“”])+(?=[.,;]*$)")
_MATH = re.compile(r"\$\$?(?P<dollar>[^$]+)\$\$?|\\\((?P<round>.+)\\\)|\\\[(?P<square>.+)\\\]", re.DOTALL)
_NUMBER = re.compile(r"-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:/\d+)?|-?\.\d+")
_COMMAND = re.compile(r"\\(?:text|textbf|textit|mathrm|mbox|operatorname|begin|end)\s*\{[^}]*\}|\\[a-zA-Z]+")
_WORD = re.compile(r"[^\W\d_]{2,}")
_MULTIPLIER = re.compile(r"\b(?:dozen|hundred|thousand|million|billion|half|third|quarter)s?\b", re.IGNORECASE)
_CURRENCY = re.compile(r"\\?[$€£](?=\s*[-.\d])")


class Statement(NamedTuple):
    """The final answer as the solution words it."""

    marker: str
    """`####`, `\\boxed` or `The answer is`."""
    text: str


class Reading(NamedTuple):
    """The answer read from a solution, or why none was read."""

    answer: str | None
    reason: str


def read_answer(text: str) -> Reading:
    """The final answer of a solution as text for the grader, or None with the reason."""
    statement = find_statement(text)
    if statement is None:
        return Reading(None, r"no final answer: neither '#### x' nor '\boxed{x}' nor 'The answer is x'")
    answer = clean(statement.text) if statement.marker == r"\boxed" else _value_of(statement.text)
    if answer is None:
        return Reading(None, f"{quote(statement.text)} after '{statement.marker}' does not state one value")
    if not answer:
        return Reading(None, f"nothing stands after '{statement.marker}'")
    if len(answer) > MAX_ANSWER_CHARS:
        return Reading(None, f"{len(answer)} characters after '{statement.marker}' are too many for an answer")
    return Reading(answer, f"{quote(answer)} from '{statement.marker}'")


def find_statement(text: str) -> Statement | None:
    """The statement that counts as the final answer, by the order in the module's docstring."""
    hashes = list(_HASHES.finditer(text))
    boxed = last_boxed(text)
    if boxed is not None and (not hashes or boxed[0] > hashes[-1].start()):
        return Statement(r"\boxed", boxed[1])
    if hashes:
        return Statement("####", hashes[-1][1].strip())
    sentences = list(_SENTENCE.finditer(text))
    return Statement("The answer is", sentences[-1][1].strip()) if sentences else None


def last_boxed(text: str) -> tuple[int, str] | None:
    r"""Position and content of the last `\boxed{...}` whose braces balance; None where there is none."""
    for match in reversed(list(_BOXED.finditer(text))):
        end = _closing_brace(text, match.end())
        if end is not None:
            return match.start(), text[match.end() + 1 : end]
    return None


def _closing_brace(text: str, start: int) -> int | None:
    """Position of the brace that closes the one at `start`; escaped braces (`\\{`) do not count."""
    depth = 0
    for token in _BRACE.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if depth == 0:
            return token.start()
    return None


def clean(answer: str) -> str:
    r"""One spelling for what means the same: `\$1,\!600.`, `1,600` and `1600` become `1600`; `44\%` is `44`.

    These are the spellings that math-verify's parser trips over on the MATH references; all else is its own task.
    """
    answer = answer.replace("−", "-").replace(r",\!", "").replace(r"\!", "")
    answer = _ORNAMENT.sub("", " ".join(answer.split()))
    wrapped = _MATH.fullmatch(answer.rstrip("."))
    if wrapped:
        answer = next(group for group in wrapped.groups() if group is not None)
    answer = _CURRENCY.sub("", answer).rstrip(".,; ")
    answer = re.sub(r"\s*\\?%$", "", answer.removeprefix(r"\approx")).strip()
    return answer.replace(",", "") if re.fullmatch(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?", answer) else answer


def _value_of(statement: str) -> str | None:
    """The one value that a written statement holds; None where it holds none or several, '' where it is empty."""
    spans = list(_MATH.finditer(statement))
    if len(spans) == 1 and not re.search(r"\d", statement[: spans[0].start()] + statement[spans[0].end() :]):
        statement = spans[0][0]
    statement = clean(statement)
    if "\\" in statement:
        return None if _WORD.search(_COMMAND.sub("", statement)) else statement
    statement = clean(statement.rsplit("=", 1)[-1])
    if not _WORD.search(statement):
        return statement
    numbers = _NUMBER.findall(statement)
    return clean(numbers[0]) if len(numbers) == 1 and not _MULTIPLIER.search(statement) else None


def quote(text: str) -> str:
    """A text within a reason: shortened, between quotes."""
    return f"'{text if len(text) <= 60 else text[:57] + '...'}'"
