"""Candidates for verification beside those that policies sampled: demonstrations, and copies spoilt on purpose.

A corrupted copy has a slip or a wrong operand in one equation, and what follows from it. Whether it is wrong is for the
grader to say, as of every other candidate. Demonstrations come as candidates only with their copies: each other's
counterparts. Right solutions are demonstrations again: what a verifier is trained on so that it can still solve.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random
from typing import NamedTuple

from proofline.data.equations import corrupt
from proofline.data.verdicts import known_label
from proofline.records import Decoding, Demonstration, Grade, Problem, Solution, stable_id

WRITTEN = ("demonstration", "corrupted")
"""The names of the two, as of a policy."""
UNKNOWN = float("nan")


class Candidate(NamedTuple):
    """A solution to be verified, and its grade."""

    solution: Solution
    grade: Grade


def kind_of(policy: str) -> str:
    """What a candidate by that name is: `sampled` by a policy of ours, `published`, or `written` on purpose."""
    return "written" if policy in WRITTEN else "published" if policy == "published" else "sampled"


def written_candidates(
    problems: Mapping[str, Problem], demonstrations: Iterable[Demonstration], copies: int, seed: int
) -> list[Solution]:
    """Demonstrations and at most `copies` corrupted copies of each, ungraded; nothing where there are no copies."""
    rows = []
    for row in demonstrations if copies else ():
        rng = Random(f"corrupted {seed} {row.id}")
        question = problems[row.problem_id].question
        spoilt = {corrupt(row.solution, question, rng) for _ in range(copies)} - {None}
        if spoilt:
            rows.append(_solution(row, row.solution, "demonstration", 0))
            rows += [_solution(row, str(text), "corrupted", at) for at, text in enumerate(sorted(map(str, spoilt)))]
    return rows


def right_solutions(problems: Mapping[str, Problem], graded: Iterable[Candidate]) -> list[Demonstration]:
    """The distinct right solutions: a verifier trained on its policy's own, beside traces, stays that policy."""
    rows: dict[str, Demonstration] = {}
    for solution, grade in graded:
        if known_label(grade):
            row_id = stable_id("right solution", solution.problem_id, solution.text)
            rows.setdefault(
                row_id,
                Demonstration(
                    id=row_id,
                    problem_id=solution.problem_id,
                    question=problems[solution.problem_id].question,
                    solution=solution.text,
                    style=solution.policy,
                ),
            )
    return list(rows.values())


def length_drift(before: Iterable[Candidate], after: Iterable[Candidate]) -> float:
    """Mean tokens of a policy's samples over those of the policy it came from; NaN where one has none."""
    means = []
    for rows in (before, after):
        lengths = [row.solution.num_tokens for row in rows]
        means.append(sum(lengths) / len(lengths) if lengths else UNKNOWN)
    return means[1] / means[0] if means[0] else UNKNOWN


def _solution(row: Demonstration, text: str, policy: str, index: int) -> Solution:
    return Solution(
        id=f"{policy}-{stable_id(row.id, text)}",
        problem_id=row.problem_id,
        policy=policy,
        weights="",
        decoding=Decoding(temperature=UNKNOWN, top_p=UNKNOWN, max_new_tokens=0),
        sample_index=index,
        seed=0,
        text=text,
        num_tokens=0,
        logprob=UNKNOWN,
        finished=True,
    )
