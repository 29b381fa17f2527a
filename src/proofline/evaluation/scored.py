"""The verifier's candidates as arrays: what was answered, how it was scored, what it looks like, what it cost.

In: grades by problem, verifications and appearances of the same candidates. Out: `Scored`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from proofline.answers import equivalent
from proofline.evaluation.selection import RIGHT, Floats, Ints
from proofline.evaluation.tally import EvaluationError, Tally
from proofline.records import Verification


def shows_steps(equations: int) -> bool:
    """Of a solution with so many equations; a derivation in one, and an answer alone, do not."""
    return equations > 1


@dataclass(frozen=True)
class Appearance:
    """What can be told of a candidate without a verifier."""

    layout: str
    """Candidates of one problem and one layout look alike."""
    equations: int
    characters: int
    program: bool | None
    """Does the program's check accept it? None where it has nothing to check."""
    answer: str | None
    """As it was read; None where none was."""
    num_tokens: int
    """Generated tokens, as in Solution; 0 where nobody knows."""
    logprob: float
    """As in Solution; NaN where nobody knows."""

    @property
    def worked(self) -> bool:
        """Does it show its steps?"""
        return shows_steps(self.equations)

    @property
    def check(self) -> float:
        """The program's check as a score; where it abstains the candidate ranks between."""
        return 0.5 if self.program is None else float(self.program)


@dataclass(frozen=True)
class Scored:
    """Candidates and their scores, (problems, samples); what is said of chains has them as a third axis."""

    answers: Ints
    p_yes: Floats
    chains: Floats
    """P(Yes) of each chain, NaN where it reached no verdict."""
    chain_tokens: Ints
    tokens: Ints
    """Of the candidates themselves."""
    logprobs: Floats
    """Of the whole candidate by its sampler."""
    agreement: Floats
    """How many of the problem's samples have its answer."""
    layouts: Ints
    """Equal number, equal layout."""
    equations: Floats
    characters: Floats
    check: Floats
    worked: Floats

    def __getitem__(self, rows: Ints) -> Scored:
        return Scored(*(getattr(self, field.name)[rows] for field in fields(self)))

    @property
    def right(self) -> Floats:
        """1 where right."""
        return (self.answers == RIGHT).astype(float)


def gather(table: Tally, verifications: Sequence[Verification], appearances: Mapping[str, Appearance]) -> Scored:
    """Raises EvaluationError where they are not of the same candidates, or these differ in their number of chains."""
    verified = {row.solution_id: row for row in verifications}
    if table.answers.size != len(verifications):
        raise EvaluationError(
            f"{len(verifications)} verifications for {table.answers.size} graded candidates: "
            "verify and grade the same candidates of the same problems, once each"
        )
    if unseen := verified.keys() - appearances.keys():
        raise EvaluationError(f"{len(unseen)} candidates without an appearance, e.g. {min(unseen)}")
    sizes = {len(values) for row in verifications for values in (row.p_yes_per_chain, row.tokens_per_chain)}
    if len(sizes) > 1:
        raise EvaluationError(f"candidates with {sorted(sizes)} chains: verify all of them with equally many")
    order = [one for row in table.solution_ids for one in row]
    rows, looks, shape = [verified[one] for one in order], [appearances[one] for one in order], table.answers.shape
    by_chain = (*shape, max(sizes, default=0))
    return Scored(
        answers=table.answers,
        p_yes=np.array([row.p_yes for row in rows], float).reshape(shape),
        chains=np.array([row.p_yes_per_chain for row in rows], float).reshape(by_chain),
        chain_tokens=np.array([row.tokens_per_chain for row in rows], int).reshape(by_chain),
        tokens=np.array([look.num_tokens for look in looks], int).reshape(shape),
        logprobs=np.array([look.logprob for look in looks], float).reshape(shape),
        agreement=np.array(
            [agreement([appearances[one].answer for one in row]) for row in table.solution_ids], float
        ).reshape(shape),
        layouts=np.unique([look.layout for look in looks], return_inverse=True)[1].reshape(shape),
        equations=np.array([look.equations for look in looks], float).reshape(shape),
        characters=np.array([look.characters for look in looks], float).reshape(shape),
        check=np.array([look.check for look in looks], float).reshape(shape),
        worked=np.array([look.worked for look in looks], float).reshape(shape),
    )


def agreement(answers: Sequence[str | None]) -> list[int]:
    """For each of a problem's samples how many have its answer, itself among them; 0 where none was read.

    Equal by the equivalence of votes and of the second grader. What is right is not asked.
    """
    counts = Counter(answer for answer in answers if answer is not None)
    alike = {one: sum(count for other, count in counts.items() if equivalent(one, other)) for one in counts}
    return [0 if answer is None else alike[answer] for answer in answers]
