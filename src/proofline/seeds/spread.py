"""One figure under several seeds: its mean with an interval, and what its variance is made of.

In: a value a seed, with the variance that its own test set leaves it. Out: `OverSeeds`. Undefined is NaN.

Each run trains, draws test problems and draws samples anew, so the variance between runs holds all three, and the
mean's t interval with n - 1 degrees of freedom covers further runs like these. The parts are estimated by moments (a
random-effects model; DerSimonian and Laird 1986): what a run's own interval says about problems and samples is taken
from the variance between the runs, and what is left is training's. It is a rough figure: few seeds tell little of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import NamedTuple

from scipy.special import ndtri, stdtrit

from proofline.evaluation.statistics import NAN, Estimate


class Measured(NamedTuple):
    """What one run says: a value with its interval over problems, and the part of its variance that drawing samples
    from the same weights for the same problems makes; NaN where that is not known apart, 0 where none are drawn."""

    estimate: Estimate
    samples_variance: float

    def variance(self, confidence: float) -> float:
        """Of the value over problems and samples, by the width of its interval."""
        _, low, high = self.estimate
        return float(((high - low) / (2 * ndtri((1 + confidence) / 2))) ** 2)

    def excludes(self, null: float) -> bool:
        return self.estimate.low > null or self.estimate.high < null


@dataclass(frozen=True)
class OverSeeds:
    """One figure over the seeds."""

    values: tuple[float, ...]
    mean: Estimate
    sd_training: float
    """Standard deviation over trainings alone; 0 where the test sets explain all that differs."""
    sd_problems: float
    """Over test sets, of one training. With `sd_samples` undefined it holds the samples' part too."""
    sd_samples: float
    null: float
    """What it would be without an effect; NaN: it is no effect."""
    shown: int
    """Runs whose own interval excludes the null."""

    @property
    def holds(self) -> bool:
        """Does the mean's interval exclude the null?"""
        return self.mean.low > self.null or self.mean.high < self.null


def over_seeds(runs: Sequence[Measured], null: float, confidence: float) -> OverSeeds:
    """Gather one figure of all seeds. Of a single run there is no interval."""
    values = tuple(run.estimate.value for run in runs)
    own = [run.variance(confidence) for run in runs]
    samples = [run.samples_variance for run in runs]
    known = not math.isnan(sum(samples))
    within, drawn = fmean(own), fmean(samples) if known else NAN
    return OverSeeds(
        values=values,
        mean=mean_interval(values, confidence),
        sd_training=_root(stdev(values) ** 2 - within) if len(values) > 1 else NAN,
        sd_problems=_root(within - drawn if known else within),
        sd_samples=_root(drawn),
        null=null,
        shown=sum(run.excludes(null) for run in runs),
    )


def mean_interval(values: Sequence[float], confidence: float) -> Estimate:
    """Student's t interval of the mean."""
    mean, number = fmean(values), len(values)
    if number < 2:
        return Estimate(mean, NAN, NAN)
    half = float(stdtrit(number - 1, (1 + confidence) / 2)) * stdev(values) / math.sqrt(number)
    return Estimate(mean, mean - half, mean + half)


def _root(variance: float) -> float:
    return math.sqrt(max(variance, 0.0)) if variance == variance else NAN
