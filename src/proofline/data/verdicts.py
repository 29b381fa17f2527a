"""Verdicts as the training data need them: a grade as a label, and a verdict read from a written verification."""

from __future__ import annotations

import re

from proofline.records import Grade

_VERDICT = re.compile(
    r"(?:\*\*|<b>|#+ ?)*(?:Verification\W*)?Is the answer correct\W*(?:Yes/No)?(?:</?b>|[^\w<])*(Yes|No)\b(?!/)",
    re.IGNORECASE,
)


def known_label(grade: Grade) -> bool | None:
    """Is the solution right? None where nobody knows: no answer was read or compared, or the two graders differ.

    The one place that turns a grade into the side of a pair, the label of a trace or a right solution.
    """
    return grade.verdict == "correct" if grade.agreed else None


def read_verdict(verification: str) -> tuple[str, bool] | None:
    """A verification up to its last verdict line, and the verdict; None where there is no such line."""
    matches = list(_VERDICT.finditer(verification))
    if not matches:
        return None
    return verification[: matches[-1].start()].rstrip(), matches[-1][1].lower() == "yes"
