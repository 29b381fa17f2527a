"""Published GSM8K candidates and their critiques (Zhang et al. 2024, "Generative Verifiers") as our records.

One row holds a solution sampled from a real language model and a critique written by a model that saw the reference.
The solution becomes a `Solution` of the policy `published`; what nobody knows of its sampler is NaN, 0 or empty. The
critique becomes a `Critique` if its last verdict line can be read, agrees with `is_correct`, and it tells nothing of
the reference, which a verifier will not see: most compare with the "Expected Answer", and are dropped and counted by
class (leaks.py). It is cut at the verdict and ends in our exact verdict line. Both need their problem in our training
split: one that was moved to dev or dropped by decontamination takes its rows with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple, TypeVar

from proofline.data.leaks import WORDS, leak
from proofline.data.prompts import verdict
from proofline.data.published import Row, SourceError, text_field
from proofline.data.verdicts import read_verdict
from proofline.records import Critique, Decoding, Problem, Solution, stable_id

FILE = "genrm_gsm8k_critiques"
UNKNOWN = float("nan")
T = TypeVar("T", int, bool)
DROPS = ("unreadable", "disagrees", *(f"leak_{name}" for name in (*WORDS, "reference_number")))


class Published(NamedTuple):
    """Candidates, critiques, and counts of rows read, kept and dropped."""

    solutions: list[Solution]
    critiques: list[Critique]
    counts: dict[str, int]


def read_published(rows: Iterable[Row], train: Iterable[Problem]) -> Published:
    """Rows of the published file whose problem is in `train`, in the order of the problems.

    Raises SourceError for a row that is not one of it.
    """
    by_id = {problem.id: problem for problem in train}
    places = {problem_id: place for place, problem_id in enumerate(by_id)}
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
        fate, critique = _critique(row, problem, solution)
        counts[fate] += 1
        if critique is not None:
            published.critiques.append(critique)
    for kept in (published.solutions, published.critiques):
        kept.sort(key=lambda one: places[one.problem_id])
    names = ("rows", "dropped_problem_not_in_train", "critiques", *(f"critique_{drop}" for drop in DROPS))
    return published._replace(counts={"solutions": len(published.solutions)} | {name: counts[name] for name in names})


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


def _critique(row: Row, problem: Problem, solution: Solution) -> tuple[str, Critique | None]:
    label = _plain(row, "is_correct", bool)
    read = read_verdict(text_field(row, "critique"))
    if read is None or not read[0]:
        return "critique_unreadable", None
    rationale, says_correct = read
    if says_correct != label:
        return "critique_disagrees", None
    told = leak(rationale, problem.question, solution.text, f"{problem.solution}\n{problem.answer}")
    if told is not None:
        return f"critique_leak_{told}", None
    return "critiques", Critique(
        id=stable_id("critique", solution.id),
        problem_id=problem.id,
        solution_id=solution.id,
        chain=f"{rationale}\n{verdict(label)}".lstrip(),
    )


def _plain(row: Row, name: str, kind: type[T]) -> T:
    place, fields = row
    value = fields.get(name)
    if type(value) is not kind:
        raise SourceError(f"{place}: {name}: found {value!r}; expected {kind.__name__}, as in the published file")
    return value
