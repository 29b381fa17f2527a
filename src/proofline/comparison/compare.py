"""The test of each metric: paired, cluster-aware, over the mean of a side's seeds.

Differences are a - b. The interval, the sign-flip p-value and the smallest difference that the test would have shown
come from `evaluation.clusters`, the correction for the number of metrics from `evaluation.multiplicity`. What lies
beyond the interval is what the data exclude.

Those speak of further items, and of these very weights. Where both sides have several seeds, Welch's (1947) interval of
the difference of their means says what further seeds would give on these items.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

from proofline.comparison.pairing import Pair
from proofline.evaluation.clusters import Clusters
from proofline.evaluation.multiplicity import holm
from proofline.evaluation.statistics import NAN, Estimate, Floats

RESAMPLES = 10_000


@dataclass(frozen=True)
class Measured:
    """One metric."""

    metric: str
    a: float
    b: float
    difference: Estimate
    """a - b."""
    p_value: float
    p_holm: float
    """Corrected for all metrics of this comparison."""
    smallest_shown: float
    """Difference that the test shows with 80% chance."""
    a_better: int
    """Items with a higher value on side a."""
    b_better: int
    ties: int
    left_out: int
    """Items without a value on a side."""
    is_share: bool
    """All values lie in [0, 1]."""
    seeds_a: tuple[float, ...]
    seeds_b: tuple[float, ...]
    over_seeds: Estimate
    """The difference with an interval for further seeds; undefined where a side has one."""

    @property
    def excluded_a(self) -> float:
        """An advantage of a above this is excluded."""
        return max(self.difference.high, 0.0)

    @property
    def excluded_b(self) -> float:
        return max(-self.difference.low, 0.0)


@dataclass(frozen=True)
class Comparison:
    """All of it."""

    pair: Pair
    measured: tuple[Measured, ...]
    clusters: int
    confidence: float


def compare(pair: Pair, confidence: float = 0.95) -> Comparison:
    """Test every metric that both sides have."""
    clusters = Clusters([item.cluster for item in pair.items.values()], confidence, RESAMPLES, seed=0)
    found = [_measure(pair, metric, clusters) for metric in pair.metrics]
    adjusted = holm([one["p_value"] for one in found])
    return Comparison(
        pair,
        tuple(Measured(**one, p_holm=p_holm) for one, p_holm in zip(found, adjusted, strict=True)),
        clusters.count,
        confidence,
    )


def _measure(pair: Pair, metric: str, clusters: Clusters) -> dict[str, Any]:
    """All fields of `Measured` but the one that needs the other metrics."""
    by_seed = [np.array(side.values(metric, pair.keys), float) for side in (pair.a, pair.b)]
    # An item counts where every seed of both sides has a value for it.
    defined = np.all([np.isfinite(seeds).all(axis=0) for seeds in by_seed], axis=0)
    a, b = (np.where(defined, seeds.mean(axis=0), NAN) for seeds in by_seed)
    scale, is_share = _scale(a, b)
    paired = clusters.compare(a / scale, b / scale)
    seeds_a, seeds_b = (
        tuple(float(seed[defined].mean()) if defined.any() else NAN for seed in seeds) for seeds in by_seed
    )
    return {
        "metric": metric,
        "a": float(np.mean(seeds_a)),
        "b": float(np.mean(seeds_b)),
        "difference": paired.difference.scaled(scale),
        "p_value": paired.p_value,
        "smallest_shown": paired.detectable * scale,
        "a_better": paired.wins,
        "b_better": paired.losses,
        "ties": paired.ties,
        "left_out": int((~defined).sum()),
        "is_share": is_share,
        "seeds_a": seeds_a,
        "seeds_b": seeds_b,
        "over_seeds": _welch(seeds_a, seeds_b, clusters.confidence),
    }


def _scale(a: Floats, b: Floats) -> tuple[float, bool]:
    """The intervals are of shares: other values are divided by the span that both sides' take up together."""
    values = np.concatenate([a, b])
    values = values[np.isfinite(values)]
    if not len(values) or (values.min() >= 0 and values.max() <= 1):
        return 1.0, True
    return float(np.ptp(values)) or 1.0, False


def _welch(a: tuple[float, ...], b: tuple[float, ...], confidence: float) -> Estimate:
    value = float(np.mean(a) - np.mean(b))
    if min(len(a), len(b)) < 2:
        return Estimate(value, NAN, NAN)
    parts = [float(np.var(seeds, ddof=1)) / len(seeds) for seeds in (a, b)]
    if not sum(parts) > 0:
        return Estimate(value, NAN, NAN)
    degrees = sum(parts) ** 2 / sum(part**2 / (len(seeds) - 1) for part, seeds in zip(parts, (a, b), strict=True))
    half = float(stdtrit(degrees, (1 + confidence) / 2)) * math.sqrt(sum(parts))
    return Estimate(value, value - half, value + half)
