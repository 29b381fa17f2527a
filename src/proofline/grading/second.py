"""The second grader: another method than math-verify's, so that what one gets wrong the other does not.

It compares normalised spellings, exact fractions, and expressions by their values at points (`answers.exact`), parses
LaTeX by itself and uses no SymPy. With the first grader it shares how the answer is read from the text, how numbers
are spelled, and what is in doubt (`answers.doubt`, `answers.clock`). It takes 0.02 to 1 ms and cannot hang.
"""

from __future__ import annotations

from proofline.answers.exact import Outcome, compare_exactly
from proofline.answers.spelling import alternatives

SECOND_GRADER = "exact 1"


def second_opinion(answer: str, reference: str) -> Outcome:
    """Verdict and reason for an answer, both as `answers.clean` leaves them."""
    return any_of([compare_exactly(answer, one) for one in alternatives(reference)])


def any_of(outcomes: list[Outcome]) -> Outcome:
    """Correct where one is, wrong where all are, else unparsed."""
    order = {"correct": 0, "unparsed": 1, "wrong": 2}
    return min(outcomes, key=lambda outcome: order[outcome[0]])
