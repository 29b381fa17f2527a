"""AUROC: how often a right candidate is scored above a wrong one, ties half; pooled and within problems.

In: `right` (0/1) and `scores`, shape (problems, samples). NaN scores rank below all others. Out: shares in [0, 1].

Reranking one problem's samples needs the within-problem value. The pooled one also rewards a verifier that only
knows which problems are easy, so it stands beside and not in place of it.
"""

from __future__ import annotations

import numpy as np

from proofline.evaluation.selection import Floats, Ints
from proofline.evaluation.statistics import Estimate, bootstrap_mean, percentile, resampled


def auroc(right: Floats, scores: Floats) -> float:
    """AUROC of one pot of candidates, of any shape. NaN unless there are right and wrong ones."""
    return _auroc(right.ravel(), _levels(scores.ravel()), np.ones(right.size))


def within_problem(right: Floats, scores: Floats) -> Floats:
    """(problems,): AUROC among each problem's samples, NaN where they are all right or all wrong."""
    ours, theirs = _ranked(scores)[:, :, None], _ranked(scores)[:, None, :]
    credit = (ours > theirs) + 0.5 * (ours == theirs)
    wins = np.einsum("pi,pj,pij->p", right, 1 - right, credit)
    comparisons = right.sum(axis=1) * (1 - right).sum(axis=1)
    return np.where(comparisons > 0, wins / np.maximum(comparisons, 1), np.nan)


def within_estimate(right: Floats, scores: Floats, confidence: float, resamples: int, seed: int) -> Estimate:
    """Mean over the mixed problems; they are what is resampled."""
    values = within_problem(right, scores)
    return bootstrap_mean(values[np.isfinite(values)], confidence, resamples, seed)


def pooled_estimate(right: Floats, scores: Floats, confidence: float, resamples: int, seed: int) -> Estimate:
    """All candidates in one pot; whole problems are resampled."""
    flat, levels = right.ravel(), _levels(scores.ravel())
    problems, samples = right.shape
    value = _auroc(flat, levels, np.ones(right.size))
    if np.isnan(value):
        return Estimate(value, float("nan"), float("nan"))
    replicates = [
        _auroc(flat, levels, np.repeat(np.bincount(row, minlength=problems), samples))
        for rows in resampled(problems, resamples, seed)
        for row in rows
    ]
    return percentile(value, replicates, confidence)


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
