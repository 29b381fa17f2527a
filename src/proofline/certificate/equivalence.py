"""Could two numbers be those of two independent trainings by one recipe? One test a headline metric, with its power.

Trained weights differ in bits on another processor, and from there on everything drawn from them. So a reproduction is
held against what such a training varies by. Where the spread s of a metric over n reruns of the recipe is known (other
rounding, nothing else; `benchmarks/results/reruns.json`), the difference of two independent trainings has standard
deviation s * sqrt(2), and

    |committed - reproduced| <= t(n - 1, 1 - alpha / 2M) * s * sqrt(2)

holds for all M metrics at once with probability at least 1 - alpha (Student 1908, Bonferroni). Neither of the two
trainings may be among the n. Without reruns the test is one over problems, which knows nothing of trainings: where both
sides' grades are at hand the sign-flip test of clusters of related problems, as in the report, else from both published
intervals as if on separate problems (conservative).

A bound that is never exceeded proves nothing, so each test says what it would have found: the smallest true difference
that exceeds the bound with 80% probability (noncentral t; normal without reruns).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.special import nctdtr, ndtri, stdtrit

from proofline.certificate.headline import Measured
from proofline.evaluation.statistics import flipped

ALPHA, POWER, FEWEST_RERUNS = 0.05, 0.8, 3
RERUNS, PAIRED, INTERVALS = "reruns", "paired problems", "published intervals"
METHODS = {
    RERUNS: "Student's t on the spread of independent reruns",
    PAIRED: "sign-flip test of clusters of the same problems; says nothing of how trainings vary",
    INTERVALS: "both intervals over problems, as if independent; says nothing of how trainings vary",
}


@dataclass(frozen=True)
class MetricTest:
    """One metric: both values, the largest difference that two trainings may show, and what would be found."""

    metric: str
    committed: float
    reproduced: float
    bound: float
    detectable: float
    """The smallest true difference that is found with 80% probability."""
    method: str
    runs: int = 0
    """Reruns behind the bound."""

    @property
    def passed(self) -> bool:
        if math.isnan(self.committed) or math.isnan(self.reproduced):
            return math.isnan(self.committed) and math.isnan(self.reproduced)
        return abs(self.committed - self.reproduced) <= self.bound + 1e-12


class Graded(NamedTuple):
    """The same problems on both sides, (problems,)."""

    committed: np.ndarray
    """Right or wrong."""
    reproduced: np.ndarray
    clusters: np.ndarray
    """Names; problems of one are not independent."""


def compare_metrics(
    committed: Mapping[str, Measured],
    reproduced: Mapping[str, Measured],
    reruns: Sequence[Mapping[str, float]],
    grades: Mapping[str, Graded],
) -> list[MetricTest]:
    """A test for every metric of both sides. `grades` by metric."""
    names = [name for name in committed if name in reproduced]
    runs = independent(reruns, [{name: side[name].value for name in names} for side in (committed, reproduced)])
    level = 1 - ALPHA / (2 * max(len(names), 1))
    tests = []
    for name in names:
        values = [run[name] for run in runs if math.isfinite(run.get(name, math.nan))]
        if len(values) >= FEWEST_RERUNS:
            tests.append(by_reruns(name, committed[name].value, reproduced[name].value, values, level))
        elif name in grades:
            tests.append(by_problems(name, grades[name], level))
        else:
            tests.append(by_intervals(name, committed[name], reproduced[name], level))
    return tests


def independent(
    reruns: Sequence[Mapping[str, float]], compared: Sequence[Mapping[str, float]]
) -> list[Mapping[str, float]]:
    """The reruns that are neither of the compared trainings nor one another."""
    kept: list[Mapping[str, float]] = []
    for run in reruns:
        if not any(all(run.get(name) == value for name, value in other.items()) for other in [*compared, *kept]):
            kept.append(run)
    return kept


def by_reruns(name: str, committed: float, reproduced: float, values: Sequence[float], level: float) -> MetricTest:
    """`level` is the one-sided probability below the bound."""
    freedom = len(values) - 1
    scale = float(np.std(values, ddof=1)) * math.sqrt(2)
    quantile = float(stdtrit(freedom, level))
    detectable = scale * _noncentral(freedom, quantile)
    return MetricTest(name, committed, reproduced, quantile * scale, detectable, RERUNS, len(values))


@cache
def _noncentral(freedom: int, quantile: float) -> float:
    """The shift at which a noncentral t exceeds the quantile with probability POWER."""
    low, high = 0.0, 10 * quantile + 10
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if 1 - nctdtr(freedom, middle, quantile) >= POWER else (middle, high)
    return high


def by_problems(name: str, graded: Graded, level: float) -> MetricTest:
    """The largest difference that the sign-flip test of clusters lets pass."""
    committed, reproduced, clusters = graded
    gaps = committed.astype(int) - reproduced.astype(int)
    of_clusters = np.array([gaps[clusters == one].sum() for one in np.unique(clusters)])
    bound = float(np.flatnonzero(flipped(of_clusters) > 2 * (1 - level)).max()) / len(gaps)
    spread = math.sqrt(max((of_clusters**2).sum(), 1)) / len(gaps)
    detectable = max(bound, float(ndtri(level)) * spread) + float(ndtri(POWER)) * spread
    return MetricTest(name, float(committed.mean()), float(reproduced.mean()), bound, detectable, PAIRED)


def by_intervals(name: str, committed: Measured, reproduced: Measured, level: float) -> MetricTest:
    """Each interval's half-width gives a standard error."""
    errors = [(one.high - one.low) / (2 * float(ndtri((1 + one.confidence) / 2))) for one in (committed, reproduced)]
    spread = math.hypot(*errors)
    bound = float(ndtri(level)) * spread if math.isfinite(spread) else 0.0
    detectable = bound + float(ndtri(POWER)) * spread
    return MetricTest(name, committed.value, reproduced.value, bound, detectable, INTERVALS)
