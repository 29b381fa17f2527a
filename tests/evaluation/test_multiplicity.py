"""Holm's adjustment, against his procedure step by step."""

from __future__ import annotations

from math import isnan, nan
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofline.evaluation.multiplicity import holm

p_values = st.lists(st.floats(0, 1), max_size=12)


def rejected(values: list[float], level: float) -> set[int]:
    """His procedure: from the smallest on, until one is above level over how many are left."""
    found: set[int] = set()
    for rank, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        if values[place] > level / (len(values) - rank):
            break
        found.add(place)
    return found


@given(p_values, st.floats(0.001, 0.999))
def test_below_a_level_are_those_that_he_rejects(values: list[float], level: float) -> None:
    adjusted = holm(values)
    near = any(abs(one - level) < 1e-9 for one in adjusted)
    assert near or {place for place, one in enumerate(adjusted) if one <= level} == rejected(values, level)


@given(p_values)
def test_none_is_smaller_than_alone_nor_larger_than_bonferronis(values: list[float]) -> None:
    for alone, among in zip(values, holm(values), strict=True):
        assert alone <= among <= min(1.0, len(values) * alone) or among == pytest.approx(len(values) * alone)


@given(p_values, st.randoms())
def test_order_is_kept_and_does_not_matter(values: list[float], random: Random) -> None:
    places = list(range(len(values)))
    random.shuffle(places)
    adjusted = holm(values)
    assert holm([values[place] for place in places]) == [adjusted[place] for place in places]
    assert all(adjusted[a] <= adjusted[b] for a in places for b in places if values[a] < values[b])


def test_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


def test_what_is_undefined_is_no_comparison() -> None:
    first, second, third = holm([0.01, nan, 0.04])
    assert (first, third) == pytest.approx((0.02, 0.04))
    assert isnan(second)


def test_false_claims_are_as_rare_as_stated() -> None:
    """Ten comparisons of which seven are true nulls, all of the same data: one in twenty families has a false claim."""
    rng, families = np.random.default_rng(0), 4000
    shared = rng.random((families, 1))
    nulls = np.where(rng.random((families, 7)) < 0.5, shared, rng.random((families, 7)))
    effects = rng.random((families, 3)) * 1e-4
    alarms = np.mean([min(holm([*a, *b])[3:]) < 0.05 for a, b in zip(effects, nulls, strict=True)])
    assert alarms < 0.05 + 3 * np.sqrt(0.05 * 0.95 / families)
    assert np.mean((nulls < 0.05).any(axis=1)) > 0.15, "unadjusted"
