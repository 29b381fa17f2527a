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

from proofline.answers import clean
from proofline.answers.forms import asked_forms, strict_answer
from proofline.answers.spelling import alternatives
from proofline.records import Demonstration, Grade, Problem, Readings, Solution

READERS = ("strict", "flexible", "equivalence")

_LAST_NUMBER = re.compile(r"(-?[$0-9.,]{2,})|(-?[0-9]+)")
_IGNORED = [re.compile(one) for one in (",", r"\$", r"(?s).*#### ", r"\.$")]


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
        asked = [prompt, *(shown[one].solution for one in solution.examples)]
        yield read(solution, grade, problem, asked_forms(asked, problem.solution))


def _same_text(number: str, reference: str) -> bool:
    """The harness's exact match: what it ignores is taken out of both."""
    for ignored in _IGNORED:
        number, reference = ignored.sub("", number), ignored.sub("", reference)
    return number.lower() == reference.lower()
