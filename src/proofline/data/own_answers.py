"""The answer of a user's row: is it of the kind that the recipe says, and can the graders compare it?

A reference answer that nobody can compare would leave every sampled solution without a grade; that is said of the row,
before anything is sampled.
"""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from proofline.answers import MAX_ANSWER_CHARS, clean, equivalent, find_statement, quote, read_answer
from proofline.answers.clock import read_colons
from proofline.answers.forms import stated
from proofline.answers.reading import read_reference
from proofline.answers.spelling import EITHER
from proofline.answers.value import Term, Words, read_value

Kind = Literal["number", "expression"]
_FORMS: dict[Kind, str] = {"number": "####", "expression": r"\boxed"}
"""How answers of a kind are stated."""
_MAX_EXPONENT = 100


class AnswerError(ValueError):
    """An answer or a solution that cannot be graded against."""


def solved(answer: str | None, solution: str | None, kind: Kind) -> tuple[str, str]:
    """The reference answer and the solution that states it; at least one of the two is given. Raises AnswerError."""
    if answer is not None:
        answer = comparable(answer, kind)
    if solution is None:
        assert answer is not None
        return answer, stated(answer, _FORMS[kind])
    if find_statement(solution) is None:
        if answer is None:
            raise AnswerError(r"states no answer; end it in `#### 24` or \boxed{24}, or give the field answer too")
        return answer, f"{solution}\n{stated(answer, _FORMS[kind])}"
    read = read_reference(solution)
    if not read:
        raise AnswerError(f"{read_answer(solution).reason}; end it in `#### 24` or \\boxed{{24}}")
    accepted = [comparable(one, kind) for one in read.split(EITHER)]
    if answer is not None and not any(equivalent(answer, one) for one in accepted):
        raise AnswerError(f"states {quote(read)}, but the answer is {quote(answer)}; correct one of them")
    return answer or EITHER.join(accepted), solution


def comparable(written: str, kind: Kind) -> str:
    """The answer in the graders' spelling. Raises AnswerError."""
    answer = clean(written)
    if len(answer) > MAX_ANSWER_CHARS:
        raise AnswerError(f"found {len(answer)} characters; an answer has at most {MAX_ANSWER_CHARS}")
    if kind == "number":
        answer = _plain_number(answer)
    elif read_colons(answer) is None:
        _check_readable(answer)
    if not equivalent(read_answer(stated(answer, _FORMS[kind])).answer or "", answer):
        raise AnswerError(f"found {quote(written)}, which reads otherwise where a solution states it; write it plainly")
    return answer


def number_text(value: int | Decimal) -> str:
    """A JSON number as it is written out. Raises AnswerError."""
    if isinstance(value, Decimal) and abs(value.adjusted()) > _MAX_EXPONENT:
        raise AnswerError(f"found {value}; a number of so many digits is not compared")
    return str(value) if isinstance(value, int) else format(value, "f")


def _plain_number(answer: str) -> str:
    """Whole numbers in one spelling; raises AnswerError for what is no exact number."""
    exact = None
    with suppress(ValueError, ArithmeticError, RecursionError):
        found = read_value(answer)
        if isinstance(found, Term) and not found.names and not found.unit:
            exact = found.function({})
    if not isinstance(exact, Fraction):
        raise AnswerError(
            f"found {quote(answer)}; a number without a unit is expected (`24`, `0.5`, `3/4`), or answers: expression "
            "in the recipe"
        )
    return str(exact) if exact.denominator == 1 else answer


def _check_readable(answer: str) -> None:
    try:
        found = read_value(answer)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise AnswerError(
            f"found {quote(answer)} ({error}); a number, a formula or a list is expected, as the graders compare them"
        ) from None
    if isinstance(found, Words) and "\\text" not in answer:
        raise AnswerError(f"found {quote(answer)}; words are compared within \\text{{…}}")
