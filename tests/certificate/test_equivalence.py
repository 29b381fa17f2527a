"""The test of two trainings: symmetric, right as often as it says, and with the power that it says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofline.certificate.equivalence import (
    ALPHA,
    INTERVALS,
    PAIRED,
    POWER,
    RERUNS,
    Graded,
    by_intervals,
    by_problems,
    by_reruns,
    compare_metrics,
    independent,
)
from proofline.certificate.headline import Measured

shares = st.floats(0.0, 1.0)
reruns = st.lists(shares, min_size=3, max_size=12)
levels = st.floats(0.9, 0.9995)


def measured(value: float, half: float = 0.05) -> Measured:
    return Measured("evaluate@sft", value, value - half, value + half, 0.95)


@given(shares, shares, reruns, levels)
def test_it_does_not_matter_which_of_two_was_committed(a: float, b: float, values: list[float], level: float) -> None:
    one, other = by_reruns("m", a, b, values, level), by_reruns("m", b, a, values, level)
    assert (one.passed, one.bound, one.detectable) == (other.passed, other.bound, other.detectable)
    one, other = by_intervals("m", measured(a), measured(b), level), by_intervals("m", measured(b), measured(a), level)
    assert one.passed == other.passed
    assert one.bound == pytest.approx(other.bound)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60), levels)
def test_nor_with_paired_problems(pairs: list[tuple[bool, bool]], level: float) -> None:
    (a, b), names = np.array(pairs).T, np.arange(len(pairs)) // 3
    one, other = by_problems("m", Graded(a, b, names), level), by_problems("m", Graded(b, a, names), level)
    assert (one.passed, one.bound) == (other.passed, other.bound)
    assert by_problems("m", Graded(a, a, names), level).passed


def test_problems_of_one_template_are_one_piece_of_evidence() -> None:
    """Ten problems lost and none won are beyond chance, unless they are all of two templates."""
    before, after, own = np.ones(60, bool), np.arange(60) >= 10, np.arange(60)
    assert not by_problems("m", Graded(before, after, own), 0.975).passed
    assert by_problems("m", Graded(before, after, own // 5), 0.975).passed
    assert by_problems("m", Graded(before, after, own // 5), 0.975).bound == 10 / 60


@given(shares, reruns, levels)
def test_a_number_is_equivalent_to_itself_and_more_is_found_by_more_than_the_bound(
    value: float, values: list[float], level: float
) -> None:
    test = by_reruns("m", value, value, values, level)
    assert test.passed
    assert test.detectable >= test.bound * 0.5 or test.bound == 0


@given(shares, reruns, st.floats(0.9, 0.99))
def test_more_metrics_at_once_make_each_bound_wider(value: float, values: list[float], level: float) -> None:
    one, many = (by_reruns("m", value, value, values, 1 - (1 - level) / m) for m in (1, 10))
    assert many.bound >= one.bound


@pytest.mark.parametrize(("runs", "metrics", "correlation"), [(4, 1, 0.0), (6, 18, 0.0), (6, 18, 0.9), (11, 18, 0.5)])
def test_false_alarms_are_no_more_than_said(runs: int, metrics: int, correlation: float) -> None:
    """Two trainings and n reruns drawn from one distribution: how often is any metric called different?"""
    rng, trials, alarms = np.random.default_rng(runs), 2000, 0
    names = [f"m{number}" for number in range(metrics)]
    for _ in range(trials):
        shared = rng.normal(size=(runs + 2, 1))
        draws = 0.6 + 0.01 * (
            math.sqrt(correlation) * shared + math.sqrt(1 - correlation) * rng.normal(size=(runs + 2, metrics))
        )
        a, b, *rest = ({name: float(value) for name, value in zip(names, row, strict=True)} for row in draws)
        sides = ({name: measured(value) for name, value in one.items()} for one in (a, b))
        tests = compare_metrics(*sides, rest, {})
        assert {test.method for test in tests} == {RERUNS}
        alarms += not all(test.passed for test in tests)
    assert alarms / trials <= ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / trials)
    if metrics == 1:
        assert alarms / trials >= ALPHA - 3 * math.sqrt(ALPHA * (1 - ALPHA) / trials), "exact for one metric"


@pytest.mark.parametrize("runs", [3, 6, 12])
def test_a_difference_of_the_said_size_is_found_as_often_as_said(runs: int) -> None:
    rng, trials, level, spread = np.random.default_rng(runs), 4000, 1 - ALPHA / 2, 0.01
    shift = by_reruns("m", 0.5, 0.5, _with_spread(runs, spread), level).detectable
    found = 0
    for _ in range(trials):
        values = list(rng.normal(0.5, spread, size=runs))
        a, b = rng.normal(0.5, spread), rng.normal(0.5 + shift, spread)
        found += not by_reruns("m", a, b, values, level).passed
    assert found / trials == pytest.approx(POWER, abs=4 * math.sqrt(POWER * (1 - POWER) / trials))


def _with_spread(runs: int, spread: float) -> list[float]:
    """Values whose standard deviation is exactly this."""
    raw = np.arange(runs, dtype=float)
    return list(0.5 + spread * (raw - raw.mean()) / raw.std(ddof=1))


def test_a_forger_cannot_widen_the_bound_with_his_own_number() -> None:
    """The compared trainings are not among the reruns, and no rerun counts twice."""
    honest = [{"m": value} for value in (0.70, 0.71, 0.72, 0.69, 0.71)]
    forged = {"m": measured(0.95)}
    tests = compare_metrics(forged, {"m": measured(0.71)}, [*honest, {"m": 0.95}], {})
    assert not tests[0].passed
    assert (tests[0].method, tests[0].runs) == (RERUNS, 3)
    assert independent(honest, []) == honest[:4]


def test_without_reruns_the_problems_are_asked_and_that_is_said() -> None:
    grades = np.array([True] * 30 + [False] * 30)
    changed = grades.copy()
    changed[:20] = False
    sides = {"a.greedy_accuracy": measured(0.5), "a.sampled_accuracy": measured(0.5)}
    tests = compare_metrics(sides, sides, [], {"a.greedy_accuracy": Graded(grades, changed, np.arange(60))})
    assert [test.method for test in tests] == [PAIRED, INTERVALS]
    assert not tests[0].passed
    assert tests[1].passed


def test_undefined_is_equivalent_to_undefined_alone() -> None:
    nan = Measured("verify", math.nan, math.nan, math.nan, 0.95)
    assert by_intervals("m", nan, nan, 0.99).passed
    assert not by_intervals("m", measured(0.5), nan, 0.99).passed
