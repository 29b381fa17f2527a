"""Several comparisons at once: p-values that keep the chance of any false claim among them at the stated level.

Holm (1979): valid whatever the comparisons have to do with each other; nested and overlapping ones are the rule here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values in the same order: below a level where Holm's procedure rejects. Undefined ones are no tests.

    The k-th smallest of n is multiplied by n - k + 1, and is no smaller than the ones before it, nor larger than 1.
    """
    values = np.asarray(p_values, dtype=float)
    adjusted = np.full(values.shape, np.nan)
    tests = np.flatnonzero(np.isfinite(values))
    order = tests[np.argsort(values[tests], kind="stable")]
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(values[order] * np.arange(len(order), 0, -1)))
    return [float(value) for value in adjusted]
