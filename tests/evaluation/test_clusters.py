"""Intervals and tests over clusters of problems, against their definitions, other implementations and simulation."""

from __future__ import annotations

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


@given(outcomes)
def test_without_kin_it_is_wilsons_and_tangos_a_hair_wider_and_mcnemars(drawn: list[tuple[bool, bool]]) -> None:
    """One answer each: as many trials as problems, give or take one, and Student's quantile."""
    ours, theirs = np.array(drawn, float).T
    if len(drawn) < 2:
        return
    wins, losses, total = int((ours > theirs).sum()), int((ours < theirs).sum()), len(drawn)
    compared = alone(total).compare(ours, theirs)
    for found, known in (
        (alone(total).mean(ours), statistics.wilson(int(ours.sum()), total, 0.95)),
        (compared.difference, statistics.tango(wins, losses, total, 0.95)),
    ):
        assert found.value == pytest.approx(known.value)
        assert found.low <= known.low + 1e-9
        assert found.high >= known.high - 1e-9
        if total > 30:
            assert found == pytest.approx(known, abs=0.03)
    exact = scipy_stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert compared[1:5] == pytest.approx((exact, wins, losses, total - wins - losses))


@given(outcomes, st.integers(2, 4))
def test_kin_are_never_taken_for_more_than_one(drawn: list[tuple[bool, bool]], copies: int) -> None:
    """Copies of a problem are as much as was seen of it; counted apart, an interval is narrower and a p-value lower."""
    ours, theirs = np.array(drawn, float).T
    names = [f"{number:04}" for number in range(len(drawn))]
    kin, apart = clusters(names * copies), alone(len(drawn) * copies)
    many, other = np.tile(ours, copies), np.tile(theirs, copies)
    assert kin.compare(many, other).p_value == clusters(names).compare(ours, theirs).p_value
    assert kin.compare(many, other).p_value >= apart.compare(many, other).p_value
    if len(drawn) > 1:
        for wide, narrow in (
            (kin.mean(many), apart.mean(many)),
            (kin.compare(many, other).difference, apart.compare(many, other).difference),
        ):
            assert wide.low <= narrow.low
            assert wide.high >= narrow.high


def test_resampling_in_chunks_changes_nothing_but_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    names = clusters([f"{number % 20:02}" for number in range(50)], 300)
    whole = np.array(list(names.weights()))
    monkeypatch.setattr(statistics, "CHUNK_VALUES", 1000)
    assert np.array_equal(whole, np.array(list(names.weights())))
    assert whole.shape == (300, 50)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_where_all_are_alike_an_interval_still_has_a_width(value: float) -> None:
    """At most what as many problems without kin would tell, and at least what as many problems as clusters would."""
    names = [f"{number % 20}" for number in range(100)]
    most, least, found = alone(100), alone(20), clusters(names)
    estimates = [one.mean(np.full(size, value)) for one, size in ((most, 100), (found, 100), (least, 20))]
    widths = [one.high - one.low for one in estimates]
    assert widths == sorted(widths)
    assert widths[0] == pytest.approx(0.038, abs=0.001)
    assert all(one.value == value and value in one[1:] for one in estimates)
    nothing = found.compare(np.full(100, value), np.full(100, value))
    assert nothing.difference.low < 0 < nothing.difference.high
    assert (nothing.p_value, nothing.ties) == (1, 100)
    assert 0 < nothing.detectable < 1
    constant = clusters(names).mean(np.full(100, 0.5))
    assert 0.3 < constant.low < 0.5 < constant.high < 0.7


def test_one_cluster_has_no_interval() -> None:
    alike = clusters(["a"] * 9)
    assert isnan(alike.mean(np.ones(9)).low)
    found = alike.compare(np.ones(9), np.zeros(9))
    assert (found.difference.value, found.p_value, found.wins) == (1, 1, 9)
    assert isnan(found.difference.low)
    assert isnan(found.detectable)


def test_which_side_is_counted_does_not_matter() -> None:
    """Right and wrong, first and second: bounds are mirrored."""
    rng = np.random.default_rng(5)
    names = clusters([f"{number:02}" for number in rng.integers(0, 30, 150)])
    first, second = (rng.binomial(8, chance, 150) / 8 for chance in (0.9, 0.85))
    value, low, high = names.mean(first)
    assert names.mean(1 - first) == pytest.approx((1 - value, 1 - high, 1 - low))
    one, other = names.compare(first, second), names.compare(second, first)
    assert (-other.difference.high, -other.difference.low) == pytest.approx(one.difference[1:])
    assert (one.p_value, one.detectable) == pytest.approx((other.p_value, other.detectable))


def test_copies_of_a_problem_in_its_cluster_add_no_knowledge() -> None:
    values = np.random.default_rng(3).random(50)
    names = [f"{number:02}" for number in range(50)]
    once, copied = clusters(names).mean(values), clusters(names * 4).mean(np.tile(values, 4))
    assert copied == pytest.approx(once, abs=0.02)
    taken_apart = alone(200).mean(np.tile(values, 4))
    assert taken_apart.high - taken_apart.low < 0.7 * (once.high - once.low)


def test_a_ratio_by_hand() -> None:
    hits, among = np.array([1.0, 2.0, 0.0, 3.0]), np.array([2.0, 2.0, 0.0, 6.0])
    found = clusters(["a", "a", "b", "c"]).share(hits, among)
    assert found.value == 0.6
    assert 0 < found.low < 0.6 < found.high < 1
    assert all(isnan(bound) for bound in clusters(["a"]).share(np.zeros(1), np.zeros(1)))
    assert clusters(["a", "b"]).mean(np.array([nan, 0.25])).value == 0.25
    some = clusters(["a", "b", "a", "c"])[np.array([0, 2])].mean(np.array([0.0, 0.5]))
    assert some.value == 0.25
    assert isnan(some.low), "one cluster has no spread"
