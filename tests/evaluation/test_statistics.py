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
    for undefined in (ours.wilson(0, 0, 0.95), ours.tango(0, 0, 0, 0.95), ours.bootstrap_mean([], 0.95, 100, 0)):
        assert all(isnan(bound) for bound in undefined)
    assert isnan(ours.sign_flip([], 100, 0))
    assert isnan(ours.compare_counts(0, 0, 0, 0.95).p_value)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_test(wins: int, losses: int) -> None:
    expected = scipy_stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert ours.mcnemar(wins, losses) == pytest.approx(expected, abs=1e-12)


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


def test_bca_is_scipys() -> None:
    values = np.random.default_rng(1).exponential(size=80)
    expected = scipy_stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(2), vectorized=True
    ).confidence_interval
    found = ours.bootstrap_mean(values, 0.95, 20_000, seed=3)
    assert found.value == pytest.approx(values.mean())
    assert found[1:] == pytest.approx((expected.low, expected.high), abs=0.01)
    assert found == ours.bootstrap_mean(values, 0.95, 20_000, seed=3)


def test_resampling_in_chunks_changes_nothing_but_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=50)
    whole = ours.bootstrap_mean(values, 0.9, 300, 0), ours.sign_flip(values, 300, 0)
    monkeypatch.setattr(ours, "CHUNK_VALUES", 1000)
    parts = ours.bootstrap_mean(values, 0.9, 300, 0), ours.sign_flip(values, 300, 0)
    assert parts[0] == pytest.approx(whole[0], abs=1e-12)
    assert sum(len(rows) for rows in ours.resampled(50, 301, 0)) == 301


@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 1.0]), min_size=1, max_size=8))
def test_sign_flip_is_the_exact_permutation_test(gaps: list[float]) -> None:
    sums = [abs(sum(s * g for s, g in zip(signs, gaps, strict=True))) for signs in product((-1, 1), repeat=len(gaps))]
    exact = np.mean([total >= abs(sum(gaps)) - 1e-9 for total in sums])
    assert ours.sign_flip(gaps, 4000, seed=0) == pytest.approx(exact, abs=0.05)


def test_all_wrong_still_has_an_upper_bound() -> None:
    nothing = ours.share_mean([0.0] * 100, 0.95, 200, 0)
    assert (nothing.value, nothing.low) == (0, 0)
    assert nothing.high == pytest.approx(0.037, abs=0.001)
    assert isnan(ours.bootstrap_mean([0.5, 0.5], 0.95, 200, 0).low)


def test_false_alarms_are_as_rare_as_stated() -> None:
    """Under no effect, the paired comparison of sampled accuracies calls about one in twenty significant."""
    rng = np.random.default_rng(0)
    alarms = 0
    for trial in range(300):
        ability = rng.random(60)
        first, second = (rng.binomial(4, ability) / 4 for _ in range(2))
        paired = ours.compare_means(first, second, 0.95, 300, trial)
        alarms += paired.p_value < 0.05
    assert alarms / 300 < 0.09


families = st.lists(st.integers(0, 6), min_size=2, max_size=60)


@given(families, st.integers(0, 5))
def test_problems_without_kin_are_their_own_clusters(labels: list[int], seed: int) -> None:
    values = np.random.default_rng(seed).random(len(labels))
    names = [f"cluster {i}" for i in range(len(labels))]
    assert ours.bootstrap_mean(values, 0.9, 50, seed, names) == ours.bootstrap_mean(values, 0.9, 50, seed)
    assert ours.sign_flip(values - 0.5, 50, seed, names) == ours.sign_flip(values - 0.5, 50, seed)
    solved = values > 0.5
    wilson = ours.wilson(int(solved.sum()), len(solved), 0.9)
    assert ours.share_solved(solved, 0.9, 50, seed, names) == wilson
    exact = ours.compare_shares(solved, ~solved, 0.9)
    assert ours.compare_solved(solved, ~solved, 0.9, 50, seed, names) == exact


@given(families, st.permutations([f"name {i}" for i in range(7)]))
def test_what_a_cluster_is_called_decides_nothing(labels: list[int], names: list[str]) -> None:
    values = np.random.default_rng(0).random(len(labels))
    renamed = [names[label] for label in labels]
    assert ours.bootstrap_mean(values, 0.9, 40, 0, labels) == pytest.approx(
        ours.bootstrap_mean(values, 0.9, 40, 0, renamed), nan_ok=True
    )
    assert ours.sign_flip(values, 40, 0, labels) == ours.sign_flip(values, 40, 0, renamed)


def test_ten_copies_of_a_problem_say_as_much_as_one() -> None:
    values = np.random.default_rng(0).random(40)
    tenfold, clusters = np.repeat(values, 10), np.repeat(np.arange(40), 10)
    one, ten = ours.bootstrap_mean(values, 0.95, 500, 0), ours.bootstrap_mean(tenfold, 0.95, 500, 0, clusters)
    assert ten == pytest.approx(one)
    assert ours.sign_flip(tenfold - 0.4, 500, 0, clusters) == ours.sign_flip(values - 0.4, 500, 0)
    blind = ours.bootstrap_mean(tenfold, 0.95, 500, 0)
    assert blind.high - blind.low < 0.4 * (ten.high - ten.low)
    nothing = ours.share_mean(np.zeros(400), 0.95, 100, 0, clusters)
    assert nothing == ours.wilson(0, 40, 0.95)
    assert isnan(ours.bootstrap_mean(values, 0.95, 100, 0, np.zeros(40)).low)  # one cluster has no spread


def test_clustered_intervals_cover_and_unclustered_ones_do_not() -> None:
    """Problems of 60 templates, 1 to 9 each, whose difficulty is the template's: 95% intervals, 200 trials."""
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(60), rng.integers(1, 10, 60))
    covered, blind = 0, 0
    for trial in range(200):
        values = rng.binomial(1, rng.beta(0.5, 0.5, 60)[clusters]).astype(float)
        covered += (found := ours.bootstrap_mean(values, 0.95, 400, trial, clusters)).low <= 0.5 <= found.high
        blind += (found := ours.bootstrap_mean(values, 0.95, 400, trial)).low <= 0.5 <= found.high
    assert covered / 200 > 0.9
    assert blind / 200 < 0.85


def test_mismatched_problems_are_refused() -> None:
    with pytest.raises(ValueError, match="4 clusters named for 3 problems"):
        ours.bootstrap_mean([0.0, 0.5, 1.0], 0.95, 100, 0, [1, 1, 2, 2])
    with pytest.raises(ValueError, match="2 with 3 problems"):
        ours.compare_shares([True, False], [True, False, True], 0.95)
    with pytest.raises(ValueError, match="expected 0 <= successes"):
        ours.wilson(3, 2, 0.95)
