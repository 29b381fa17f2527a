"""Randomness that belongs to a sample: a seed from (run seed, item id, sample index), a uniform per token position.

Nothing here knows of ranks, batches or order, so resharding or reordering a job cannot change a sample. The uniforms
are counter-based (SplitMix64, Steele et al. 2014): the t-th number of a stream is a hash of (seed, t), with no state.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def sample_seed(run_seed: int, item_id: str, sample_index: int) -> int:
    """64 bits, the same on every machine."""
    digest = hashlib.blake2b(f"{run_seed}/{item_id}/{sample_index}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def uniforms(seeds: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """Numbers in [0, 1), one for each (seed, position). Shapes: int64 (B,), int64 (B,) -> float64 (B,).

    A seed's 64 bits are held as a signed integer (`signed`): sums and products wrap around alike.
    """
    z = seeds + (positions + 1) * _GOLDEN
    z = (z ^ _shifted(z, 30)) * signed(0xBF58476D1CE4E5B9)
    z = (z ^ _shifted(z, 27)) * signed(0x94D049BB133111EB)
    z = z ^ _shifted(z, 31)
    return _shifted(z, 11).double() * 2.0**-53


def signed(bits: int) -> int:
    """The 64 bits of a non-negative integer as a signed one."""
    return bits - 2**64 if bits >= 2**63 else bits


def _shifted(z: torch.Tensor, by: int) -> torch.Tensor:
    """A shift to the right that fills with zeros; PyTorch's fills with the sign."""
    return (z >> by) & (2 ** (64 - by) - 1)


_GOLDEN = signed(0x9E3779B97F4A7C15)
