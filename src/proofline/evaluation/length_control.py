"""The win rate at equal lengths: a judge's taste for long answers taken out (Dubois et al. 2024, arXiv 2404.04475).

In: what each side's win was worth (1, 1/2, 0) and how long both solutions are. Out: the rate that a logistic regression
of the wins on tanh(length difference / its standard deviation) predicts where the lengths are equal:

    P(policy wins) = sigmoid(theta + phi tanh(d / sd(d)))        length-controlled rate = sigmoid(theta)

That is AlpacaEval 2's `length_controlled_minimal`. Its full model has a term for each instruction's difficulty, fitted
over the many models of its leaderboard; three policies cannot tell it from noise. It cross-validates an L2 penalty; we
fix one (precision 0.01 on theta, 1 on phi), enough for a fit where all wins go one way. Interval: percentile bootstrap
of clusters, each draw fitted anew.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from proofline.evaluation.clusters import Clusters
from proofline.evaluation.selection import Floats
from proofline.evaluation.statistics import NAN, Estimate

PRECISION = np.diag([0.01, 1.0])
MOST_STEPS, LARGEST_STEP, CONVERGED = 100, 2.0, 1e-9


def length_controlled(wins: Floats, difference: Floats, clusters: Clusters) -> tuple[Estimate, float]:
    """The rate, and phi: how much more a longer solution wins. `difference`: ours - theirs, in any unit."""
    if not len(wins):
        return Estimate(NAN, NAN, NAN), NAN
    spread = float(difference.std())
    covariates = np.stack([np.ones_like(wins), np.tanh(difference / spread) if spread else np.zeros_like(wins)], axis=1)
    whole = _fit(covariates, wins, np.ones_like(wins), np.zeros(2))
    draws = [_fit(covariates, wins, weights.astype(float), whole)[0] for weights in clusters.weights()]
    tails = (1 - clusters.confidence) / 2, (1 + clusters.confidence) / 2
    return Estimate(float(expit(whole[0])), *map(float, np.quantile(expit(draws), tails))), float(whole[1])


def _fit(covariates: Floats, wins: Floats, weights: Floats, start: Floats) -> Floats:
    """(theta, phi) by Newton's method."""
    found = start
    for _ in range(MOST_STEPS):
        expected = expit(covariates @ found)
        slope = covariates.T @ (weights * (wins - expected)) - PRECISION @ found
        bend = (covariates * (weights * expected * (1 - expected))[:, None]).T @ covariates + PRECISION
        step = np.clip(np.linalg.solve(bend, slope), -LARGEST_STEP, LARGEST_STEP)
        found = found + step
        if np.abs(step).max() < CONVERGED:
            break
    return found
