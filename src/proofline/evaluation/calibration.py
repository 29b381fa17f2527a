"""Does P(Yes) = 0.8 mean right four times in five? Brier score, expected calibration error, reliability bins.

In: `right` (0/1) and `p_yes` in [0, 1], shape (problems, samples), with the problems' clusters; candidates without a
verdict (NaN) are left out here. Brier (1950); ECE over bins of equal width, Naeini et al. (2015) and Guo et al. (2017).
They use ten bins or fifteen; here they are eleven, because P(Yes) is a mean over chains that are mostly sure: with two
chains nearly all of it lies at 0, 1/2 and 1, and a bin's edge at 1/2 would part equal scores by their rounding.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from proofline.evaluation.clusters import Clusters
from proofline.evaluation.selection import Floats

NUM_BINS = 11
"""A prime: no edge is a mean of fewer verdicts."""


def calibration(right: Floats, p_yes: Floats, clusters: Clusters) -> dict[str, Any]:
    """`brier`, `ece` and the bins they can be redrawn from, with an interval of the share that is right; an empty bin
    has NaN means."""
    judged = ~np.isnan(p_yes)
    edges = np.linspace(0.0, 1.0, NUM_BINS + 1)
    place = np.where(judged, np.clip(np.nan_to_num(p_yes) * NUM_BINS, 0, NUM_BINS - 1).astype(int), -1)
    gaps: list[float] = []
    bins: list[dict[str, Any]] = []
    for number, (low, high) in enumerate(pairwise(edges)):
        inside = (place == number).astype(float)
        count, hits, said = inside.sum(), (inside * right).sum(), p_yes[place == number].sum()
        gaps.append(abs(hits - said))
        bins.append(
            {
                "low": float(low),
                "high": float(high),
                "right": int(hits),
                "wrong": int(count - hits),
                "predicted": float(said / count) if count else float("nan"),
                "observed": clusters.share((inside * right).sum(axis=1), inside.sum(axis=1))._asdict(),
            }
        )
    errors = (p_yes - right)[judged]
    return {
        "brier": float((errors**2).mean()) if errors.size else float("nan"),
        "ece": float(sum(gaps) / errors.size) if errors.size else float("nan"),
        "bins": bins,
    }
