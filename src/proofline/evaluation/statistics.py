"""Intervals and paired tests of independent units; `clusters` says what the units of a test set are.

In: values per unit, shape (units,), or counts of units, which need not be whole: `effective` says what clusters are
worth. Out: `Estimate`s (value, low, high) in the unit of the input, and two-sided p-values. Undefined is NaN.

Wilson (1927), interval of a share. Tango (1998), score interval of a paired difference of shares. Both are the values
that a score test does not reject: they stay within bounds, and hold where shares are near 0 or 1. Fisher (1935),
sign-flip test, which is McNemar's (1947) exact one where each unit differs by one. That differences are paired follows
Miller (2024), "Adding Error Bars to Evals"; he uses the central limit theorem, which needs more units and shares
further from 0 and 1 than test sets have.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

Floats = NDArray[np.float64]
NAN = float("nan")
CHUNK_VALUES = 4_000_000
"""Random numbers held at once while resampling."""
FINEST = 64
"""Differences that are multiples of one over at most this (means of as many samples) are added without rounding."""
GRID = 2**15
"""Steps that the sum of others is divided into."""
ROUNDING = 1e-9


class Estimate(NamedTuple):
    """A value and its interval."""

    value: float
    low: float
    high: float

    def scaled(self, factor: float, shift: float = 0.0) -> Estimate:
        """`factor * x + shift` of all three; the factor is positive."""
        return Estimate(*(factor * bound + shift for bound in self))


def wilson(successes: float, total: float, confidence: float, degrees: float = math.inf) -> Estimate:
    """Share of successes with Wilson's score interval.

    `degrees` of freedom of the variance, where `total` comes of an estimated one (Student's quantile, not the normal).
    """
    if not 0 <= successes <= total:
        raise ValueError(f"{successes} successes of {total}: expected 0 <= successes <= total")
    if total == 0:
        return Estimate(NAN, NAN, NAN)
    z, share = _quantile(confidence, degrees), successes / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == total else centre + half
    return Estimate(share, low, high)


class Paired(NamedTuple):
    """Two policies on the same problems: the difference first - second, and the test that it is zero."""

    difference: Estimate
    p_value: float
    wins: int
    """Problems on which the first is better."""
    losses: int
    ties: int
    detectable: float = NAN
    """The smallest difference that the test would have shown with 80% chance; see `power`."""


def tango(wins: float, losses: float, total: float, confidence: float, degrees: float = math.inf) -> Estimate:
    """(wins - losses) / total with the score interval: the differences that a score test does not reject.

    `degrees` as in `wilson`.
    """
    if min(wins, losses) < 0 or wins + losses > total * (1 + ROUNDING):
        raise ValueError(f"{wins} wins and {losses} losses of {total}: expected counts that fit into the total")
    if total == 0:
        return Estimate(NAN, NAN, NAN)
    value, z = (wins - losses) / total, _quantile(confidence, degrees)

    def score(delta: float) -> float:
        b = (2 * total - wins + losses) * delta - wins - losses
        c = -losses * delta * (1 - delta)
        losing = (math.sqrt(max(b * b - 8 * total * c, 0.0)) - b) / (4 * total)
        variance = total * (2 * losing + delta * (1 - delta))
        gap = wins - losses - total * delta
        return gap / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, gap)

    def solve(edge: float, level: float) -> float:
        inside, outside = value, edge
        for _ in range(60):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if abs(score(middle)) < level else (inside, middle)
        return inside

    return Estimate(value, solve(-1.0, z), solve(1.0, z))


def sign_flip(differences: ArrayLike) -> float:
    """Two-sided p-value that the units' differences are symmetric about 0: the share of all 2^units ways to sign them
    whose sum is as far from 0 as theirs. Exact; differences finer than 1 / `FINEST` are rounded to a grid first.
    """
    gaps = np.asarray(differences, dtype=float)
    if len(gaps) == 0:
        return NAN
    steps = _steps(gaps)
    return float(flipped(steps)[abs(steps.sum())])


def flipped(steps: NDArray[np.int64]) -> Floats:
    """Chance that the sum of these, each with either sign, is at least so far from 0: by distance, from 0 to the
    largest that there can be."""
    total = int(np.abs(steps).sum())
    chances, reached = np.zeros(total + 1), 0
    chances[0] = 1.0
    for step in np.sort(np.abs(steps[steps != 0])):
        half = chances[: reached + 1] / 2
        chances[: reached + 1] = half
        chances[step : step + reached + 1] += half
        reached += int(step)
    at_distance = np.bincount(np.abs(2 * np.arange(total + 1) - total), chances)
    return np.minimum(at_distance[::-1].cumsum()[::-1], 1.0)


def _steps(gaps: Floats) -> NDArray[np.int64]:
    """Differences as whole numbers of a step that divides them, or of a fine one."""
    for parts in range(1, FINEST + 1):
        steps = np.rint(gaps * parts)
        if np.abs(steps - gaps * parts).max() < ROUNDING:
            return steps.astype(np.int64)
    return np.rint(gaps * (GRID / np.abs(gaps).sum())).astype(np.int64)


def resampled(units: int, resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Indices of units drawn with replacement, (rows, units) at a time, `resamples` rows in all."""
    rng = np.random.default_rng(seed)
    for rows in _chunks(resamples, units):
        yield rng.integers(0, units, size=(rows, units))


def _chunks(resamples: int, units: int) -> Iterator[int]:
    step = max(1, CHUNK_VALUES // max(units, 1))
    for start in range(0, resamples, step):
        yield min(step, resamples - start)


def _quantile(confidence: float, degrees: float) -> float:
    return float(stdtrit(degrees, (1 + confidence) / 2))
