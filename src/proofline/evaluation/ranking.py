"""AUROC: how often a right candidate is scored above a wrong one, ties half; pooled, within problems, within layouts.

In: `right` (0/1) and `scores`, shape (problems, samples). NaN scores rank below all others. Out: shares in [0, 1].

Reranking one problem's samples needs the within-problem value. The pooled one also rewards a verifier that only
knows which problems are easy. Within problems and layouts only candidates that look alike are compared, so that what a
candidate looks like earns nothing: a score that depends on the layout alone has exactly 0.5.
"""

from __future__ import annotations

import numpy as np

from proofline.evaluation.clusters import Clusters
from proofline.evaluation.effective import averaged, worth
from proofline.evaluation.selection import Floats, Ints
from proofline.evaluation.statistics import Estimate, wilson


def auroc(right: Floats, scores: Floats) -> float:
    """AUROC of one pot of candidates, of any shape. NaN unless there are right and wrong ones."""
    return _auroc(right.ravel(), _levels(scores.ravel()), np.ones(right.size))


def within_problem(right: Floats, scores: Floats, layouts: Ints | None = None) -> Floats:
    """(problems,): AUROC among each problem's samples; with `layouts`, of all pairs of one problem and one layout.

    NaN where no right one can be compared with a wrong one.
    """
    ours, theirs = _ranked(scores)[:, :, None], _ranked(scores)[:, None, :]
    credit = (ours > theirs) + 0.5 * (ours == theirs)
    pairs = comparable(right, layouts)
    comparisons = pairs.sum(axis=(1, 2))
    return np.where(comparisons > 0, (pairs * credit).sum(axis=(1, 2)) / np.maximum(comparisons, 1), np.nan)


def comparable(right: Floats, layouts: Ints | None = None) -> Floats:
    """(problems, samples, samples): 1 where the first is right, the second wrong, and both have one layout."""
    alike = 1.0 if layouts is None else layouts[:, :, None] == layouts[:, None, :]
    return right[:, :, None] * (1 - right)[:, None, :] * alike


def pooled_estimate(right: Floats, scores: Floats, clusters: Clusters) -> Estimate:
    """All candidates in one pot. A bootstrap of whole clusters of problems says how many trials these are worth."""
    flat, levels = right.ravel(), _levels(scores.ravel())
    value = _auroc(flat, levels, np.ones(right.size))
    if np.isnan(value) or clusters.count < 2:
        return Estimate(value, float("nan"), float("nan"))
    drawn = [_auroc(flat, levels, np.repeat(times, right.shape[1])) for times in clusters.weights()]
    variance = float(np.nanvar(drawn)) * clusters.count / (clusters.count - 1)
    rarer = min((clusters.totals(side.sum(axis=1)) for side in (right, 1 - right)), key=worth)
    trials = averaged(variance, value * (1 - value), worth(rarer), worth(rarer))
    return wilson(value * trials, trials, clusters.confidence, clusters.count - 1)._replace(value=value)


def _auroc(right: Floats, levels: Ints, times: Floats | Ints) -> float:
    """`levels` rank the scores from 0, equal ones alike; `times` repeats each candidate. Linear in the candidates."""
    hits = np.bincount(levels, right * times)
    misses = np.bincount(levels, (1 - right) * times)
    comparisons = hits.sum() * misses.sum()
    return float((hits * (misses.cumsum() - misses / 2)).sum() / comparisons) if comparisons else float("nan")


def _levels(scores: Floats) -> Ints:
    return np.unique(_ranked(scores), return_inverse=True)[1]


def _ranked(scores: Floats) -> Floats:
    return np.where(np.isnan(scores), -np.inf, scores)
