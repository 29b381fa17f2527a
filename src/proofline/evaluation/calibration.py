"""Does P(Yes) = 0.8 mean right four times in five? Brier score, expected calibration error, reliability bins.

In: `right` (0/1) and `p_yes` in [0, 1], shape (candidates,); candidates without a verdict (NaN) are left out here.
Brier (1950); ECE over ten bins of equal width, Naeini et al. (2015) and Guo et al. (2017).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from proofline.evaluation.selection import Floats

NUM_BINS = 10


def calibration(right: Floats, p_yes: Floats) -> dict[str, Any]:
    """`brier`, `ece` and the bins they can be redrawn from; an empty bin has NaN means."""
    judged = ~np.isnan(p_yes)
    right, p_yes = right[judged], p_yes[judged]
    edges = np.linspace(0.0, 1.0, NUM_BINS + 1)
    place = np.clip((p_yes * NUM_BINS).astype(int), 0, NUM_BINS - 1)
    count = np.bincount(place, minlength=NUM_BINS)
    hits = np.bincount(place, right, NUM_BINS)
    total = np.bincount(place, p_yes, NUM_BINS)
    filled = np.maximum(count, 1)
    n = len(p_yes)
    return {
        "brier": float(((p_yes - right) ** 2).mean()) if n else float("nan"),
        "ece": float(np.abs(hits - total).sum() / n) if n else float("nan"),
        "bins": [
            {
                "low": float(edges[i]),
                "high": float(edges[i + 1]),
                "right": int(hits[i]),
                "wrong": int(count[i] - hits[i]),
                "predicted": float(total[i] / filled[i]) if count[i] else float("nan"),
                "observed": float(hits[i] / filled[i]) if count[i] else float("nan"),
            }
            for i in range(NUM_BINS)
        ],
    }
