"""Stable choices by hashes, whatever the order or number of the others: a subset of problems, and a share of keys."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from proofline.records import Problem, stable_id


def subset(problems: Sequence[Problem], limit: int | None) -> list[Problem]:
    """At most `limit` problems (None: all), in the order given."""
    if limit is None or limit >= len(problems):
        return list(problems)
    kept = sorted(problems, key=lambda problem: stable_id("subset", problem.id))[:limit]
    ids = {problem.id for problem in kept}
    return [problem for problem in problems if problem.id in ids]


def drawn(key: str, share: float) -> bool:
    """Is this key among the share of all keys whose hashes are lowest?"""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") < share * 2**64
