"""The smallest difference that a comparison would have shown, against simulated comparisons of that size."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofline.evaluation.clusters import Clusters
from proofline.evaluation.power import smallest_difference
from proofline.evaluation.statistics import sign_flip

SIMULATIONS = 600
SLACK = 3 * np.sqrt(0.8 * 0.2 / SIMULATIONS)


@pytest.mark.parametrize(("clusters", "kin", "losing"), [(60, 1, 0.1), (200, 1, 0.05), (60, 5, 0.1), (200, 3, 0.02)])
def test_four_in_five_comparisons_show_it(clusters: int, kin: int, losing: float) -> None:
    """Kin win, lose and tie together for a third of the problems."""
    rng = np.random.default_rng(clusters + kin)
    names = Clusters([f"{number // kin:04}" for number in range(clusters * kin)], 0.95, 100, 0)

    def drawn(difference: float) -> np.ndarray:
        whole, alone = rng.random((clusters, 1)), rng.random((clusters, kin))
        chance = np.where(rng.random((clusters, kin)) < 0.6, whole, alone)
        return (1.0 * (chance < losing + difference) - 1.0 * (chance > 1 - losing)).ravel()

    planned = float(np.median([names.compare(drawn(0.0), np.zeros(clusters * kin)).detectable for _ in range(100)]))
    for difference, chance in ((planned, 0.8), (0.0, 0.05)):
        gaps = [drawn(difference).reshape(clusters, kin).sum(axis=1) for _ in range(SIMULATIONS)]
        shown = np.mean([sign_flip(one) < 0.05 for one in gaps])
        if difference:
            assert 0.8 - SLACK - 0.05 < shown < 0.8 + SLACK + 0.08
        else:
            assert shown < chance + SLACK


@given(st.floats(0, 0.6), st.floats(10, 2000), st.floats(5, 500))
def test_more_trials_and_fewer_discordant_ones_show_less(discordant: float, trials: float, degrees: float) -> None:
    least = smallest_difference(discordant, trials, degrees)
    if not isnan(least):
        assert 0 < least <= 1
        assert smallest_difference(discordant, 2 * trials, degrees) <= least + 1e-9
        assert smallest_difference(discordant, trials, degrees, level=0.01) >= least or isnan(
            smallest_difference(discordant, trials, degrees, level=0.01)
        )
        assert smallest_difference(min(1.0, discordant + 0.2), trials, degrees) >= least - 1e-9


def test_where_nothing_differed_eight_of_all_would_have_to() -> None:
    """Six of a kind are needed for p < 0.05, and eight are expected where six are found four times in five."""
    assert smallest_difference(0.0, 500, 1e6) == pytest.approx(7.85 / 500, abs=2e-4)


def test_too_few_trials_show_nothing() -> None:
    assert isnan(smallest_difference(0.2, 5, 4))
    assert isnan(smallest_difference(0.2, nan, 4))
    assert isnan(smallest_difference(nan, 0.0, 0))
