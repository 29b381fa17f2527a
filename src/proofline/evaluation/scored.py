"""The verifier's candidates as arrays: what was answered, how it was scored, what it looks like, what it cost.

In: grades by problem, verifications and appearances of the same candidates. Out: `Scored`.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain

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


def gather(
    table: Tally, verifications: Iterable[Verification], appearances: Iterable[tuple[str, Appearance]]
) -> Scored:
    """`appearances` with solution ids. Of what passes numbers are held, no rows.

    Raises EvaluationError where they are not of the same candidates, or these differ in their number of chains.
    """
    places = {one: at for at, one in enumerate(chain.from_iterable(table.solution_ids))}
    return Scored(
        answers=table.answers,
        **_verified(verifications, places, table.answers.shape),
        **_looks(appearances, places, table.answers.shape),
    )


def _verified(
    verifications: Iterable[Verification], places: Mapping[str, int], shape: tuple[int, ...]
) -> dict[str, np.ndarray]:
    at, p_yes, chains, chain_tokens = array("q"), array("d"), array("d"), array("q")
    sizes: set[int] = set()
    for row in verifications:
        at.append(places.get(row.solution_id, -1))
        p_yes.append(row.p_yes)
        chains.extend(row.p_yes_per_chain)
        chain_tokens.extend(row.tokens_per_chain)
        sizes |= {len(row.p_yes_per_chain), len(row.tokens_per_chain)}
    if not np.array_equal(np.sort(np.array(at, int)), np.arange(len(places))):
        raise EvaluationError(
            f"{len(at)} verifications for {len(places)} graded candidates: "
            "verify and grade the same candidates of the same problems, once each"
        )
    if len(sizes) > 1:
        raise EvaluationError(f"candidates with {sorted(sizes)} chains: verify all of them with equally many")
    order, by_chain = np.argsort(np.array(at, int)), (len(at), max(sizes, default=0))
    return {
        "p_yes": np.array(p_yes, float)[order].reshape(shape),
        "chains": np.array(chains, float).reshape(by_chain)[order].reshape(*shape, by_chain[1]),
        "chain_tokens": np.array(chain_tokens, int).reshape(by_chain)[order].reshape(*shape, by_chain[1]),
    }


def _looks(
    appearances: Iterable[tuple[str, Appearance]], places: Mapping[str, int], shape: tuple[int, ...]
) -> dict[str, np.ndarray]:
    names = ("tokens", "logprobs", "agreement", "layouts", "equations", "characters", "check", "worked")
    looks = {name: np.zeros(shape, int if name in ("tokens", "layouts") else float) for name in names}
    seen, layouts = np.zeros(shape, bool), dict[str, int]()
    answers: dict[int, dict[int, str | None]] = defaultdict(dict)
    for solution_id, look in appearances:
        if solution_id not in places:
            continue
        row, column = divmod(places[solution_id], shape[1])
        seen[row, column] = True
        layout = layouts.setdefault(look.layout, len(layouts))
        told = (look.num_tokens, look.logprob, 0, layout, look.equations, look.characters, look.check, look.worked)
        for name, value in zip(names, told, strict=True):
            looks[name][row, column] = value
        answers[row][column] = look.answer
        if len(answers[row]) == shape[1]:
            of_problem = answers.pop(row)
            looks["agreement"][row] = agreement([of_problem[one] for one in range(shape[1])])
    if unseen := [one for one, at in places.items() if not seen.flat[at]]:
        raise EvaluationError(f"{len(unseen)} candidates without an appearance, e.g. {min(unseen)}")
    return looks


def agreement(answers: Sequence[str | None]) -> list[int]:
    """For each of a problem's samples how many have its answer, itself among them; 0 where none was read.

    Equal by the equivalence of votes and of the second grader. What is right is not asked.
    """
    counts = Counter(answer for answer in answers if answer is not None)
    alike = {one: sum(count for other, count in counts.items() if equivalent(one, other)) for one in counts}
    return [0 if answer is None else alike[answer] for answer in answers]
