"""Intervals and paired tests of independent units; `clusters` says what the units of a test set are.

In: values per unit, shape (units,), or counts of units. Out: `Estimate`s (value, low, high) in the unit of the input,
and two-sided p-values. Undefined is NaN.

Wilson (1927), interval of a share. McNemar (1947), exact test on discordant pairs. Tango (1998), score interval
of a paired difference of shares, the counterpart of that test. Efron (1987), BCa bootstrap. Fisher (1935),
sign-flip test. That differences are paired follows Miller (2024), "Adding Error Bars to Evals"; we resample where he
uses the central limit theorem, because small test sets and shares near 0 or 1 occur.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, ndtr, ndtri

Floats = NDArray[np.float64]
NAN = float("nan")
CHUNK_VALUES = 4_000_000
"""Random numbers held at once while resampling."""
NO_SPREAD = 1e-12
"""Below it, differences between shares are rounding."""


class Estimate(NamedTuple):
    """A value and its interval."""

    value: float
    low: float
    high: float

    def scaled(self, factor: float, shift: float = 0.0) -> Estimate:
        """`factor * x + shift` of all three; the factor is positive."""
        return Estimate(*(factor * bound + shift for bound in self))


def wilson(successes: int, total: int, confidence: float) -> Estimate:
    """Share of successes with Wilson's score interval."""
    if not 0 <= successes <= total:
        raise ValueError(f"{successes} successes of {total}: expected 0 <= successes <= total")
    if total == 0:
        return Estimate(NAN, NAN, NAN)
    z, share = _z(confidence), successes / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * np.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    low = 0.0 if successes == 0 else float(centre - half)
    high = 1.0 if successes == total else float(centre + half)
    return Estimate(share, low, high)


class Paired(NamedTuple):
    """Two policies on the same problems: the difference first - second, and the test that it is zero."""

    difference: Estimate
    p_value: float
    wins: int
    """Problems on which the first is better."""
    losses: int
    ties: int


def compare_shares(first: ArrayLike, second: ArrayLike, confidence: float) -> Paired:
    """Right/wrong results of one answer per problem."""
    a, b = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    _same_problems(len(a), len(b))
    return compare_counts(int((a & ~b).sum()), int((~a & b).sum()), len(a), confidence)


def compare_counts(wins: int, losses: int, total: int, confidence: float) -> Paired:
    """Of `total` problems `wins` went to the first alone, `losses` to the second: Tango's interval, McNemar's test."""
    p_value = mcnemar(wins, losses) if total else NAN
    return Paired(tango(wins, losses, total, confidence), p_value, wins, losses, total - wins - losses)


def mcnemar(wins: int, losses: int) -> float:
    """Exact two-sided p-value that a discordant pair falls either way with equal chance; 1 without any."""
    discordant = wins + losses
    return min(1.0, 2 * float(bdtr(min(wins, losses), discordant, 0.5))) if discordant else 1.0


def tango(wins: int, losses: int, total: int, confidence: float) -> Estimate:
    """(wins - losses) / total with the score interval: the differences that a score test does not reject."""
    if min(wins, losses) < 0 or wins + losses > total:
        raise ValueError(f"{wins} wins and {losses} losses of {total}: expected counts that fit into the total")
    if total == 0:
        return Estimate(NAN, NAN, NAN)
    value, z = (wins - losses) / total, _z(confidence)

    def score(delta: float) -> float:
        b = (2 * total - wins + losses) * delta - wins - losses
        c = -losses * delta * (1 - delta)
        losing = (np.sqrt(max(b * b - 8 * total * c, 0.0)) - b) / (4 * total)
        variance = total * (2 * losing + delta * (1 - delta))
        gap = wins - losses - total * delta
        return float(gap / np.sqrt(variance)) if variance > 0 else float(np.copysign(np.inf, gap))

    def solve(edge: float, level: float) -> float:
        inside, outside = value, edge
        for _ in range(60):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if abs(score(middle)) < level else (inside, middle)
        return inside

    return Estimate(value, solve(-1.0, z), solve(1.0, z))


def sign_flip(differences: ArrayLike, resamples: int, seed: int) -> float:
    """Two-sided p-value that the units' differences are symmetric about 0; never below 1 / (resamples + 1)."""
    gaps = np.asarray(differences, dtype=float)
    if len(gaps) == 0:
        return NAN
    rng = np.random.default_rng(seed)
    observed, extreme = abs(gaps.sum()) * (1 - 1e-12), 0
    for rows in _chunks(resamples, len(gaps)):
        signs = rng.integers(0, 2, size=(rows, len(gaps)), dtype=np.int8) * 2 - 1
        extreme += int((np.abs(signs @ gaps) >= observed).sum())
    return (1 + extreme) / (1 + resamples)


def bca(value: float, replicates: Floats, influence: Floats, confidence: float) -> Estimate:
    """Efron's BCa interval. `influence`: what each unit adds to the value, up to a factor; it gives the acceleration.

    Without spread among the units the interval is undefined.
    """
    if np.ptp(influence) < NO_SPREAD:
        return Estimate(value, NAN, NAN)
    below = np.mean(replicates < value) + 0.5 * np.mean(replicates == value)
    bias = ndtri(np.clip(below, 0.5 / len(replicates), 1 - 0.5 / len(replicates)))
    acceleration = (influence**3).sum() / (6 * (influence**2).sum() ** 1.5)
    tails = bias + ndtri([(1 - confidence) / 2, (1 + confidence) / 2])
    low, high = np.quantile(replicates, ndtr(bias + tails / (1 - acceleration * tails)))
    return Estimate(value, float(low), float(high))


def percentile(value: float, replicates: ArrayLike, confidence: float) -> Estimate:
    """Efron's percentile interval, for statistics that are not means; undefined replicates are left out."""
    finite = np.asarray(replicates, dtype=float)
    finite = finite[np.isfinite(finite)]
    if len(finite) == 0 or np.isnan(value):
        return Estimate(value, NAN, NAN)
    low, high = np.quantile(finite, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(value, float(low), float(high))


def resampled(units: int, resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Indices of units drawn with replacement, (rows, units) at a time, `resamples` rows in all."""
    rng = np.random.default_rng(seed)
    for rows in _chunks(resamples, units):
        yield rng.integers(0, units, size=(rows, units))


def _chunks(resamples: int, units: int) -> Iterator[int]:
    step = max(1, CHUNK_VALUES // max(units, 1))
    for start in range(0, resamples, step):
        yield min(step, resamples - start)


def _z(confidence: float) -> float:
    return float(ndtri((1 + confidence) / 2))


def _same_problems(first: int, second: int) -> None:
    if first != second:
        raise ValueError(f"paired comparison of {first} with {second} problems: both need results on the same ones")
