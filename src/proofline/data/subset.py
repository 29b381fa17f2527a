"""A stable subset of problems: the lowest hashes, whatever the order or number of the others."""

from __future__ import annotations

from collections.abc import Sequence

from proofline.records import Problem, stable_id


def subset(problems: Sequence[Problem], limit: int | None) -> list[Problem]:
    """At most `limit` problems (None: all), in the order given."""
    if limit is None or limit >= len(problems):
        return list(problems)
    kept = sorted(problems, key=lambda problem: stable_id("subset", problem.id))[:limit]
    ids = {problem.id for problem in kept}
    return [problem for problem in problems if problem.id in ids]
