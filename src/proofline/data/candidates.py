"""Candidates for verification beside those that policies sampled: demonstrations, and copies spoilt on purpose.

A corrupted copy has a slip or a wrong operand in one equation, and what follows from it. Whether it is wrong is for the
grader to say, as of every other candidate. Demonstrations come as candidates only with their copies: each other's
counterparts. Right solutions are demonstrations again: what a verifier is trained on so that it can still solve.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from random import Random

from proofline.data.equations import corrupt
from proofline.data.graded import Sampled
from proofline.data.verdicts import known_label
from proofline.records import Decoding, Demonstration, Problem, Solution, stable_id

WRITTEN = ("demonstration", "corrupted")
"""The names of the two, as of a policy."""
UNKNOWN = float("nan")


def kind_of(policy: str) -> str:
    """What a candidate by that name is: `sampled` by a policy of ours, `published`, or `written` on purpose."""
    return "written" if policy in WRITTEN else "published" if policy == "published" else "sampled"


def written_candidates(
    problems: Mapping[str, Problem], demonstrations: Iterable[Demonstration], copies: int, seed: int
) -> Iterator[Solution]:
    """Demonstrations and at most `copies` corrupted copies of each, ungraded; nothing where there are no copies."""
    for row in demonstrations if copies else ():
        rng = Random(f"corrupted {seed} {row.id}")
        question = problems[row.problem_id].question
        spoilt = {corrupt(row.solution, question, rng) for _ in range(copies)} - {None}
        if spoilt:
            yield _solution(row, row.solution, "demonstration", 0)
        for at, text in enumerate(sorted(map(str, spoilt))):
            yield _solution(row, text, "corrupted", at)


def right_solutions(sampled: Iterable[Sampled]) -> Iterator[Demonstration]:
    """The distinct right solutions: a verifier trained on its policy's own, beside traces, stays that policy."""
    for problem, streams in sampled:
        seen: set[str] = set()
        for solution, grade in (row for rows in streams for row in rows):
            if known_label(grade) and solution.text not in seen:
                seen.add(solution.text)
                yield Demonstration(
                    id=stable_id("right solution", problem.id, solution.text),
                    problem_id=problem.id,
                    question=problem.question,
                    solution=solution.text,
                    style=solution.policy,
                )


def length_drift(before: Iterable[Solution], after: Iterable[Solution]) -> float:
    """Mean tokens of a policy's samples over those of the policy it came from; NaN where one has none."""
    first, second = (_mean_tokens(rows) for rows in (before, after))
    return second / first if first else UNKNOWN


def _mean_tokens(rows: Iterable[Solution]) -> float:
    count = total = 0
    for row in rows:
        count, total = count + 1, total + row.num_tokens
    return total / count if count else UNKNOWN


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
