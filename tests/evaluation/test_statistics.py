"""Intervals and tests against their definitions, other implementations and brute force."""

from itertools import product
from math import comb, isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize
from scipy import stats as scipy_stats

from proofline.evaluation import statistics as ours

counts = st.integers(1, 400).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))
discordant = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 300)).filter(lambda c: sum(c) > 0)


@given(counts, st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_is_scipys(count: tuple[int, int], confidence: float) -> None:
    expected = scipy_stats.binomtest(*count).proportion_ci(confidence, method="wilson")
    assert ours.wilson(*count, confidence)[1:] == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_nothing_is_undefined() -> None:
    for undefined in (ours.wilson(0, 0, 0.95), ours.tango(0, 0, 0, 0.95)):
        assert all(isnan(bound) for bound in undefined)
    assert isnan(ours.sign_flip([]))


def profile_score(wins: int, losses: int, total: int, delta: float) -> float:
    """Tango's statistic with the nuisance parameter maximised numerically instead of by his formula."""

    def negative_log_likelihood(losing: float) -> float:
        cells = np.array([losing + delta, losing, 1 - 2 * losing - delta])
        return -float(np.sum([wins, losses, total - wins - losses] * np.log(np.maximum(cells, 1e-300))))

    low, high = max(0.0, -delta), (1 - delta) / 2
    found = optimize.minimize_scalar(
        negative_log_likelihood, bounds=(low, high), method="bounded", options={"xatol": 1e-12}
    )
    return (wins - losses - total * delta) / np.sqrt(total * (2 * found.x + delta * (1 - delta)))


@given(discordant)
def test_tango_ends_where_the_score_test_begins_to_reject(cells: tuple[int, int, int]) -> None:
    wins, losses, ties = cells
    total = wins + losses + ties
    value, low, high = ours.tango(wins, losses, total, 0.95)
    assert value == (wins - losses) / total
    assert low <= value <= high
    if low > -0.99:
        assert profile_score(wins, losses, total, low) == pytest.approx(1.96, abs=0.02)
    if high < 0.99:
        assert profile_score(wins, losses, total, high) == pytest.approx(-1.96, abs=0.02)
    mirrored = ours.tango(losses, wins, total, 0.95)
    assert (-mirrored.high, -mirrored.low) == pytest.approx((low, high), abs=1e-9)


def test_tango_covers() -> None:
    """Exact coverage over all outcomes of 40 problems stays near 95% for several true differences."""
    total = 40
    for win, lose in [(0.1, 0.1), (0.2, 0.1), (0.3, 0.05), (0.02, 0.02)]:
        covered = 0.0
        for wins, losses in product(range(total + 1), repeat=2):
            if wins + losses <= total:
                ways = comb(total, wins) * comb(total - wins, losses)
                chance = ways * win**wins * lose**losses * (1 - win - lose) ** (total - wins - losses)
                if chance > 1e-9:
                    _, low, high = ours.tango(wins, losses, total, 0.95)
                    covered += chance * (low <= win - lose <= high)
        assert 0.93 < covered <= 1.0, (win, lose, covered)


def test_no_discordant_pair_is_not_certainty() -> None:
    difference = ours.tango(0, 0, 500, 0.95)
    assert difference.value == 0
    assert -0.02 < difference.low < -0.001 < 0.001 < difference.high < 0.02


def every_flip(gaps: list[float]) -> float:
    sums = [abs(sum(s * g for s, g in zip(signs, gaps, strict=True))) for signs in product((-1, 1), repeat=len(gaps))]
    return float(np.mean([total >= abs(sum(gaps)) - 1e-9 for total in sums]))


@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 1 / 3, 1.0, 2.625]), min_size=1, max_size=8))
def test_sign_flip_is_the_exact_permutation_test(gaps: list[float]) -> None:
    assert ours.sign_flip(gaps) == pytest.approx(every_flip(gaps), abs=1e-12)


@given(st.lists(st.floats(-1, 1), min_size=6, max_size=10))
def test_differences_of_any_size_are_flipped_on_a_fine_grid(gaps: list[float]) -> None:
    """Sums that a grid's step makes equal may count or not; between bounds that allow for it the p-value is exact."""
    slack = 1e-3 * sum(map(abs, gaps)) + 1e-9
    sums = np.array(list(product((-1, 1), repeat=len(gaps)))) @ np.array(gaps)
    above, below = (np.mean(np.abs(sums) >= abs(sum(gaps)) + sign * slack) for sign in (1, -1))
    assert above - 1e-12 <= ours.sign_flip(gaps) <= below + 1e-12


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 20))
def test_of_units_that_differ_by_one_sign_flip_is_mcnemars(wins: int, losses: int, ties: int) -> None:
    """The binomial test of the pairs that differ."""
    gaps = [1] * wins + [-1] * losses + [0] * (ties + 1)
    expected = scipy_stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert ours.sign_flip(gaps) == pytest.approx(expected, abs=1e-12)


@given(discordant, st.floats(0.3, 3))
def test_what_is_estimated_from_few_is_wider(cells: tuple[int, int, int], scale: float) -> None:
    """Counts need not be whole; fewer degrees of freedom widen an interval, more of the same counts narrow it."""
    wins, losses, total = (scale * count for count in (cells[0], cells[1], sum(cells)))
    for estimate in (ours.wilson(wins, total, 0.95, 9), ours.tango(wins, losses, total, 0.95, 9)):
        assert estimate.low <= estimate.value <= estimate.high
    wide, narrow = ours.tango(wins, losses, total, 0.95, 9), ours.tango(wins, losses, total, 0.95, 99)
    more = ours.tango(2 * wins, 2 * losses, 2 * total, 0.95, 9)
    for closer in (narrow, more):
        assert wide.low <= closer.low + 1e-9
        assert closer.high <= wide.high + 1e-9


def test_more_right_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 0 <= successes"):
        ours.wilson(3, 2, 0.95)
