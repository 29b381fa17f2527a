r"""Three readers of one text, so that a gain in form can be told from a gain in ability: functions of what is stored.

    strict        the final answer in the form that was asked for, `#### x` or `\boxed{x}`, and nothing else there;
                  right where it is spelled like the reference, after `answers.clean`
    flexible      the last number of the text, wherever it stands: flexible-extract of lm-evaluation-harness's task
                  gsm8k, with its regular expressions; right where it is spelled like the reference
    equivalence   the answer in any form that `answers` reads, right where the first grader says so: a value, not a text

What strict calls right, equivalence does too. Nothing else follows: the last number may stand behind the answer
(`\boxed{5}, in 3 steps`: strict, not flexible) or be right by chance where none is stated (flexible alone), and a
reference that is no number, `\frac{3}{4}`, is never met by flexible.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from proofline.answers import clean, find_statement, read_answer
from proofline.answers.spelling import alternatives
from proofline.records import Demonstration, Grade, Problem, Readings, Solution

READERS = ("strict", "flexible", "equivalence")
FORMS = ("####", r"\boxed")
"""As `answers.statement` calls them."""

_LAST_NUMBER = re.compile(r"(-?[$0-9.,]{2,})|(-?[0-9]+)")
_IGNORED = [re.compile(one) for one in (",", r"\$", r"(?s).*#### ", r"\.$")]


def asked_forms(prompt: str, shown: Iterable[Demonstration], reference: str) -> frozenset[str]:
    """The forms that a prompt names or its examples show; where it does neither, the reference solution's."""
    asked = [prompt, *(example.solution for example in shown)]
    named = frozenset(form for form in FORMS if any(form in text for text in asked))
    return named or frozenset(form for form in FORMS if form in reference) or frozenset(FORMS)


def strict_answer(text: str, finished: bool, forms: frozenset[str]) -> str | None:
    """The answer, where the last statement has one of the forms and holds it alone."""
    statement, answer = find_statement(text), read_answer(text, finished).answer
    if statement is None or answer is None or statement.marker not in forms:
        return None
    return answer if statement.boxes or clean(statement.text) == answer else None


def last_number(text: str) -> str | None:
    """What the harness's filter extracts."""
    matches = [one or other for one, other in _LAST_NUMBER.findall(text)]
    return matches[-1].strip() if matches else None


def is_number(reference: str) -> bool:
    """Can the flexible reader ever meet it?"""
    reference = clean(reference)
    number = last_number(reference)
    return number is not None and _same_text(number, reference)


def read(solution: Solution, grade: Grade, problem: Problem, forms: frozenset[str]) -> Readings:
    """What the three say. `grade`: the solution's."""
    reference = clean(problem.answer)
    strict, number = strict_answer(solution.text, solution.finished, forms), last_number(solution.text)
    return Readings(
        solution_id=solution.id,
        problem_id=problem.id,
        shots=len(solution.examples),
        finished=solution.finished,
        strict_answer=strict,
        strict=strict in alternatives(reference),
        flexible_answer=number,
        flexible=number is not None and _same_text(number, reference),
        equivalence=grade.verdict == "correct",
    )


def read_all(
    solutions: Iterable[Solution],
    grades: Iterable[Grade],
    problems: Mapping[str, Problem],
    prompt: str,
    shown: Mapping[str, Demonstration],
) -> Iterator[Readings]:
    """One row per solution, in order. `prompt`: the recipe's template; `shown`: demonstrations by id."""
    for solution, grade in zip(solutions, grades, strict=True):
        problem = problems[solution.problem_id]
        forms = asked_forms(prompt, (shown[one] for one in solution.examples), problem.solution)
        yield read(solution, grade, problem, forms)


def _same_text(number: str, reference: str) -> bool:
    """The harness's exact match: what it ignores is taken out of both."""
    for ignored in _IGNORED:
        number, reference = ignored.sub("", number), ignored.sub("", reference)
    return number.lower() == reference.lower()
