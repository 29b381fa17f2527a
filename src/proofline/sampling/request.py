"""What is asked of the decoding loop, and what it gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Request:
    """One prompt and the seeds of its samples."""

    key: str
    prompt_ids: Sequence[int]
    seeds: Sequence[int]


@dataclass(frozen=True)
class Completion:
    """One sample."""

    key: str
    sample_index: int
    seed: int
    token_ids: list[int]
    """Without the end token."""
    logprob: float
    """Sum over the drawn tokens, the end token included, at temperature 1."""
    finished: bool
    tracked: np.ndarray = field(repr=False)
    """Log-probabilities (nats, temperature 1) of the tracked tokens where each token was drawn, (T, n)."""


def no_completion(request: Request, sample_index: int) -> Completion:
    """A sample cut off before its first token."""
    seed, nothing = int(request.seeds[sample_index]), np.empty((0, 0), dtype=np.float32)
    return Completion(request.key, sample_index, seed, [], 0.0, finished=False, tracked=nothing)
