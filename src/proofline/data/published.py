"""Rows of GSM8K (Cobbe et al. 2021) and MATH (Hendrycks et al. 2021) as problems.

A row is (place, fields): the place, such as `gsm8k_train.jsonl.gz:7`, is what an error names. GSM8K's solutions lose
their calculator annotations (`48/2=<<48/2=24>>24`), which only a calculator could use, and end in `#### 24` without
thousands commas; MATH's stay as they are. The answer is read by the same function that reads a model's; a row whose
solution states none gets the empty answer, which curation drops and counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from proofline.answers.reading import read_answer, read_reference
from proofline.data.wording import skeleton
from proofline.records import Problem, Split

Fields = Mapping[str, object]
Row = tuple[str, Fields]

_ANNOTATION = re.compile(r"<<[^<>]*>>")


class SourceError(ValueError):
    """A data set that cannot be loaded, or a row that is not what it should be."""


@dataclass(frozen=True)
class Benchmark:
    """A published data set: where it lives on the hub and how its rows become problems."""

    repository: str
    """Hub id. Its `train` and `test` splits are read."""
    configs: tuple[str, ...]
    """Hub configurations, read one after the other."""
    to_problem: Callable[[Row, Split], Problem]


def text_field(row: Row, name: str) -> str:
    """A field that has to be text. Raises SourceError."""
    place, fields = row
    value = fields.get(name)
    if not isinstance(value, str) or not value.strip():
        found = "no such field" if name not in fields else repr(value)
        raise SourceError(
            f"{place}: {name}: found {found}; text is expected. "
            f"The row has {', '.join(sorted(fields)) or 'no fields'}: is this the data set its name says?"
        )
    return value


def gsm8k_problem(row: Row, split: Split) -> Problem:
    """`question`, `answer` -> a problem of the family `word`."""
    steps, _, _ = text_field(row, "answer").rpartition("####")
    answer = read_answer(text_field(row, "answer")).answer or ""
    solution = f"{_ANNOTATION.sub('', steps).strip()}\n#### {answer}"
    return _problem("gsm8k", "word", split, text_field(row, "question"), solution, answer)


def math_problem(row: Row, split: Split) -> Problem:
    r"""`problem`, `solution` (its last boxes are the answer), `level`, `type` -> a problem of the family `math`."""
    solution = text_field(row, "solution").strip()
    level = re.fullmatch(r"Level (\d)", text_field(row, "level"))  # two training rows say `Level ?`
    answer = read_reference(solution)
    number, subject = int(level[1]) if level else 0, text_field(row, "type")
    return _problem("math", "math", split, text_field(row, "problem"), solution, answer, number, subject)


def _problem(
    source: str, family: str, split: Split, question: str, solution: str, answer: str, level: int = 0, subject: str = ""
) -> Problem:
    question = question.strip()
    return Problem(
        id=Problem.make_id(source, question),
        source=source,
        family=family,
        split=split,
        question=question,
        solution=solution,
        answer=answer,
        level=level,
        subject=subject,
        skeleton=skeleton(question),
    )


MATH_SUBJECTS = (
    "algebra",
    "counting_and_probability",
    "geometry",
    "intermediate_algebra",
    "number_theory",
    "prealgebra",
    "precalculus",
)

BENCHMARKS = {
    "gsm8k": Benchmark("openai/gsm8k", ("main",), gsm8k_problem),
    "math": Benchmark("EleutherAI/hendrycks_math", MATH_SUBJECTS, math_problem),
}
