"""Randomness that belongs to a sample: a seed from (run seed, item id, sample index), a uniform per token position.

Nothing here knows of ranks, batches or order, so resharding or reordering a job cannot change a sample. The uniforms
are counter-based (SplitMix64, Steele et al. 2014): the t-th number of a stream is a hash of (seed, t), with no state.
"""

from __future__ import annotations

import hashlib

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def sample_seed(run_seed: int, item_id: str, sample_index: int) -> int:
    """64 bits, the same on every machine."""
    digest = hashlib.blake2b(f"{run_seed}/{item_id}/{sample_index}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def uniforms(seeds: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Numbers in [0, 1), one for each (seed, position). Shapes: uint64 (B,), integer (B,) -> float64 (B,)."""
    with np.errstate(over="ignore"):
        z = seeds.astype(np.uint64) + (positions.astype(np.uint64) + np.uint64(1)) * _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53
