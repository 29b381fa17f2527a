"""Stable choices by hashes, whatever the order or number of the others: a subset of problems, and a share of keys."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from proofline.records import Problem, stable_id
from proofline.storage.rows import Each


def subset(problems: Sequence[Problem], limit: int | None, by: str = "subset") -> Sequence[Problem]:
    """At most `limit` problems (None: all), in the order given; they stay where they are, in a file or a list.

    A subset of what one order has left whole and another source has not needs an order of its own, `by`.
    """
    if limit is None or limit >= len(problems):
        return problems
    ranked = sorted((stable_id(by, problem.id), place) for place, problem in enumerate(problems))
    return Each(problems.__getitem__, sorted(place for _, place in ranked[:limit]))


def drawn(key: str, share: float) -> bool:
    """Is this key among the share of all keys whose hashes are lowest?"""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") < share * 2**64
