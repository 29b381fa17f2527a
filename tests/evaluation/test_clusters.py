"""Intervals and tests over clusters of problems, against their definitions, other implementations and simulation."""

from __future__ import annotations

from collections import Counter
from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from proofline.evaluation import statistics
from proofline.evaluation.clusters import Clusters

outcomes = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


def clusters(names: list[str], resamples: int = 400, confidence: float = 0.95) -> Clusters:
    return Clusters(names, confidence, resamples, seed=0)


def alone(problems: int, resamples: int = 400) -> Clusters:
    """Problems without kin."""
    return clusters([f"{number:04}" for number in range(problems)], resamples)


def test_nothing_is_undefined() -> None:
    assert all(isnan(bound) for bound in clusters([]).mean(np.zeros(0)))
    assert all(isnan(bound) for bound in clusters(["a"]).share(np.zeros(1), np.zeros(1)))
    assert isnan(clusters([]).compare(np.zeros(0), np.zeros(0)).p_value)


def test_without_kin_the_interval_is_scipys_bca() -> None:
    values = np.random.default_rng(1).exponential(size=80)
    expected = scipy_stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(2), vectorized=True
    ).confidence_interval
    found = alone(80, 20_000).mean(values)
    assert found.value == pytest.approx(values.mean())
    assert found[1:] == pytest.approx((expected.low, expected.high), abs=0.01)
    assert found == alone(80, 20_000).mean(values)


@given(outcomes)
def test_one_answer_each_to_problems_without_kin_has_the_exact_intervals(drawn: list[tuple[bool, bool]]) -> None:
    ours, theirs = np.array(drawn, float).T
    assert alone(len(drawn)).solved(ours) == statistics.wilson(int(ours.sum()), len(ours), 0.95)
    assert alone(len(drawn)).compare_solved(ours, theirs) == statistics.compare_shares(ours, theirs, 0.95)


@given(outcomes, st.integers(2, 4))
def test_kin_are_never_taken_for_more_than_one(drawn: list[tuple[bool, bool]], copies: int) -> None:
    """Of copies the values are those of one; counted apart, an interval is narrower and a p-value lower."""
    ours, theirs = np.array(drawn, float).T
    names = [f"{number:04}" for number in range(len(drawn))]
    kin, once = clusters(names * copies, 100), clusters(names, 100)
    many, other = np.tile(ours, copies), np.tile(theirs, copies)
    assert kin.solved(many) == pytest.approx(once.mean(ours), nan_ok=True)
    assert kin.compare_solved(many, other).difference == pytest.approx(
        once.compare(ours, theirs).difference, nan_ok=True
    )
    assert kin.compare_solved(many, other).p_value == once.compare(ours, theirs).p_value


def test_resampling_in_chunks_changes_nothing_but_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=50)
    whole = alone(50, 300).compare(values, np.zeros(50))
    monkeypatch.setattr(statistics, "CHUNK_VALUES", 1000)
    parts = alone(50, 300).compare(values, np.zeros(50))
    assert parts.difference == pytest.approx(whole.difference, abs=1e-12)
    assert sum(len(rows) for rows in statistics.resampled(50, 301, 0)) == 301


def test_all_wrong_still_has_an_upper_bound() -> None:
    nothing = alone(100).mean(np.zeros(100))
    assert (nothing.value, nothing.low) == (0, 0)
    assert nothing.high == pytest.approx(0.037, abs=0.001)
    assert clusters([f"{number % 20}" for number in range(100)]).mean(np.zeros(100)) == statistics.wilson(0, 20, 0.95)
    assert isnan(alone(2).mean(np.array([0.5, 0.5])).low)


def test_false_alarms_are_as_rare_as_stated() -> None:
    """Under no effect, the paired comparison of sampled accuracies calls about one in twenty significant."""
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(300):
        ability = rng.random(60)
        first, second = (rng.binomial(4, ability) / 4 for _ in range(2))
        alarms += alone(60, 300).compare(first, second).p_value < 0.05
    assert alarms / 300 < 0.09


def test_copies_of_a_problem_in_its_cluster_add_no_knowledge() -> None:
    values = np.random.default_rng(3).random(50)
    names = [f"{number:02}" for number in range(50)]
    once, copied = clusters(names).mean(values), clusters(names * 4).mean(np.tile(values, 4))
    assert copied == pytest.approx(once)
    taken_apart = alone(200).mean(np.tile(values, 4))
    assert taken_apart.high - taken_apart.low < 0.7 * (once.high - once.low)


def test_a_ratio_by_hand() -> None:
    hits, among = np.array([1.0, 2.0, 0.0, 3.0]), np.array([2.0, 2.0, 0.0, 6.0])
    found = clusters(["a", "a", "b", "c"]).share(hits, among)
    assert found.value == 0.6
    assert 0.5 <= found.low < 0.6 < found.high <= 0.75
    assert all(isnan(bound) for bound in clusters(["a"]).share(np.zeros(1), np.zeros(1)))
    assert clusters(["a", "b"]).mean(np.array([nan, 0.25])).value == 0.25
    some = clusters(["a", "b", "a", "c"])[np.array([0, 2])].mean(np.array([0.0, 0.5]))
    assert some.value == 0.25
    assert isnan(some.low), "one cluster has no spread"


def test_intervals_cover_when_clusters_differ() -> None:
    """Problems of one template rise and fall together: over clusters the interval covers, over problems it does not."""
    rng, covered = np.random.default_rng(0), Counter[str]()
    names = [f"{number // 8:02}" for number in range(320)]
    for _ in range(150):
        values = np.clip(0.5 + np.repeat(rng.normal(0, 0.2, 40), 8) + rng.normal(0, 0.05, 320), 0, 1)
        found = clusters(names, 200).mean(values)
        blind = alone(320, 200).mean(values)
        covered["clusters"] += found.low <= 0.5 <= found.high
        covered["problems"] += blind.low <= 0.5 <= blind.high
    assert covered["clusters"] / 150 > 0.88
    assert covered["problems"] / 150 < 0.75
