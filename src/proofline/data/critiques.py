"""Published GSM8K candidates and their critiques (Zhang et al. 2024, "Generative Verifiers") as our records.

One row holds a solution sampled from a real language model and a critique written by a model that saw the reference.
The solution becomes a `Solution` of the policy `published`; what nobody knows of its sampler is NaN, 0 or empty. The
critique becomes a `VerificationTrace` if its last verdict line can be read and agrees with `is_correct`; the chain is
cut there and ends in our exact verdict line. Most critiques compare with the "Expected Answer" that their writer saw
and a verifier will not see; they are kept as published. Both need their problem in our training split: one that was
moved to dev or dropped by decontamination takes its rows with it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple, TypeVar

from proofline.data.prompts import verdict
from proofline.data.published import Row, SourceError, text_field
from proofline.records import Decoding, Problem, Solution, VerificationTrace, stable_id

FILE = "genrm_gsm8k_critiques"
UNKNOWN = float("nan")
T = TypeVar("T", int, bool)

_VERDICT = re.compile(
    r"(?:\*\*|<b>|#+ ?)*(?:Verification\W*)?Is the answer correct\W*(?:Yes/No)?(?:</?b>|[^\w<])*(Yes|No)\b(?!/)",
    re.IGNORECASE,
)


class Published(NamedTuple):
    """Candidates, verification traces, and counts of rows read, kept and dropped."""

    solutions: list[Solution]
    traces: list[VerificationTrace]
    counts: dict[str, int]


def read_published(rows: Iterable[Row], train: Iterable[Problem]) -> Published:
    """Rows of the published file whose problem is in `train`. Raises SourceError for a row that is not one of it."""
    by_id = {problem.id: problem for problem in train}
    published = Published([], [], {})
    counts: Counter[str] = Counter()
    for row in rows:
        counts["rows"] += 1
        problem = by_id.get(Problem.make_id("gsm8k", text_field(row, "question").strip()))
        if problem is None:
            counts["dropped_problem_not_in_train"] += 1
            continue
        solution = _solution(row, problem)
        published.solutions.append(solution)
        reason, trace = _trace(row, problem, solution)
        counts[reason] += 1
        if trace is not None:
            published.traces.append(trace)
    names = ("rows", "dropped_problem_not_in_train", "traces", "critique_unreadable", "critique_disagrees")
    return published._replace(counts={"solutions": len(published.solutions)} | {name: counts[name] for name in names})


def read_verdict(critique: str) -> tuple[str, bool] | None:
    """The critique up to its last verdict line, and the verdict; None where there is no such line."""
    matches = list(_VERDICT.finditer(critique))
    if not matches:
        return None
    return critique[: matches[-1].start()].rstrip(), matches[-1][1].lower() == "yes"


def _solution(row: Row, problem: Problem) -> Solution:
    index = _plain(row, "solution_id", int)
    return Solution(
        id=stable_id("published", problem.id, index),
        problem_id=problem.id,
        policy="published",
        weights="",
        decoding=Decoding(temperature=UNKNOWN, top_p=UNKNOWN, max_new_tokens=0),
        sample_index=index,
        seed=0,
        text=text_field(row, "solution").strip(),
        num_tokens=0,
        logprob=UNKNOWN,
        finished=True,
    )


def _trace(row: Row, problem: Problem, solution: Solution) -> tuple[str, VerificationTrace | None]:
    label = _plain(row, "is_correct", bool)
    read = read_verdict(text_field(row, "critique"))
    if read is None or not read[0]:
        return "critique_unreadable", None
    rationale, says_correct = read
    if says_correct != label:
        return "critique_disagrees", None
    return "traces", VerificationTrace(
        id=stable_id("critique", solution.id),
        problem_id=problem.id,
        solution_id=solution.id,
        question=problem.question,
        candidate=solution.text,
        chain=f"{rationale}\n{verdict(label)}".lstrip(),
        label=label,
        origin="critique",
    )


def _plain(row: Row, name: str, kind: type[T]) -> T:
    place, fields = row
    value = fields.get(name)
    if type(value) is not kind:
        raise SourceError(f"{place}: {name}: found {value!r}; expected {kind.__name__}, as in the published file")
    return value
