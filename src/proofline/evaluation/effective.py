"""How many independent trials the problems of some clusters are worth: what a score interval and a power need to know.

In: what each cluster's problems came to, (clusters,): mass of +1 (right; or won), of -1 (lost), and all of it. Out: a
number of trials n, such that the cluster-robust variance of (wins - losses) / sizes is that of n independent trials.

Korn and Graubard (1998), "Confidence intervals for proportions with small expected number of positive counts estimated
from survey data": n is the variance of one trial over the linearised variance of the ratio. Dean and Pagano (2015) and
Franco et al. (2019) compare the intervals made of it; Wilson's is among the best. Where few clusters hold the rarer
outcome they all fall short, because how alike kin are is then hardly seen. So we depart from them: the variance is
averaged with the one expected before any is seen, which weighs as much as two clusters that hold the rarer outcome:
kin are half alike, the mean of a uniform prior. Without any spread this alone is left, and no interval has width zero.
`benchmarks/coverage.py` measures what that does.
"""

from __future__ import annotations

import numpy as np

from proofline.evaluation.selection import Floats

ALIKE = 0.5
"""Intra-cluster correlation that is expected before any is seen."""
PRIOR_CLUSTERS = 2.0
"""Weight of that expectation."""
NO_SPREAD = 1e-12
"""Below it, a variance is rounding."""


def effective_trials(wins: Floats, losses: Floats, sizes: Floats) -> float:
    """Of clusters with positive sizes, two at least; `wins + losses <= sizes`."""
    total, value = sizes.sum(), (wins.sum() - losses.sum()) / sizes.sum()
    of_one = (wins.sum() + losses.sum()) / total - value**2
    spread = wins - losses - value * sizes
    observed = len(sizes) / (len(sizes) - 1) * (spread**2).sum() / total**2
    masses = (wins, losses, np.maximum(sizes - wins - losses, 0.0))
    return averaged(observed, of_one, sum(sorted(map(worth, masses))[:2]), expected_trials(sizes))


def averaged(observed: float, of_one: float, seen: float, expected: float) -> float:
    """Trials by the observed variance, on which `seen` clusters tell something, and by what was expected before."""
    if of_one < NO_SPREAD:
        return expected
    variance = (seen * observed + PRIOR_CLUSTERS * of_one / expected) / (seen + PRIOR_CLUSTERS)
    return float(of_one / variance)


def expected_trials(sizes: Floats) -> float:
    """Trials where kin are `ALIKE`: between the number of clusters, counted by `worth`, and of problems."""
    return float(1 / (ALIKE / worth(sizes) + (1 - ALIKE) / sizes.sum()))


def worth(masses: Floats) -> float:
    """Kish's (1965) number of clusters of equal mass that these are worth; 0 where there is none."""
    return float(masses.sum() ** 2 / max((masses**2).sum(), NO_SPREAD))
