"""One figure over seeds: its interval covers, its parts add up to what differs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri

from proofline.evaluation.statistics import Estimate
from proofline.seeds.spread import Measured, mean_interval, over_seeds

HALF = float(ndtri(0.975))


def run(value: float, error: float, samples: float = 0.0) -> Measured:
    """A run whose own 95% interval is that of this standard error."""
    return Measured(Estimate(value, value - HALF * error, value + HALF * error), samples)


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_the_interval_covers_the_mean_of_all_runs_there_could_be(seeds: int) -> None:
    drawn = np.random.default_rng(0).normal(0.3, 0.05, size=(4000, seeds))
    covered = np.mean([(found := mean_interval(row, 0.95)).low <= 0.3 <= found.high for row in drawn])
    assert abs(covered - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 4000)


def test_variance_is_told_apart_by_its_kinds() -> None:
    """Many seeds, so that the estimates come close to what was put in."""
    rng, seeds = np.random.default_rng(1), 4000
    training, problems, samples = 0.03, 0.02, 0.01
    values = 0.5 + sum(rng.normal(0, sd, seeds) for sd in (training, problems, samples))
    own = math.hypot(problems, samples)
    found = over_seeds([run(float(value), own, samples**2) for value in values], 0.0, 0.95)
    assert found.sd_training == pytest.approx(training, rel=0.05)
    assert found.sd_problems == pytest.approx(problems, rel=1e-6)
    assert found.sd_samples == pytest.approx(samples, rel=1e-6)
    assert found.shown == seeds


def test_what_is_not_known_apart_is_not_made_up() -> None:
    found = over_seeds([run(0.1, 0.02, math.nan), run(0.2, 0.02, math.nan)], 0.0, 0.95)
    assert math.isnan(found.sd_samples)
    assert found.sd_problems == pytest.approx(0.02)
    alone = over_seeds([run(0.1, 0.02)], 0.0, 0.95)
    assert math.isnan(alone.mean.low)
    assert math.isnan(alone.sd_training)
    assert not alone.holds


def test_an_effect_of_one_lucky_seed_does_not_hold() -> None:
    found = over_seeds([run(0.10, 0.01), run(-0.08, 0.01), run(0.01, 0.01)], 0.0, 0.95)
    assert found.shown == 2
    assert not found.holds


values = st.lists(st.floats(-1, 1), min_size=2, max_size=8)


@given(values, st.floats(-1, 1), st.floats(0.001, 0.2))
def test_order_does_not_matter_and_a_shift_shifts(found: list[float], shift: float, error: float) -> None:
    one = over_seeds([run(value, error) for value in found], 0.0, 0.95)
    other = over_seeds([run(value + shift, error) for value in reversed(found)], 0.0, 0.95)
    assert other.mean == pytest.approx([bound + shift for bound in one.mean], abs=1e-9)
    assert other.sd_training == pytest.approx(one.sd_training, abs=1e-6)
    assert one.mean.low <= one.mean.value <= one.mean.high
