"""Intervals hold the truth as often as they say, and tests are wrong as seldom: the cases of `benchmarks/coverage.py`.

Seeds are fixed. A bound allows for three standard errors of this many simulations.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import numpy as np
import pytest
from checkout import REPOSITORY

SIMULATIONS = 500
LOWEST, HIGHEST, LEVEL = 0.93, 0.97, 0.05


def slack(chance: float) -> float:
    return float(3 * np.sqrt(chance * (1 - chance) / SIMULATIONS))


@pytest.fixture(scope="module")
def coverage() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(REPOSITORY / "benchmarks")
        spec = importlib.util.spec_from_file_location("coverage_benchmark", REPOSITORY / "benchmarks/coverage.py")
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        patch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("clusters", [20, 50, 200])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.9, 0.98])
@pytest.mark.parametrize(("answers", "alike"), [(1, None), (1, 0.3), (8, 0.3)])
def test_shares(coverage: ModuleType, clusters: int, share: float, answers: int, alike: float | None) -> None:
    """Few clusters of a rare outcome are too lumpy for 95%: there an interval may hold the truth more often."""
    found = coverage.measure(coverage.Case(clusters, answers, alike, (share,)), SIMULATIONS, seed=1)
    assert found["new"] > LOWEST - slack(LOWEST)
    if clusters * min(share, 1 - share) >= 10:
        assert found["new"] < HIGHEST + slack(HIGHEST)
    if alike and min(share, 1 - share) < 0.05 and answers > 1 and clusters < 200:
        assert found["old"] < LOWEST - slack(LOWEST), "what resampling gave"


@pytest.mark.parametrize("clusters", [20, 50, 200])
@pytest.mark.parametrize("shares", [(0.02, 0.02), (0.2, 0.1), (0.5, 0.5), (0.98, 0.9)])
@pytest.mark.parametrize("alike", [None, 0.3])
def test_differences(coverage: ModuleType, clusters: int, shares: tuple[float, float], alike: float | None) -> None:
    """Where two policies seldom differ, no difference is held more often than 95%."""
    found = coverage.measure(coverage.Case(clusters, 1, alike, shares), SIMULATIONS, seed=1)
    assert found["new"] > LOWEST - slack(LOWEST)
    if shares == (0.5, 0.5) and clusters > 20:
        assert found["new"] < HIGHEST + slack(HIGHEST)
        assert found["false_alarms"] > LEVEL / 2 - slack(LEVEL / 2), "it sees something"
    if shares[0] == shares[1]:
        assert found["false_alarms"] < LEVEL + slack(LEVEL)
