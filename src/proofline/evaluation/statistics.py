"""Intervals and paired tests. The unit is the cluster: neither a problem's samples nor problems of kin are independent.

In: per-problem values, shape (problems,): bool for one answer each, or the mean over a problem's samples; `clusters`,
(problems,), names each one's cluster (`Problem.cluster`: a template, or near-duplicates); None: each is its own.
Out: `Estimate`s (value, low, high) in the unit of the input, and two-sided p-values. Undefined is NaN.

Wilson (1927), interval of a share. McNemar (1947), exact test on discordant pairs. Tango (1998), score interval
of a paired difference of shares, the counterpart of that test. These three are of problems without kin; else, and for
means over samples: Efron (1987), BCa bootstrap, and Fisher (1935), sign-flip test, both of whole clusters. That
clusters are the unit and that differences are paired follows Miller (2024), "Adding Error Bars to Evals"; we resample
where he uses the central limit theorem, because small test sets and shares near 0 or 1 occur.
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
    """Right/wrong results of one answer per problem, problems without kin."""
    a, b = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    _same_problems(len(a), len(b))
    return compare_counts(int((a & ~b).sum()), int((~a & b).sum()), len(a), confidence)


def compare_solved(
    first: ArrayLike, second: ArrayLike, confidence: float, resamples: int, seed: int, clusters: ArrayLike
) -> Paired:
    """Right/wrong results of one answer per problem: as shares where no problem has kin, else as means."""
    if _kinless(clusters):
        return compare_shares(first, second, confidence)
    return compare_means(first, second, confidence, resamples, seed, clusters)


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


def compare_means(
    first: ArrayLike, second: ArrayLike, confidence: float, resamples: int, seed: int, clusters: ArrayLike | None = None
) -> Paired:
    """Per-problem means over samples: BCa bootstrap and sign-flip test of clusters."""
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    _same_problems(len(a), len(b))
    gaps = a - b
    wins, losses = int((gaps > 0).sum()), int((gaps < 0).sum())
    difference = bootstrap_mean(gaps, confidence, resamples, seed, clusters)
    return Paired(difference, sign_flip(gaps, resamples, seed, clusters), wins, losses, len(gaps) - wins - losses)


def sign_flip(differences: ArrayLike, resamples: int, seed: int, clusters: ArrayLike | None = None) -> float:
    """Two-sided p-value that the clusters' differences are symmetric about 0; never below 1 / (resamples + 1)."""
    gaps = np.asarray(differences, dtype=float)
    if len(gaps) == 0:
        return NAN
    gaps = np.bincount(_numbered(clusters, len(gaps)), gaps)
    rng = np.random.default_rng(seed)
    observed, extreme = abs(gaps.sum()) * (1 - 1e-12), 0
    for rows in _chunks(resamples, len(gaps)):
        signs = rng.integers(0, 2, size=(rows, len(gaps)), dtype=np.int8) * 2 - 1
        extreme += int((np.abs(signs @ gaps) >= observed).sum())
    return (1 + extreme) / (1 + resamples)


def share_solved(right: ArrayLike, confidence: float, resamples: int, seed: int, clusters: ArrayLike) -> Estimate:
    """Share of problems solved by one answer each: Wilson's interval where no problem has kin, else as of means."""
    solved = np.asarray(right, dtype=bool)
    if _kinless(clusters):
        return wilson(int(solved.sum()), len(solved), confidence)
    return share_mean(solved, confidence, resamples, seed, clusters)


def share_mean(
    values: ArrayLike, confidence: float, resamples: int, seed: int, clusters: ArrayLike | None = None
) -> Estimate:
    """Mean of per-problem shares in [0, 1]. Where all are 0 or all are 1 a bootstrap sees no spread: then Wilson's,
    of as many answers as there are clusters."""
    shares = np.asarray(values, dtype=float)
    if len(shares) and (np.all(shares == 0) or np.all(shares == 1)):
        count = int(_numbered(clusters, len(shares)).max()) + 1
        return wilson(count if shares[0] else 0, count, confidence)
    return bootstrap_mean(shares, confidence, resamples, seed, clusters)


def bootstrap_mean(
    values: ArrayLike, confidence: float, resamples: int, seed: int, clusters: ArrayLike | None = None
) -> Estimate:
    """Mean over problems with a BCa interval; without spread among clusters the interval is undefined."""
    x = np.asarray(values, dtype=float)
    if len(x) == 0:
        return Estimate(NAN, NAN, NAN)
    numbers, mean = _numbered(clusters, len(x)), float(x.mean())
    sums, sizes = np.bincount(numbers, x), np.bincount(numbers)
    replicates = [sums[rows].sum(axis=1) / sizes[rows].sum(axis=1) for rows in resampled(len(sums), resamples, seed)]
    return bca(mean, np.concatenate(replicates), sums - mean * sizes, confidence)


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
    """Indices of problems or clusters drawn with replacement, (rows, units) at a time, `resamples` rows in all."""
    rng = np.random.default_rng(seed)
    for rows in _chunks(resamples, units):
        yield rng.integers(0, units, size=(rows, units))


def _numbered(clusters: ArrayLike | None, problems: int) -> NDArray[np.int64]:
    """Each problem's cluster as a number from 0, in the order in which the clusters first appear."""
    if clusters is None:
        return np.arange(problems)
    names = np.asarray(clusters)
    if len(names) != problems:
        raise ValueError(f"{len(names)} clusters named for {problems} problems: name each problem's")
    _, first, numbers = np.unique(names, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[numbers]


def _kinless(clusters: ArrayLike) -> bool:
    names = np.asarray(clusters)
    return len(np.unique(names)) == len(names)


def _chunks(resamples: int, problems: int) -> Iterator[int]:
    step = max(1, CHUNK_VALUES // max(problems, 1))
    for start in range(0, resamples, step):
        yield min(step, resamples - start)


def _z(confidence: float) -> float:
    return float(ndtri((1 + confidence) / 2))


def _same_problems(first: int, second: int) -> None:
    if first != second:
        raise ValueError(f"paired comparison of {first} with {second} problems: both need results on the same ones")
