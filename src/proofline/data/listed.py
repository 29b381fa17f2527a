"""Named lists of test problems, for benchmarks that are part of another: MATH-500.

`NAME.txt` beside this file has a line for each: the id that its publisher gave it, for people, and ours, which is a
hash of the question and so the same from the hub, from files and from a bucket.

MATH-500 are the test problems that Lightman et al. 2023 ("Let's Verify Step by Step") did not move to training; the ids
are those of openai/prm800k (MIT).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from proofline.records import Problem


class ListError(ValueError):
    """Problems of a list that are not there."""


def listed(name: str, problems: Sequence[Problem]) -> list[Problem]:
    """Those of the list, in the order given. Raises ListError where one is missing."""
    lines = (Path(__file__).with_name(f"{name}.txt")).read_text(encoding="utf-8").splitlines()
    names = {ours: theirs for theirs, ours in map(str.split, lines)}
    found = [problem for problem in problems if problem.id in names]
    if missing := sorted(names.keys() - {problem.id for problem in found}):
        raise ListError(
            f"{len(missing)} of the {len(names)} problems of {name} are not among the {len(problems)} test problems of "
            f"this source, e.g. {names[missing[0]]}; read the whole test split of MATH, or set test_list to null"
        )
    return found
