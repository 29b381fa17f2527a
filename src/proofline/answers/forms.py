r"""The form of a final answer, `#### x` or `\boxed{x}`: which is asked for, who keeps to it, and how to keep to it.

One rule for demonstrations, prompts and readers: the form that the prompt names; where it names none, that of the
problem's reference solution.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from proofline.answers.reading import read_answer
from proofline.answers.spelling import clean
from proofline.answers.statement import find_statement

FORMS = ("####", r"\boxed")
"""As `statement` calls them."""

_LAST_LINE = re.compile(r"\s*^####(?!#)[^\n]*\s*\Z", re.MULTILINE)


def named_forms(texts: Iterable[str]) -> frozenset[str]:
    """The forms that stand in the texts."""
    texts = list(texts)
    return frozenset(form for form in FORMS if any(form in text for text in texts))


def asked_forms(texts: Iterable[str], reference: str) -> frozenset[str]:
    """The forms that a prompt names or its examples show; where they do neither, the reference solution's."""
    return named_forms(texts) or named_forms([reference]) or frozenset(FORMS)


def strict_answer(text: str, finished: bool, forms: frozenset[str]) -> str | None:
    """The answer, where the last statement has one of the forms and holds it alone."""
    statement, answer = find_statement(text), read_answer(text, finished).answer
    if statement is None or answer is None or statement.marker not in forms:
        return None
    return answer if statement.boxes or clean(statement.text) == answer else None


def restated(text: str, forms: frozenset[str]) -> str:
    """The solution, its answer in one of the forms: unchanged where it is, else stated again at the end.

    A last line `#### x` makes room for the other form; any other statement stays, and is followed by one in the form.
    An answer that reads otherwise in the form (`x=5` behind `####`) stays in its own.
    """
    answer = read_answer(text).answer
    if answer is None or strict_answer(text, finished=True, forms=forms) is not None:
        return text
    (form, *_) = (form for form in FORMS if form in forms)
    again = f"{_LAST_LINE.sub('', text)}\n{stated(answer, form)}".lstrip()
    return again if strict_answer(again, finished=True, forms=forms) == answer else text


def stated(answer: str, form: str) -> str:
    """The line that states it."""
    return f"#### {answer}" if form == "####" else f"\\boxed{{{answer}}}"
