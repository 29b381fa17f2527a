"""Why an answer counts for one evaluation and not for the other: the model wrote something else, or it was read so.

Pure functions. Of a problem, both sides' tokens, Proofline's grade of both texts and what the harness's readers took.
Where the generations differ and so does Proofline's grade of them, that is the cause; else the text that the harness
read is read otherwise by Proofline.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from proofline.answers import quote
from proofline.records import Grade, Problem

GENERATION = "the generations differ"
NOTHING = "the harness takes nothing"
UNREAD = "Proofline reads no answer"
OTHER = "different answers are taken"
JUDGED = "the same answer is judged differently"
KINDS = (GENERATION, NOTHING, UNREAD, OTHER, JUDGED)
INVALID = "[invalid]"
"""What the harness's readers put in the place of nothing."""


@dataclass(frozen=True)
class Answer:
    """What one side made of a problem."""

    prompt_ids: Sequence[int]
    token_ids: Sequence[int]
    """With the end token, where it ended by itself."""
    grade: Grade
    """By Proofline's graders."""

    @property
    def right(self) -> bool:
        return self.grade.verdict == "correct"


@dataclass(frozen=True)
class Both:
    """A problem that both sides answered."""

    problem: Problem
    ours: Answer
    theirs: Answer
    taken: Mapping[str, str]
    """By reader, of the harness's text."""
    right: Mapping[str, bool]

    def cause(self, reader: str) -> str | None:
        """Why Proofline's evaluation and the harness's differ here; None where they do not."""
        if self.ours.right == self.right[reader]:
            return None
        if self.ours.right != self.theirs.right:
            return GENERATION
        if self.taken[reader] == INVALID:
            return NOTHING
        if self.theirs.grade.extracted is None:
            return UNREAD
        return JUDGED if plain(self.taken[reader]) == plain(self.theirs.grade.extracted) else OTHER

    def told(self, reader: str) -> str:
        """What each took, in a line."""
        mine = self.theirs.grade
        return (
            f"{self.problem.id}, reference {quote(self.problem.answer)}: {reader} took {quote(self.taken[reader])}, "
            f"{'right' if self.right[reader] else 'wrong'}; Proofline: {mine.reason}"
        )


def plain(answer: str) -> str:
    """Without what the harness's metric leaves out, and the full stop behind a number."""
    return answer.replace(",", "").replace("$", "").strip().removesuffix(".")


def first_difference(ours: Sequence[int], theirs: Sequence[int]) -> int | None:
    """Place of the first token that differs, or where the shorter one is over; None: the same."""
    if list(ours) == list(theirs):
        return None
    pairs = zip(ours, theirs, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(ours), len(theirs)))


def until_end(token_ids: Sequence[int], ends: Collection[int], end: int) -> list[int]:
    """Up to the first end token, which is written as `end`; all of it where there is none."""
    at = next((at for at, token in enumerate(token_ids) if token in ends), None)
    return list(token_ids) if at is None else [*token_ids[:at], end]
